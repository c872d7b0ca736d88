"""Content that no use case names: the same octets as JSON, as far down as their encoding tells.

DLMS content becomes its access list with typed values, GBZ content its components, ASN.1 content its
elements. Content that is none of these, or that could not be written again octet for octet, is kept in hex.

Spec: GBCS 7.2.9 (GBZ), 7.3 (DLMS), Annex 3 (ASN.1).
"""

from __future__ import annotations

from smetslab.errors import CodecError, GbcsEncodeError
from smetslab.gbcs.codes import Cra
from smetslab.gbcs.dlms.apdu import is_dlms
from smetslab.gbcs.gbz.components import COMPONENTS
from smetslab.gbcs.gbz.generic import decode_generic, encode_generic
from smetslab.gbcs.gbz.payload import is_gbz
from smetslab.gbcs.generic import der, dlms
from smetslab.gbcs.generic.gbz import alert_from_json, alert_to_json
from smetslab.gbcs.message import Message
from smetslab.gbcs.values import Value, from_hex, to_hex

HEX = "hex"
"""The one member of content of which only the octets can be shown."""


def content_to_generic(message: Message) -> dict[str, Value]:
    """The content of `message` as JSON; `content_from_generic` gives it back octet for octet."""
    content = message.content
    try:
        if is_dlms(content):
            form: dict[str, Value] = {"dlms": dlms.apdu_to_json(content)}
        elif is_gbz(content):
            alert = message.cra is Cra.ALERT
            form = {"gbz": alert_to_json(content) if alert else decode_generic(message)}
        else:
            form = {"asn1": der.elements_to_json(content)}
        if content_from_generic(form, message) == content:
            return form
    except CodecError:
        pass
    return {HEX: to_hex(content)}


def content_from_generic(form: Value, header: Message) -> bytes:
    """The reverse of `content_to_generic`, in a message with `header`'s grouping header.

    Raises GbcsEncodeError.
    """
    if not isinstance(form, dict) or len(form) != 1:
        raise GbcsEncodeError(
            "not a content", path="content", expected="one of dlms, gbz, asn1, hex", found=repr(form)[:60]
        )
    ((kind, value),) = form.items()
    match kind:
        case "dlms":
            return dlms.apdu_from_json(value)
        case "gbz":
            given = value if isinstance(value, dict) else {}
            return encode_generic(header, given, None) if COMPONENTS in given else alert_from_json(given)
        case "asn1":
            return der.elements_from_json(value)
        case "hex":
            return from_hex(value, "content.hex")
    raise GbcsEncodeError(
        "unknown kind of content", path="content", expected="dlms, gbz, asn1 or hex", found=kind
    )
