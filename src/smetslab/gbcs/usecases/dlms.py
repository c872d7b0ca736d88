"""DLMS content of use cases: access lists and alerts, declared as data, with their one engine.

Spec: GBCS 7.3 (DLMS content), 9.2 (future dating), 16 (alerts).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from smetslab.errors import GbcsDecodeError, GbcsEncodeError
from smetslab.gbcs.codes import Cra
from smetslab.gbcs.dlms import axdr
from smetslab.gbcs.dlms.apdu import (
    AccessRequest,
    AccessResponse,
    AccessResult,
    Choice,
    DataAccessResult,
    DataNotification,
    Obis,
    Specification,
    data_offset,
    is_dlms,
    long_invoke_id,
    plain_specification,
    result_offset,
    specification_offset,
)
from smetslab.gbcs.dlms.axdr import Data, Null
from smetslab.gbcs.dlms.protection import (
    DATA_PROTECTION_CLASS,
    GET_PROTECTED_ATTRIBUTES,
    ProtectedObject,
    ProtectedRead,
)
from smetslab.gbcs.dlms.shapes import DATE_TIME, TIME_STAMP, Const, Shape, Struct, mismatch
from smetslab.gbcs.elements import elements_of, known
from smetslab.gbcs.message import Message, content_offset
from smetslab.gbcs.usecases.apdus import apdu_of, placed, wrong_apdu
from smetslab.gbcs.usecases.model import FAILURES, Confidence
from smetslab.gbcs.usecases.results import result_name, result_number
from smetslab.gbcs.values import Parameters, Value
from smetslab.gbcs.versions import GbcsVersion

RANGE_DESCRIPTOR = 1
"""The one access selector in use: entries whose time stamp lies in a period. Spec: GBCS 7.3."""

LOG_TIME_STAMP = "0-0:94.44.100.255"

PERIOD = Struct(
    {
        "restricting_object": Const(
            axdr.structure(
                axdr.long_unsigned(1),
                axdr.octet_string(Obis.parse(LOG_TIME_STAMP).raw),
                axdr.integer(2),
                axdr.long_unsigned(0),
            )
        ),
        known("start_date_time", "StartDateTime"): TIME_STAMP,
        known("end_date_time", "EndDateTime"): TIME_STAMP,
        "selected_columns": Const(axdr.array()),
    }
)
"""The range descriptor of a selective read. Spec: GBCS 7.3."""

ALERT = "alert"
"""The path of an alert's structure in errors."""

RESULTS = "results"
"""The parameter of a response to a command with optional items."""

_SUCCESS = int(DataAccessResult.SUCCESS)
_SPEC = "GBCS 7.3"


_ANSWERS = {Choice.GET_WITH_SELECTION: Choice.GET, Choice.SET_WITH_SELECTION: Choice.SET}


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessItem:
    """One item of an access list.

    `name` is what its value is called and how its failure is reported. `command` is the shape of the data
    sent with it (None for null-data), `response` of the data that a success returns (None for null-data).
    `activation` marks the date-time that triggers a future-dated item. `confidence` is about the item's name
    and meaning. `elements` is what DUIS and MMC call it, given with the name (`smetslab.gbcs.elements`);
    `later_than` a GBCS version that has not got it yet, None where none is known.
    """

    choice: Choice
    class_id: int
    obis: Obis
    index: int
    name: str
    command: Shape | None = None
    response: Shape | None = None
    protected: ProtectedRead | None = None
    selection: Shape | None = None
    activation: bool = False
    optional: bool = False
    confidence: Confidence = "vectors"
    elements: tuple[str, ...] = ()
    later_than: GbcsVersion | None = None
    specification: Specification = field(init=False, repr=False, compare=False)
    says: bool = field(init=False, repr=False, compare=False)
    """True when a command says something with the item's data."""
    command_names: tuple[str, ...] = field(init=False, repr=False, compare=False)
    """The parameters of a command that belong to the item."""
    answers: bool = field(init=False, repr=False, compare=False)
    """True when a success returns data."""
    answer: Choice = field(init=False, repr=False, compare=False)
    """The choice that a result repeats: a get with selection is answered as a get. Spec: GBCS 7.3."""

    def __post_init__(self) -> None:
        if not self.elements:
            object.__setattr__(self, "elements", elements_of(self.name))
        object.__setattr__(self, "name", str(self.name))
        derived = {
            "specification": plain_specification(self.choice, self.class_id, self.obis, self.index),
            "says": self._says(),
            "answers": self.response is not None or self.protected is not None,
            "answer": _ANSWERS.get(self.choice, self.choice),
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)
        names = (self.name,) if self.says or (self.optional and self.selection is None) else ()
        if self.selection is not None:
            names = (*names, self.selection_name)
        object.__setattr__(self, "command_names", names)

    def _says(self) -> bool:
        if self.protected is not None:
            return self.protected.windowed
        return self.command is not None and not isinstance(self.command, Const)

    @property
    def selection_name(self) -> str:
        """The command's parameter for the period of a selective read."""
        return f"{self.name}_period"

    def __str__(self) -> str:
        kind = "method" if self.choice is Choice.ACTION else "attribute"
        return f"{self.choice.name.lower()} class {self.class_id} {self.obis} {kind} {self.index}"


@dataclass(frozen=True, slots=True)
class DlmsAccess:
    """Content that is an access-request and its access-response."""

    items: tuple[AccessItem, ...]
    has_optional_items: bool = field(init=False, repr=False, compare=False)
    encrypts_response: bool = field(init=False, repr=False, compare=False)
    names: frozenset[str] = field(init=False, repr=False, compare=False)
    command_names: frozenset[str] = field(init=False, repr=False, compare=False)
    response_names: frozenset[str] = field(init=False, repr=False, compare=False)

    is_alert = False

    def __post_init__(self) -> None:
        derived = {
            "has_optional_items": any(item.optional for item in self.items),
            "encrypts_response": any(item.protected for item in self.items),
            "names": frozenset(item.name for item in self.items),
            "command_names": frozenset(name for item in self.items for name in item.command_names),
            "response_names": frozenset(item.name for item in self.items if item.answers) | {FAILURES},
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)

    @property
    def command_parameters(self) -> tuple[str, ...]:
        return tuple(name for item in self.items for name in item.command_names if not item.optional)

    @property
    def activations(self) -> tuple[str, ...]:
        return tuple(item.name for item in self.items if item.activation)

    def recognises(self, content: bytes) -> bool:
        return is_dlms(content)

    def decode(self, message: Message, secret: bytes | None) -> Parameters:
        apdu = apdu_of(message)
        if message.cra is Cra.COMMAND:
            if not isinstance(apdu, AccessRequest):
                raise wrong_apdu(message, "access-request")
            return _decode_request(self, apdu, message)
        if not isinstance(apdu, AccessResponse):
            raise wrong_apdu(message, "access-response")
        return _decode_response(self, apdu, message, secret)

    def encode(self, header: Message, parameters: Parameters, secret: bytes | None) -> bytes:
        invoke_id = long_invoke_id(header.originator_counter)
        if header.cra is Cra.COMMAND:
            return _encode_request(self, header, parameters, invoke_id)
        return _encode_response(self, header, parameters, secret, invoke_id)


@dataclass(frozen=True, slots=True)
class DlmsAlert:
    """Content that is a data-notification with a structure of these members."""

    body: Struct

    is_alert = True
    encrypts_response = False
    command_parameters = ()
    activations = ()

    def recognises(self, content: bytes) -> bool:
        return is_dlms(content)

    def decode(self, message: Message, secret: bytes | None) -> Parameters:
        apdu = apdu_of(message)
        if not isinstance(apdu, DataNotification):
            raise wrong_apdu(message, "data-notification")
        try:
            return self.read(apdu.body, message, secret)
        except GbcsDecodeError as error:
            raise placed(error, content_offset(message) + data_offset(apdu, 0)) from None

    def encode(self, header: Message, parameters: Parameters, secret: bytes | None) -> bytes:
        body = self.write(parameters, header, secret)
        return DataNotification(long_invoke_id(header.originator_counter), body).encode()

    def read(self, body: Data, message: Message, secret: bytes | None) -> Parameters:
        """Named members of the notification's structure."""
        del message, secret
        value = self.body.decode(body, ALERT)
        return value if isinstance(value, dict) else {}

    def write(self, parameters: Parameters, header: Message, secret: bytes | None) -> Data:
        """The notification's structure."""
        del header, secret
        return self.body.encode(parameters, ALERT)


def get(name: str, class_id: int, obis: str, attribute: int, shape: Shape) -> AccessItem:
    """Read an attribute."""
    return AccessItem(
        choice=Choice.GET,
        class_id=class_id,
        obis=Obis.parse(obis),
        index=attribute,
        name=name,
        response=shape,
    )


def get_period(name: str, class_id: int, obis: str, attribute: int, shape: Shape) -> AccessItem:
    """Read the entries of a log whose time stamp lies in a period. Spec: GBCS 7.3 (selective access)."""
    return AccessItem(
        choice=Choice.GET_WITH_SELECTION,
        class_id=class_id,
        obis=Obis.parse(obis),
        index=attribute,
        name=name,
        response=shape,
        selection=PERIOD,
    )


def optional(item: AccessItem) -> AccessItem:
    """The same item, which a command may leave out."""
    return replace(item, optional=True)


def unverified(item: AccessItem) -> AccessItem:
    """The same item, whose name or meaning no vector and no published text confirms."""
    return replace(item, confidence="unverified")


def later(item: AccessItem, *, than: str) -> AccessItem:
    """The same item, which that GBCS version has not got yet."""
    return replace(item, later_than=GbcsVersion.parse(than))


def set_(name: str, class_id: int, obis: str, attribute: int, shape: Shape) -> AccessItem:
    """Write an attribute."""
    return AccessItem(
        choice=Choice.SET, class_id=class_id, obis=Obis.parse(obis), index=attribute, name=name, command=shape
    )


def activate(name: str, class_id: int, obis: str, attribute: int) -> AccessItem:
    """Write an activation date-time. Spec: GBCS 9.2.2.7."""
    return AccessItem(
        choice=Choice.SET,
        class_id=class_id,
        obis=Obis.parse(obis),
        index=attribute,
        name=known(name, "ExecutionDateTime"),
        command=DATE_TIME,
        activation=True,
    )


def action(
    name: str,
    class_id: int,
    obis: str,
    method: int,
    shape: Shape | None = None,
    *,
    returns: Shape | None = None,
) -> AccessItem:
    """Call a method."""
    return AccessItem(
        choice=Choice.ACTION,
        class_id=class_id,
        obis=Obis.parse(obis),
        index=method,
        name=name,
        command=shape,
        response=returns,
    )


def protected_get(name: str, instance: str, *objects: ProtectedObject) -> AccessItem:
    """Read attributes through the data protection object `instance`. Spec: GBCS 8.4."""
    return AccessItem(
        choice=Choice.ACTION,
        class_id=DATA_PROTECTION_CLASS,
        obis=Obis.parse(instance),
        index=GET_PROTECTED_ATTRIBUTES,
        name=name,
        protected=ProtectedRead(objects),
    )


def protected_object(
    name: str, class_id: int, obis: str, attribute: int, shape: Shape, *, window: bool = False
) -> ProtectedObject:
    return ProtectedObject(name, class_id, Obis.parse(obis), attribute, shape, window)


def _matches(item: AccessItem, found: Specification) -> bool:
    wanted = item.specification
    return found is wanted or (
        found.choice is wanted.choice
        and found.index == wanted.index
        and found.obis == wanted.obis
        and found.class_id == wanted.class_id
    )


def _present(payload: DlmsAccess, apdu: AccessRequest, header: Message) -> list[AccessItem]:
    """The declared item for each specification found. Raises GbcsDecodeError at the first that differs."""
    present: list[AccessItem] = []
    declared = iter(payload.items)
    for place, specification in enumerate(apdu.specifications):
        for item in declared:
            if _matches(item, specification):
                present.append(item)
                break
            if not item.optional:
                raise _other_list(header, apdu, place, f"{item} ({item.name})")
        else:
            raise _other_list(header, apdu, place, f"the end, after {len(payload.items)} items at most")
    for item in declared:
        if not item.optional:
            raise _other_list(header, apdu, len(apdu.specifications), f"{item} ({item.name})")
    return present


def _other_list(header: Message, apdu: AccessRequest, place: int, expected: str) -> GbcsDecodeError:
    there = place < len(apdu.specifications)
    return GbcsDecodeError(
        "not the access list of the use case",
        offset=content_offset(header) + specification_offset(apdu, place),
        path=f"access list[{place}]",
        expected=expected,
        found=str(apdu.specifications[place]) if there else "the end of the list",
        spec=_SPEC,
    )


def _decode_request(payload: DlmsAccess, apdu: AccessRequest, header: Message) -> Parameters:
    parameters: Parameters = {}
    for place, item in enumerate(_present(payload, apdu, header)):
        if item.selection is not None:
            try:
                _decode_selection(item, apdu.specifications[place], parameters)
            except GbcsDecodeError as error:
                raise placed(error, content_offset(header) + specification_offset(apdu, place)) from None
        try:
            value = _command_value(item, apdu.data[place], header)
        except GbcsDecodeError as error:
            raise placed(error, content_offset(header) + data_offset(apdu, place)) from None
        if item.name in item.command_names:
            parameters[item.name] = value
    return parameters


def _decode_selection(item: AccessItem, specification: Specification, parameters: Parameters) -> None:
    if item.selection is None or specification.parameters is None:
        return
    if specification.selector != RANGE_DESCRIPTOR:
        found = f"{specification.selector:02X}"
        raise GbcsDecodeError("unknown selector", path=f"{item.name}.selector", expected="01", found=found)
    parameters[item.selection_name] = item.selection.decode(specification.parameters, item.selection_name)


def _command_value(item: AccessItem, data: Data, header: Message) -> Value:
    """What the data of an item says; true for an item whose presence says all."""
    if item.command is not None:
        value = item.command.decode(data, item.name)
    elif item.protected is not None:
        value = item.protected.decode_command(data, header, item.name)
    elif isinstance(data, Null):
        value = None
    else:
        raise mismatch(data, item.name, "null-data")
    return value if item.says else True


def _encode_request(payload: DlmsAccess, header: Message, parameters: Parameters, invoke_id: int) -> bytes:
    _refuse_unknown(parameters, payload.command_names)
    data: list[Data] = []
    specifications: list[Specification] = []
    for item in payload.items:
        if item.optional and not any(name in parameters for name in item.command_names):
            continue
        for name in item.command_names:
            if name not in parameters:
                raise GbcsEncodeError("missing", path=name)
        if item.command is not None:
            data.append(item.command.encode(parameters.get(item.name), item.name))
        elif item.protected is not None:
            data.append(item.protected.encode_command(parameters.get(item.name), header, item.name))
        else:
            data.append(axdr.null())
        specification = item.specification
        if item.selection is not None:
            period = item.selection.encode(parameters[item.selection_name], item.selection_name)
            specification = replace(specification, selector=RANGE_DESCRIPTOR, parameters=period)
        specifications.append(specification)
    return AccessRequest(invoke_id, tuple(specifications), tuple(data)).encode()


def _decode_response(
    payload: DlmsAccess, apdu: AccessResponse, header: Message, secret: bytes | None
) -> Parameters:
    if apdu.specifications:
        raise GbcsDecodeError(
            "echo of the access list not allowed",
            offset=content_offset(header) + specification_offset(apdu, 0),
            path="access list",
            expected="none",
            found=f"{len(apdu.specifications)} items",
            spec=_SPEC,
        )
    if payload.has_optional_items:
        return _decode_results(payload, apdu, header)
    if len(apdu.results) != len(payload.items):
        raise GbcsDecodeError(
            "not the response of the use case",
            offset=content_offset(header) + result_offset(apdu, 0),
            path="result list",
            expected=f"{len(payload.items)} items",
            found=str(len(apdu.results)),
            spec=_SPEC,
        )
    parameters: Parameters = {}
    failures: dict[str, Value] = {}
    for place, (item, data, result) in enumerate(zip(payload.items, apdu.data, apdu.results, strict=True)):
        if result.choice is not item.answer:
            raise GbcsDecodeError(
                "not the response of the use case",
                offset=content_offset(header) + result_offset(apdu, place),
                path=f"{item.name}.choice",
                expected=item.answer.name.lower(),
                found=result.choice.name.lower(),
                spec=_SPEC,
            )
        failed = result.result != _SUCCESS
        if failed:
            failures[item.name] = result_name(result.result)
        try:
            value = _response_value(item, data, header, secret, failed)
        except GbcsDecodeError as error:
            raise placed(error, content_offset(header) + data_offset(apdu, place)) from None
        if not failed and item.answers:
            parameters[item.name] = value
    if failures:
        parameters[FAILURES] = failures
    return parameters


def _response_value(
    item: AccessItem, data: Data, header: Message, secret: bytes | None, failed: bool
) -> Value:
    if not failed and item.protected is not None:
        return item.protected.decode_response(data, header, secret, item.name)
    if not failed and item.response is not None:
        return item.response.decode(data, item.name)
    if not isinstance(data, Null):
        raise mismatch(data, item.name, "null-data")
    return None


def _decode_results(payload: DlmsAccess, apdu: AccessResponse, header: Message) -> Parameters:
    """A response whose command may have left items out: it says how each ended, not which items they were."""
    if len(apdu.results) > len(payload.items):
        raise GbcsDecodeError(
            "not the response of the use case",
            offset=content_offset(header) + result_offset(apdu, 0),
            path="result list",
            expected=f"at most {len(payload.items)} items",
            found=str(len(apdu.results)),
            spec=_SPEC,
        )
    results: list[Value] = []
    for place, (data, result) in enumerate(zip(apdu.data, apdu.results, strict=True)):
        if not isinstance(data, Null):
            error = mismatch(data, f"{RESULTS}[{place}]", "null-data")
            raise placed(error, content_offset(header) + data_offset(apdu, place))
        results.append({"choice": result.choice.name.lower(), "result": result_name(result.result)})
    return {RESULTS: results}


def _encode_results(payload: DlmsAccess, parameters: Parameters, invoke_id: int) -> bytes:
    _refuse_unknown(parameters, frozenset((RESULTS,)))
    given = parameters.get(RESULTS)
    results: list[AccessResult] = []
    entries = given if isinstance(given, list) else []
    if len(entries) > len(payload.items):
        raise GbcsEncodeError(
            "too many results",
            path=RESULTS,
            expected=f"at most {len(payload.items)}",
            found=str(len(entries)),
            spec=_SPEC,
        )
    for place, entry in enumerate(entries):
        name = entry.get("choice") if isinstance(entry, dict) else None
        choice = {"get": Choice.GET, "set": Choice.SET, "action": Choice.ACTION}.get(str(name))
        if choice is None or not isinstance(entry, dict):
            raise GbcsEncodeError("not a result", path=f"{RESULTS}[{place}]", expected="choice and result")
        results.append(AccessResult(choice, result_number(entry.get("result"))))
    return AccessResponse(invoke_id, tuple(axdr.null() for _ in results), tuple(results)).encode()


def _encode_response(
    payload: DlmsAccess, header: Message, parameters: Parameters, secret: bytes | None, invoke_id: int
) -> bytes:
    if payload.has_optional_items:
        return _encode_results(payload, parameters, invoke_id)
    given = parameters.get(FAILURES, {})
    failures = given if isinstance(given, dict) else {}
    _refuse_unknown(failures, payload.names)
    _refuse_unknown(parameters, payload.response_names)
    data: list[Data] = []
    results: list[AccessResult] = []
    for item in payload.items:
        result = result_number(failures[item.name]) if item.name in failures else _SUCCESS
        if item.name in failures and result == _SUCCESS:
            raise GbcsEncodeError(
                "not a failure", path=f"{FAILURES}.{item.name}", found="success", spec=_SPEC
            )
        results.append(AccessResult(item.answer, result))
        if result or not item.answers:
            data.append(axdr.null())
        elif item.name not in parameters:
            raise GbcsEncodeError("missing", path=item.name)
        elif item.protected is not None:
            data.append(item.protected.encode_response(parameters[item.name], header, secret, item.name))
        elif item.response is not None:
            data.append(item.response.encode(parameters[item.name], item.name))
    return AccessResponse(invoke_id, tuple(data), tuple(results)).encode()


def _refuse_unknown(parameters: dict[str, Value], known: frozenset[str]) -> None:
    if parameters.keys() <= known:
        return
    for name in parameters:
        if name not in known:
            raise GbcsEncodeError(
                "no such parameter", path=name, expected=", ".join(sorted(known)) or "no parameters"
            )
