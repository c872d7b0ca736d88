"""The GBCS messages inside a DUIS document of any kind, whole or damaged.

Reads no more of a document than where the messages stand: of a document that is not well-formed XML too.

Spec: DUIS schema 5.4 (GBCSPayload).
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass

from smetslab.duis.element import Element, parse_document
from smetslab.errors import DuisError

GBCS_PAYLOAD = "GBCSPayload"

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_LOOSE = re.compile(rb"<(?:\w+:)?GBCSPayload[^>]*>([^<]*)")
_UNUSABLE = re.compile(r"[^A-Za-z0-9+/]")


@dataclass(frozen=True, slots=True)
class GbcsPayload:
    """A message of a document: where it stands, its octets, and what is wrong with its base64."""

    path: str
    octets: bytes
    fault: str = ""


@dataclass(frozen=True, slots=True)
class PayloadsFound:
    """The messages of a document, and why it is no well-formed one."""

    payloads: tuple[GbcsPayload, ...]
    fault: DuisError | None = None


def is_xml(given: bytes) -> bool:
    """True when `given` starts as XML does."""
    return given.removeprefix(_BYTE_ORDER_MARK).lstrip()[:1] == b"<"


def find_payloads(document: bytes, *, limit: int) -> PayloadsFound:
    """Every GBCSPayload of a document, in order."""
    try:
        root = parse_document(document.removeprefix(_BYTE_ORDER_MARK).lstrip(), limit=limit)
    except DuisError as error:
        loose = [
            _payload(GBCS_PAYLOAD, match.decode("latin-1")) for match in _LOOSE.findall(document[:limit])
        ]
        return PayloadsFound(tuple(loose), error)
    return PayloadsFound(tuple(_below(root, root.name)))


def _below(element: Element, path: str) -> Iterator[GbcsPayload]:
    if element.name == GBCS_PAYLOAD:
        yield _payload(path, element.text)
    for child in element.children:
        yield from _below(child, f"{path}/{child.name}")


def _payload(path: str, text: str) -> GbcsPayload:
    flat = "".join(text.split())
    try:
        return GbcsPayload(path, b64decode(flat, validate=True))
    except (binascii.Error, ValueError):
        usable = _UNUSABLE.sub("", flat)
        usable = usable[: len(usable) // 4 * 4]
        return GbcsPayload(path, b64decode(usable), _fault(flat))


def _fault(flat: str) -> str:
    """What is wrong with a base64 text."""
    body = flat.rstrip("=")
    odd = _UNUSABLE.search(body)
    if odd is not None:
        return f"{odd.group()!r} at character {odd.start() + 1} is no base64 character"
    if not flat:
        return "empty"
    return f"{len(flat)} characters are no whole base64 text, whose length is a multiple of 4"
