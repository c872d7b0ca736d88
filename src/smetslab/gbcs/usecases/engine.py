"""One engine for all use cases: content to named parameters and back, checked against the declaration.

Parameters are JSON-able (`smetslab.gbcs.values`). A response has, besides its values, `failures` with the result
of each item that did not succeed; an alert has `alert_code`, `time_stamp` and its own members.
"""

from __future__ import annotations

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
    Specification,
    decode_apdu,
    long_invoke_id,
)
from smetslab.gbcs.dlms.axdr import Data, Null
from smetslab.gbcs.dlms.shapes import Const, mismatch
from smetslab.gbcs.message import Message
from smetslab.gbcs.usecases.model import AccessItem, DlmsAccess, DlmsAlert, UseCase
from smetslab.gbcs.values import Parameters, Value

FAILURES = "failures"


def decode_content(use_case: UseCase, message: Message, secret: bytes | None = None) -> Parameters:
    """The named parameters of `message`'s content.

    `secret` is the shared secret for protected content; without it that content stays sealed.
    Raises GbcsDecodeError when the content is not the use case's shape, naming the first item that differs, and
    SecurityError when protected content does not open.
    """
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
        raise GbcsDecodeError("date-time not allowed", path="APDU.date-time", expected="none", spec="GBCS 7.3")
    payload = use_case.payload
    if isinstance(payload, DlmsAlert):
        if not isinstance(apdu, DataNotification):
            raise _wrong_apdu(use_case, "data-notification")
        value = payload.body.decode(apdu.body, "alert")
        return value if isinstance(value, dict) else {}
    if message.cra is Cra.COMMAND:
        if not isinstance(apdu, AccessRequest):
            raise _wrong_apdu(use_case, "access-request")
        return _decode_request(payload, apdu, message)
    if not isinstance(apdu, AccessResponse) or message.cra is not Cra.RESPONSE:
        raise _wrong_apdu(use_case, "access-response")
    return _decode_response(payload, apdu, message, secret)


def encode_content(
    use_case: UseCase, header: Message, parameters: Parameters, secret: bytes | None = None
) -> bytes:
    """The content for `parameters` in a message with `header`'s grouping header (its content is ignored).

    Raises GbcsEncodeError when a parameter is missing, unknown or does not fit.
    """
    payload = use_case.payload
    invoke_id = long_invoke_id(header.originator_counter)
    if isinstance(payload, DlmsAlert):
        return DataNotification(invoke_id, payload.body.encode(parameters, "alert")).encode()
    if header.cra is Cra.COMMAND:
        return _encode_request(payload, header, parameters, invoke_id)
    return _encode_response(payload, header, parameters, secret, invoke_id)


def activation_of(use_case: UseCase, parameters: Parameters) -> str | None:
    """The one date-time that all activations of a decoded command name, None when the use case has none.

    Raises GbcsDecodeError when they differ. Spec: GBCS 9.2 (all dates of one command are equal).
    """
    if not isinstance(use_case.payload, DlmsAccess):
        return None
    names = [item.name for item in use_case.payload.items if item.activation]
    times = {str(parameters[name]) for name in names}
    if len(times) > 1:
        raise GbcsDecodeError(
            "activation times differ", path=", ".join(names), expected="one time", found=", ".join(sorted(times)), spec="GBCS 9.2"
        )
    return times.pop() if times else None


def command_parameter_names(use_case: UseCase) -> tuple[str, ...]:
    """The parameters that a command of `use_case` needs."""
    if not isinstance(use_case.payload, DlmsAccess):
        return ()
    return tuple(item.name for item in use_case.payload.items if _named_in_command(item))


def _wrong_apdu(use_case: UseCase, expected: str) -> GbcsDecodeError:
    return GbcsDecodeError("wrong kind of content", offset=0, path=f"content of {use_case.name}", expected=expected)


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


def _decode_response(payload: DlmsAccess, apdu: AccessResponse, header: Message, secret: bytes | None) -> Parameters:
    if apdu.specifications:
        raise GbcsDecodeError("echo of the access list not allowed", path="access list", expected="none", spec="GBCS 7.3")
    if len(apdu.results) != len(payload.items):
        raise GbcsDecodeError(
            "not the response of the use case", path="result list", expected=f"{len(payload.items)} items", found=str(len(apdu.results))
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
        results.append(AccessResult(_answer(item.choice), result_number(failures[item.name]) if failed else 0))
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
            raise GbcsEncodeError("no such parameter", path=name, expected=", ".join(sorted(known)) or "no parameters")


def result_name(result: int) -> str | int:
    """`hardware-fault` for 1; the number itself where the standard has no name."""
    try:
        return DataAccessResult(result).name.lower().replace("_", "-")
    except ValueError:
        return result


def result_number(name: Value) -> int:
    """The reverse of `result_name`. Raises GbcsEncodeError."""
    if isinstance(name, int) and not isinstance(name, bool) and 0 < name <= 0xFF:  # noqa: PLR2004
        return name
    for member in DataAccessResult:
        if member.name.lower().replace("_", "-") == name:
            return int(member)
    raise GbcsEncodeError("unknown result", path=FAILURES, found=repr(name))
