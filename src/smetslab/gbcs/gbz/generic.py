"""GBZ content without a use case: every component by the names of its cluster, as far as they are declared.

Spec: GBCS 7.2.9
"""

from __future__ import annotations

from smetslab.errors import GbcsEncodeError
from smetslab.gbcs.gbz.components import COMPONENTS, decode_named, encode_named, generic_plan
from smetslab.gbcs.gbz.payload import decode_components, encode_components
from smetslab.gbcs.message import Message, content_offset
from smetslab.gbcs.values import Parameters


def decode_generic(message: Message, secret: bytes | None = None) -> Parameters:
    """The components of a command or response. Raises GbcsDecodeError, SecurityError."""
    placed = decode_components(message.content, base=content_offset(message))
    return {COMPONENTS: decode_named(placed, generic_plan, message, secret)}


def encode_generic(header: Message, parameters: Parameters, secret: bytes | None = None) -> bytes:
    """The content for what `decode_generic` gives. Raises GbcsEncodeError."""
    if set(parameters) != {COMPONENTS}:
        raise GbcsEncodeError("not components", path=COMPONENTS, found=", ".join(parameters))
    return encode_components(encode_named(parameters[COMPONENTS], generic_plan, header, secret))
