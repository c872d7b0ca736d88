"""Checks of the content: is it of the use case's shape, and if not, where does it differ and whose is it?

Spec: GBCS 7.2.9, 7.3, Annex 3, 20.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from smetslab.errors import CodecError, GbcsDecodeError, SecurityError
from smetslab.gbcs.codes import Cra
from smetslab.gbcs.describe import content_kind
from smetslab.gbcs.dlms.apdu import AccessRequest, Specification, decode_apdu, is_dlms, long_invoke_id
from smetslab.gbcs.generic import content_to_generic
from smetslab.gbcs.keys import KeyLookup, opening_secret, sealed_parts
from smetslab.gbcs.message import Message, content_offset
from smetslab.gbcs.triage.findings import Check, Finding, failed, passed, unknown
from smetslab.gbcs.usecases import USE_CASES, UseCase, by_code, decode_content, find
from smetslab.gbcs.usecases.dlms import AccessItem, DlmsAccess
from smetslab.gbcs.values import Parameters, to_hex
from smetslab.ids import format_message_code

NOT_THE_LIST = "not the access list of the use case"
"""What the engine of access lists says of one that can be read."""
_INVOKE_ID = "APDU.long-invoke-id-and-priority"
_MOST_SUGGESTIONS = 4
_SPEC = "GBCS 20"


@dataclass(slots=True)
class Content:
    """What became of the content: its parameters where it is of the use case's shape."""

    use_case: UseCase | None
    findings: list[Finding]
    parameters: Parameters | None = None
    secret: bytes | None = None


def read_content(message: Message, start: int, keys: KeyLookup) -> Content:
    """Everything about the content of `message`, which begins at `start` in the octets of the message."""
    use_case = find(message)
    result = Content(use_case or by_code(message.message_code), [])
    shift = start - content_offset(message)
    if use_case is None:
        result.findings += _undeclared(message, start)
        return result
    result.findings += _sealed(message, keys, result)
    message, counter = _counted(message, start)
    result.findings += counter
    try:
        result.parameters = decode_content(use_case, message, result.secret)
    except SecurityError:  # reported with the other protected parts already
        result.parameters = _without_key(use_case, message)
    except GbcsDecodeError as error:
        result.findings += _differs(use_case, message, error, shift)
        return result
    result.findings.append(
        passed(Check.STRUCTURE, f"{content_kind(message.content)} content of {use_case.name}")
    )
    return result


def _without_key(use_case: UseCase, message: Message) -> Parameters | None:
    try:
        return decode_content(use_case, message)
    except CodecError:
        return None


def _sealed(message: Message, keys: KeyLookup, result: Content) -> Iterator[Finding]:
    """The protected parts of the content; keeps the secret that opens them."""
    try:
        sealed = sealed_parts(message)
        if not sealed:
            return
        result.secret = opening_secret(message, keys)
    except GbcsDecodeError:  # the content cannot be followed: that is told with its structure
        return
    except SecurityError as error:
        yield failed(Check.SEALED, f"the protected content does not open: {error}", field="content")
        return
    if result.secret is None:
        yield unknown(
            Check.SEALED,
            f"{sum(map(len, sealed))} octets of the content are encrypted, and no key for them is at hand: "
            "what they say cannot be told, nor which of them is wrong if one is",
        )
    else:
        yield passed(Check.SEALED, "the protected content opens and is what its tag says")


def _counted(message: Message, start: int) -> tuple[Message, list[Finding]]:
    """Does DLMS content repeat the originator counter? `message` with what it should say, to go on."""
    content = message.content
    if not is_dlms(content) or len(content) < 5:
        return message, []
    wanted = long_invoke_id(message.originator_counter).to_bytes(4, "big")
    found = content[1:5]
    if found == wanted:
        text = f"the content repeats the counter: {message.originator_counter & 0xFFFFFF}"
        return message, [passed(Check.COUNTER, text)]
    differs = next(n for n in range(4) if found[n] != wanted[n])
    if found[1:] == wanted[1:]:
        text = "the first octet of long-invoke-id-and-priority is not that of GBCS: break on error"
    else:
        text = (
            f"the content says counter {int.from_bytes(found[1:], 'big')}, the header "
            f"{message.originator_counter} (its low three octets are {message.originator_counter & 0xFFFFFF})"
            ": one of the two is wrong"
        )
    finding = failed(
        Check.COUNTER,
        text,
        offset=start + 1 + differs,
        field=f"content.{_INVOKE_ID}",
        expected=wanted.hex().upper(),
        found=found.hex().upper(),
        spec="GBCS 7.3",
    )
    return replace(message, content=content[:1] + wanted + content[5:]), [finding]


# -- content of another shape --------------------------------------------------------------------------------


def _undeclared(message: Message, start: int) -> Iterator[Finding]:
    """A Message Code that no use case has, or one whose use case has no such message."""
    code = format_message_code(message.message_code)
    named = by_code(message.message_code)
    others = _suggestions(message, named)
    if named is None:
        text = f"no use case has Message Code {code}{others}"
        field, offset = "grouping header.other information.message code", None
    else:
        kind = "an alert" if named.is_alert else "a command and a response"
        text = f"{named.name} is {kind}, and this is {message.cra.name.lower()}{others}"
        field, offset = "grouping header.CRA flag", None
        if named.is_alert and message.cra is Cra.ALERT:
            text = f"content of {named.name} is not {content_kind(message.content)}{others}"
            field, offset = "content", start
    yield failed(Check.STRUCTURE, text, offset=offset, field=field, found=code, spec=_SPEC)
    if "hex" in content_to_generic(message):
        yield failed(
            Check.STRUCTURE,
            f"the content begins like {content_kind(message.content)}, but cannot be followed",
            offset=start,
            field="content",
        )


def _differs(use_case: UseCase, message: Message, error: GbcsDecodeError, shift: int) -> Iterator[Finding]:
    """The content is not of the use case's shape."""
    offset = None if error.offset is None else error.offset + shift
    expected, found = error.expected, error.found
    text = error.what
    if error.what == NOT_THE_LIST:
        text, offset = _access_list(use_case, message, text, offset)
    others = _suggestions(message, use_case)
    yield failed(
        Check.STRUCTURE,
        f"{text}{others}",
        offset=offset,
        field=f"content.{error.path}" if error.path else "content",
        expected=expected,
        found=found,
        spec=error.spec,
    )


def _access_list(
    use_case: UseCase, message: Message, text: str, offset: int | None
) -> tuple[str, int | None]:
    """What is the matter with an access list, and where exactly its first wrong item differs."""
    payload = use_case.payload
    apdu = decode_apdu(message.content)
    if not isinstance(payload, DlmsAccess) or not isinstance(apdu, AccessRequest):
        return text, offset
    wanted = [_octets_of(item) for item in payload.items]
    found = [_octets_of(item) for item in apdu.specifications]
    missing = [item.name for item, octets in zip(payload.items, wanted, strict=True) if octets not in found]
    place = next((n for n, (a, b) in enumerate(zip(found, wanted, strict=False)) if a != b), len(found))
    if sorted(found) == sorted(wanted):
        return f"the items of {use_case.name} stand in another order", offset
    if len(found) == len(wanted) and place < len(found) and found[place + 1 :] == wanted[place + 1 :]:
        differs = next(n for n in range(len(found[place])) if found[place][n] != wanted[place][n])
        part = (
            "choice"
            if differs == 0
            else "class"
            if differs < 3
            else "logical name"
            if differs < 9
            else "index"
        )
        at = None if offset is None else offset + differs
        return f"the {part} of item {payload.items[place].name} is another one", at
    if len(found) < len(wanted) and missing:
        return f"items of {use_case.name} are missing: {', '.join(missing[:5])}", offset
    if len(found) > len(wanted):
        return f"more items than {use_case.name} has", offset
    return text, offset


def _octets_of(item: AccessItem | Specification) -> bytes:
    return bytes((item.choice,)) + item.class_id.to_bytes(2, "big") + item.obis.raw + bytes((item.index,))


def _suggestions(message: Message, use_case: UseCase | None) -> str:
    """Which other message this content would be, in words; nothing where none or too many may be meant."""
    if use_case is not None and not use_case.is_alert:
        for cra in (Cra.COMMAND, Cra.RESPONSE):
            if cra is not message.cra and _is_shape(use_case, replace(message, cra=cra)):
                kind = cra.name.lower()
                return f"; the content is that of a {kind} of {use_case.name}: the CRA flag may be wrong"
    fitting = [row.name for row in USE_CASES.values() if row is not use_case and _is_shape(row, message)]
    if not 1 <= len(fitting) <= _MOST_SUGGESTIONS:
        return ""
    return f"; the content would be that of {' or '.join(fitting)}: the Message Code may be wrong"


def _is_shape(use_case: UseCase, message: Message) -> bool:
    if use_case.is_alert != (message.cra is Cra.ALERT) or not use_case.payload.recognises(message.content):
        return False
    try:
        parameters = decode_content(use_case, message)
    except (CodecError, SecurityError):
        return False
    return to_hex(message.content) not in parameters.values()  # octets that may be anything are no shape
