"""DLMS content of use cases: access lists and alerts, declared as data, with their one engine.

Spec: GBCS 7.3 (DLMS content), 9.2 (future dating), 16 (alerts).
"""

from __future__ import annotations

from dataclasses import dataclass

from smetslab.errors import GbcsDecodeError, GbcsEncodeError
from smetslab.gbcs.codes import Cra
from smetslab.gbcs.dlms import axdr
from smetslab.gbcs.dlms.apdu import (
    AccessRequest,
    AccessResponse,
    AccessResult,
    Apdu,
    Choice,
    DataAccessResult,
    DataNotification,
    Obis,
    Specification,
    decode_apdu,
    is_dlms,
    long_invoke_id,
)
from smetslab.gbcs.dlms.axdr import Data, Null
from smetslab.gbcs.dlms.protection import (
    DATA_PROTECTION_CLASS,
    GET_PROTECTED_ATTRIBUTES,
    ProtectedObject,
    ProtectedRead,
)
from smetslab.gbcs.dlms.shapes import DATE_TIME, Const, Shape, Struct, mismatch
from smetslab.gbcs.message import Message
from smetslab.gbcs.usecases.model import FAILURES
from smetslab.gbcs.values import Parameters, Value


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessItem:
    """One item of an access list.

    `name` is what its value is called and how its failure is reported. `command` is the shape of the data
    sent with it (None for null-data), `response` of the data that a success returns (None for null-data).
    `activation` marks the date-time that triggers a future-dated item.
    """

    choice: Choice
    class_id: int
    obis: Obis
    index: int
    name: str
    command: Shape | None = None
    response: Shape | None = None
    protected: ProtectedRead | None = None
    activation: bool = False

    def __str__(self) -> str:
        kind = "method" if self.choice is Choice.ACTION else "attribute"
        return f"{self.choice.name.lower()} class {self.class_id} {self.obis} {kind} {self.index}"


@dataclass(frozen=True, slots=True)
class DlmsAccess:
    """Content that is an access-request and its access-response."""

    items: tuple[AccessItem, ...]

    is_alert = False

    @property
    def encrypts_response(self) -> bool:
        return any(item.protected for item in self.items)

    @property
    def command_parameters(self) -> tuple[str, ...]:
        return tuple(item.name for item in self.items if _named_in_command(item))

    @property
    def activations(self) -> tuple[str, ...]:
        return tuple(item.name for item in self.items if item.activation)

    def recognises(self, content: bytes) -> bool:
        return is_dlms(content)

    def decode(self, message: Message, secret: bytes | None) -> Parameters:
        apdu = _apdu_of(message)
        if message.cra is Cra.COMMAND:
            if not isinstance(apdu, AccessRequest):
                raise _wrong_apdu("access-request")
            return _decode_request(self, apdu, message)
        if not isinstance(apdu, AccessResponse):
            raise _wrong_apdu("access-response")
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
        del secret
        apdu = _apdu_of(message)
        if not isinstance(apdu, DataNotification):
            raise _wrong_apdu("data-notification")
        value = self.body.decode(apdu.body, "alert")
        return value if isinstance(value, dict) else {}

    def encode(self, header: Message, parameters: Parameters, secret: bytes | None) -> bytes:
        del secret
        body = self.body.encode(parameters, "alert")
        return DataNotification(long_invoke_id(header.originator_counter), body).encode()


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
        name=name,
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


def _apdu_of(message: Message) -> Apdu:
    """The APDU of the content, which must repeat the originator counter and carry no date-time."""
    apdu = decode_apdu(message.content)
    if apdu.long_invoke_id != long_invoke_id(message.originator_counter):
        raise GbcsDecodeError(
            "does not repeat the originator counter",
            path="APDU.long-invoke-id-and-priority",
            expected=f"{long_invoke_id(message.originator_counter):08X}",
            found=f"{apdu.long_invoke_id:08X}",
            spec="GBCS 7.3",
        )
    if apdu.date_time:
        raise GbcsDecodeError(
            "date-time not allowed", path="APDU.date-time", expected="none", spec="GBCS 7.3"
        )
    return apdu


def _wrong_apdu(expected: str) -> GbcsDecodeError:
    return GbcsDecodeError("wrong kind of content", offset=0, path="content", expected=expected)


def _named_in_command(item: AccessItem) -> bool:
    if item.protected is not None:
        return item.protected.windowed
    return item.command is not None and not isinstance(item.command, Const)


def _check_specifications(payload: DlmsAccess, found: tuple[Specification, ...]) -> None:
    for place, (item, specification) in enumerate(zip(payload.items, found, strict=False)):
        same = (item.choice, item.class_id, item.obis, item.index) == (
            specification.choice,
            specification.class_id,
            specification.obis,
            specification.index,
        )
        if not same:
            raise GbcsDecodeError(
                "not the access list of the use case",
                path=f"access list[{place}] ({item.name})",
                expected=str(item),
                found=str(specification),
            )
    if len(payload.items) != len(found):
        raise GbcsDecodeError(
            "not the access list of the use case",
            path="access list",
            expected=f"{len(payload.items)} items",
            found=str(len(found)),
        )


def _decode_request(payload: DlmsAccess, apdu: AccessRequest, header: Message) -> Parameters:
    _check_specifications(payload, apdu.specifications)
    parameters: Parameters = {}
    for item, data in zip(payload.items, apdu.data, strict=True):
        if item.protected is not None:
            value = item.protected.decode_command(data, header, item.name)
        elif item.command is not None:
            value = item.command.decode(data, item.name)
        elif isinstance(data, Null):
            continue
        else:
            raise mismatch(data, item.name, "null-data")
        if _named_in_command(item):
            parameters[item.name] = value
    return parameters


def _encode_request(payload: DlmsAccess, header: Message, parameters: Parameters, invoke_id: int) -> bytes:
    known = {item.name for item in payload.items if _named_in_command(item)}
    _refuse_unknown(parameters, known)
    data: list[Data] = []
    for item in payload.items:
        if item.name in known and item.name not in parameters:
            raise GbcsEncodeError("missing", path=item.name)
        value: Value = parameters.get(item.name)
        if item.protected is not None:
            data.append(item.protected.encode_command(value, header, item.name))
        elif item.command is not None:
            data.append(item.command.encode(value, item.name))
        else:
            data.append(axdr.null())
    specifications = tuple(Specification(i.choice, i.class_id, i.obis, i.index) for i in payload.items)
    return AccessRequest(invoke_id, specifications, tuple(data)).encode()


def _answer(choice: Choice) -> Choice:
    """The choice that a result repeats: a get with selection is answered as a get. Spec: GBCS 7.3."""
    return {Choice.GET_WITH_SELECTION: Choice.GET, Choice.SET_WITH_SELECTION: Choice.SET}.get(choice, choice)


def _decode_response(
    payload: DlmsAccess, apdu: AccessResponse, header: Message, secret: bytes | None
) -> Parameters:
    if apdu.specifications:
        raise GbcsDecodeError(
            "echo of the access list not allowed", path="access list", expected="none", spec="GBCS 7.3"
        )
    if len(apdu.results) != len(payload.items):
        raise GbcsDecodeError(
            "not the response of the use case",
            path="result list",
            expected=f"{len(payload.items)} items",
            found=str(len(apdu.results)),
        )
    parameters: Parameters = {}
    failures: dict[str, Value] = {}
    for item, data, result in zip(payload.items, apdu.data, apdu.results, strict=True):
        if result.choice is not _answer(item.choice):
            raise GbcsDecodeError(
                "not the response of the use case",
                path=f"{item.name}.choice",
                expected=_answer(item.choice).name.lower(),
                found=result.choice.name.lower(),
            )
        if result.result:
            failures[item.name] = result_name(result.result)
        if result.result or (item.response is None and item.protected is None):
            if not isinstance(data, Null):
                raise mismatch(data, item.name, "null-data")
        elif item.protected is not None:
            parameters[item.name] = item.protected.decode_response(data, header, secret, item.name)
        elif item.response is not None:
            parameters[item.name] = item.response.decode(data, item.name)
    if failures:
        parameters[FAILURES] = failures
    return parameters


def _encode_response(
    payload: DlmsAccess, header: Message, parameters: Parameters, secret: bytes | None, invoke_id: int
) -> bytes:
    given = parameters.get(FAILURES, {})
    failures = given if isinstance(given, dict) else {}
    names = {item.name for item in payload.items}
    _refuse_unknown(failures, names)
    _refuse_unknown(parameters, {i.name for i in payload.items if i.response or i.protected} | {FAILURES})
    data: list[Data] = []
    results: list[AccessResult] = []
    for item in payload.items:
        failed = item.name in failures
        results.append(
            AccessResult(_answer(item.choice), result_number(failures[item.name]) if failed else 0)
        )
        if failed or (item.response is None and item.protected is None):
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


def result_name(result: int) -> str | int:
    """`hardware-fault` for 1; the number itself where the standard has no name."""
    try:
        return DataAccessResult(result).name.lower().replace("_", "-")
    except ValueError:
        return result


def result_number(name: Value) -> int:
    """The reverse of `result_name`. Raises GbcsEncodeError."""
    if isinstance(name, int) and not isinstance(name, bool) and 0 < name <= 0xFF:
        return name
    for member in DataAccessResult:
        if member.name.lower().replace("_", "-") == name:
            return int(member)
    raise GbcsEncodeError("unknown result", path=FAILURES, found=repr(name))
