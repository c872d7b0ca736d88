"""The APDU that is the content of a message, checked against the grouping header. Spec: GBCS 7.3."""

from __future__ import annotations

from smetslab.errors import GbcsDecodeError
from smetslab.gbcs.dlms.apdu import Apdu, decode_apdu, long_invoke_id
from smetslab.gbcs.message import Message, content_offset

_SPEC = "GBCS 7.3"


def apdu_of(message: Message) -> Apdu:
    """The APDU of the content, which must repeat the originator counter and carry no date-time."""
    try:
        apdu = decode_apdu(message.content)
    except GbcsDecodeError as error:
        raise error.moved(content_offset(message)) from None
    if apdu.long_invoke_id != long_invoke_id(message.originator_counter):
        raise GbcsDecodeError(
            "does not repeat the originator counter",
            offset=content_offset(message) + 1,
            path="APDU.long-invoke-id-and-priority",
            expected=f"{long_invoke_id(message.originator_counter):08X}",
            found=f"{apdu.long_invoke_id:08X}",
            spec=_SPEC,
        )
    if apdu.date_time:
        raise GbcsDecodeError(
            "date-time not allowed",
            offset=content_offset(message) + 5,
            path="APDU.date-time",
            expected="none",
            found=apdu.date_time.hex().upper(),
            spec=_SPEC,
        )
    return apdu


def wrong_apdu(message: Message, expected: str) -> GbcsDecodeError:
    return GbcsDecodeError(
        "wrong kind of content",
        offset=content_offset(message),
        path="APDU.tag",
        expected=expected,
        found=message.content[:1].hex().upper(),
        spec=_SPEC,
    )


def placed(error: GbcsDecodeError, offset: int) -> GbcsDecodeError:
    """`error` with the place of the data item that it is about: shapes know values, not octets."""
    return GbcsDecodeError(
        error.what,
        offset=offset if error.offset is None else error.offset,
        path=error.path,
        expected=error.expected,
        found=error.found,
        spec=error.spec or _SPEC,
    )
