"""DLMS content of use cases: access lists and alerts, declared as data, with their one engine.

Spec: GBCS 7.3 (DLMS content), 9.2 (future dating), 16 (alerts).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

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

_SPEC = "GBCS 7.3"


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

    def __post_init__(self) -> None:
        if not self.elements:
            object.__setattr__(self, "elements", elements_of(self.name))
        object.__setattr__(self, "name", str(self.name))

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

    is_alert = False

    @property
    def has_optional_items(self) -> bool:
        return any(item.optional for item in self.items)

    @property
    def encrypts_response(self) -> bool:
        return any(item.protected for item in self.items)

    @property
    def command_parameters(self) -> tuple[str, ...]:
        return tuple(name for item in self.items for name in _command_names(item) if not item.optional)

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


def _has_value(item: AccessItem) -> bool:
    """True when a command says something with the item's data."""
    if item.protected is not None:
        return item.protected.windowed
    return item.command is not None and not isinstance(item.command, Const)


def _command_names(item: AccessItem) -> tuple[str, ...]:
    """The parameters of a command that belong to `item`."""
    names = (item.name,) if _has_value(item) or (item.optional and item.selection is None) else ()
    return names if item.selection is None else (*names, item.selection_name)


def _matches(item: AccessItem, found: Specification) -> bool:
    return (
        item.choice is found.choice
        and item.index == found.index
        and item.obis == found.obis
        and item.class_id == found.class_id
    )


def _present(payload: DlmsAccess, apdu: AccessRequest, base: int) -> list[AccessItem]:
    """The declared item for each specification found. Raises GbcsDecodeError at the first that differs."""
    present: list[AccessItem] = []
    declared = iter(payload.items)

    def differs(place: int, expected: str, found: str) -> GbcsDecodeError:
        return GbcsDecodeError(
            "not the access list of the use case",
            offset=base + specification_offset(apdu, place),
            path=f"access list[{place}]",
            expected=expected,
            found=found,
            spec=_SPEC,
        )

    for place, specification in enumerate(apdu.specifications):
        for item in declared:
            if _matches(item, specification):
                present.append(item)
                break
            if not item.optional:
                raise differs(place, f"{item} ({item.name})", str(specification))
        else:
            raise differs(place, f"the end, after {len(payload.items)} items at most", str(specification))
    for item in declared:
        if not item.optional:
            raise differs(len(apdu.specifications), f"{item} ({item.name})", "the end of the list")
    return present


def _decode_request(payload: DlmsAccess, apdu: AccessRequest, header: Message) -> Parameters:
    base = content_offset(header)
    parameters: Parameters = {}
    for place, item in enumerate(_present(payload, apdu, base)):
        try:
            _decode_selection(item, apdu.specifications[place], parameters)
        except GbcsDecodeError as error:
            raise placed(error, base + specification_offset(apdu, place)) from None
        try:
            value = _command_value(item, apdu.data[place], header)
        except GbcsDecodeError as error:
            raise placed(error, base + data_offset(apdu, place)) from None
        if item.name in _command_names(item):
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
    if item.protected is not None:
        value = item.protected.decode_command(data, header, item.name)
    elif item.command is not None:
        value = item.command.decode(data, item.name)
    elif isinstance(data, Null):
        value = None
    else:
        raise mismatch(data, item.name, "null-data")
    return value if _has_value(item) else True


def _encode_request(payload: DlmsAccess, header: Message, parameters: Parameters, invoke_id: int) -> bytes:
    _refuse_unknown(parameters, {name for item in payload.items for name in _command_names(item)})
    data: list[Data] = []
    specifications: list[Specification] = []
    for item in payload.items:
        if item.optional and not any(name in parameters for name in _command_names(item)):
            continue
        for name in _command_names(item):
            if name not in parameters:
                raise GbcsEncodeError("missing", path=name)
        value: Value = parameters.get(item.name)
        if item.protected is not None:
            data.append(item.protected.encode_command(value, header, item.name))
        elif item.command is not None:
            data.append(item.command.encode(value, item.name))
        else:
            data.append(axdr.null())
        specifications.append(
            Specification(
                item.choice,
                item.class_id,
                item.obis,
                item.index,
                None if item.selection is None else RANGE_DESCRIPTOR,
                None
                if item.selection is None
                else item.selection.encode(parameters[item.selection_name], item.selection_name),
            )
        )
    return AccessRequest(invoke_id, tuple(specifications), tuple(data)).encode()


def _answer(choice: Choice) -> Choice:
    """The choice that a result repeats: a get with selection is answered as a get. Spec: GBCS 7.3."""
    return {Choice.GET_WITH_SELECTION: Choice.GET, Choice.SET_WITH_SELECTION: Choice.SET}.get(choice, choice)


def _decode_response(
    payload: DlmsAccess, apdu: AccessResponse, header: Message, secret: bytes | None
) -> Parameters:
    base = content_offset(header)
    if apdu.specifications:
        raise GbcsDecodeError(
            "echo of the access list not allowed",
            offset=base + specification_offset(apdu, 0),
            path="access list",
            expected="none",
            found=f"{len(apdu.specifications)} items",
            spec=_SPEC,
        )
    if payload.has_optional_items:
        return _decode_results(payload, apdu, base)
    if len(apdu.results) != len(payload.items):
        raise GbcsDecodeError(
            "not the response of the use case",
            offset=base + result_offset(apdu, 0),
            path="result list",
            expected=f"{len(payload.items)} items",
            found=str(len(apdu.results)),
            spec=_SPEC,
        )
    parameters: Parameters = {}
    failures: dict[str, Value] = {}
    for place, (item, data, result) in enumerate(zip(payload.items, apdu.data, apdu.results, strict=True)):
        if result.choice is not _answer(item.choice):
            raise GbcsDecodeError(
                "not the response of the use case",
                offset=base + result_offset(apdu, place),
                path=f"{item.name}.choice",
                expected=_answer(item.choice).name.lower(),
                found=result.choice.name.lower(),
                spec=_SPEC,
            )
        failed = result.result != DataAccessResult.SUCCESS
        if failed:
            failures[item.name] = result_name(result.result)
        try:
            value = _response_value(item, data, header, secret, failed)
        except GbcsDecodeError as error:
            raise placed(error, base + data_offset(apdu, place)) from None
        if not failed and _answers(item):
            parameters[item.name] = value
    if failures:
        parameters[FAILURES] = failures
    return parameters


def _answers(item: AccessItem) -> bool:
    """True when a success returns data."""
    return item.response is not None or item.protected is not None


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


def _decode_results(payload: DlmsAccess, apdu: AccessResponse, base: int) -> Parameters:
    """A response whose command may have left items out: it says how each ended, not which items they were."""
    if len(apdu.results) > len(payload.items):
        raise GbcsDecodeError(
            "not the response of the use case",
            offset=base + result_offset(apdu, 0),
            path="result list",
            expected=f"at most {len(payload.items)} items",
            found=str(len(apdu.results)),
            spec=_SPEC,
        )
    results: list[Value] = []
    for place, (data, result) in enumerate(zip(apdu.data, apdu.results, strict=True)):
        if not isinstance(data, Null):
            error = mismatch(data, f"{RESULTS}[{place}]", "null-data")
            raise placed(error, base + data_offset(apdu, place))
        results.append({"choice": result.choice.name.lower(), "result": result_name(result.result)})
    return {RESULTS: results}


def _encode_results(payload: DlmsAccess, parameters: Parameters, invoke_id: int) -> bytes:
    _refuse_unknown(parameters, {RESULTS})
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
    names = {item.name for item in payload.items}
    _refuse_unknown(failures, names)
    _refuse_unknown(parameters, {item.name for item in payload.items if _answers(item)} | {FAILURES})
    data: list[Data] = []
    results: list[AccessResult] = []
    for item in payload.items:
        result = result_number(failures[item.name]) if item.name in failures else DataAccessResult.SUCCESS
        if item.name in failures and result == DataAccessResult.SUCCESS:
            raise GbcsEncodeError(
                "not a failure", path=f"{FAILURES}.{item.name}", found="success", spec=_SPEC
            )
        results.append(AccessResult(_answer(item.choice), result))
        if result or not _answers(item):
            data.append(axdr.null())
        elif item.name not in parameters:
            raise GbcsEncodeError("missing", path=item.name)
        elif item.protected is not None:
            data.append(item.protected.encode_response(parameters[item.name], header, secret, item.name))
        elif item.response is not None:
            data.append(item.response.encode(parameters[item.name], item.name))
    return AccessResponse(invoke_id, tuple(data), tuple(results)).encode()


def _refuse_unknown(parameters: dict[str, Value], known: set[str]) -> None:
    for name in parameters:
        if name not in known:
            raise GbcsEncodeError(
                "no such parameter", path=name, expected=", ".join(sorted(known)) or "no parameters"
            )
