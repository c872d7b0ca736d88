"""Mutations that keep what a decoder checks first, so that they reach what it does after that.

Framing is taken off, something inside is changed, and framing is put back with the right lengths. What
cannot be taken apart is changed octet by octet. `raw` is that last kind of change: libFuzzer's, or `plain`.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from fuzzing.null_cipher import TAG
from fuzzing.samples import any_leaf
from smetslab.duis.element import Element, parse_document, write_document
from smetslab.errors import CodecError, DuisError, GbcsDecodeError
from smetslab.gbcs.codes import Cra
from smetslab.gbcs.dlms import axdr
from smetslab.gbcs.dlms.apdu import (
    AccessRequest,
    AccessResponse,
    AccessResult,
    Apdu,
    Choice,
    DataNotification,
    Specification,
    decode_apdu,
    is_dlms,
)
from smetslab.gbcs.dlms.axdr import (
    BitString,
    Boolean,
    CompactArray,
    Data,
    Null,
    Number,
    Octets,
    Sequence,
    Tag,
)
from smetslab.gbcs.gbz import payload as gbz
from smetslab.gbcs.generic import der
from smetslab.gbcs.message import Message, OtherInformation, decode_message, encode_message
from smetslab.gbcs.security import ENCRYPTED_HEADER
from smetslab.gbcs.usecases import USE_CASES
from smetslab.gbcs.values import Value, from_hex, to_hex
from smetslab.ids import Eui64
from smetslab.zigbee.zcl import CLUSTERS, decode_frame

Raw: TypeAlias = Callable[[bytes], bytes]
Mutator: TypeAlias = Callable[[bytes, random.Random, Raw], bytes]

LENGTHS = (0, 1, 0x7F, 0x80, 0x81, 0x82, 0x84, 0xFE, 0xFF)
CODES = sorted({row.code for row in USE_CASES.values()})


def plain(rng: random.Random) -> Raw:
    """One to three faults of the kinds that broken senders and attackers make."""

    def mutate(octets: bytes) -> bytes:
        data = bytearray(octets)
        for _ in range(rng.randint(1, 3)):
            place = rng.randrange(len(data) + 1)
            kind = rng.randrange(7)
            if kind == 0:
                del data[place:]
            elif kind == 1:
                data[place:place] = rng.randbytes(rng.randint(1, 4))
            elif kind == 2:
                del data[place : place + rng.randint(1, 4)]
            elif kind == 3:
                data += rng.randbytes(rng.randint(1, 20))
            elif place < len(data):
                change = (data[place] ^ 1 << rng.randrange(8), rng.choice(LENGTHS), data[place] + 1 & 0xFF)
                data[place] = change[kind - 4]
        return bytes(data)

    return mutate


# -- messages ------------------------------------------------------------------------------------------------


def message(octets: bytes, rng: random.Random, raw: Raw) -> bytes:
    """A message: mostly its content, sometimes its header or its octets."""
    try:
        whole = decode_message(octets)
    except GbcsDecodeError:
        return raw(octets)
    kind = rng.randrange(12)
    if kind == 0:
        return raw(octets)
    if kind == 1:
        whole = _other_header(whole, rng, raw)
    else:
        whole = replace(whole, content=content(whole.content, rng, raw, alert=whole.cra is Cra.ALERT))
    return encode_message(whole)


def _other_header(whole: Message, rng: random.Random, raw: Raw) -> Message:  # noqa: PLR0911 - one for each variant
    extra = whole.other_information
    match rng.randrange(7):
        case 0:
            return replace(whole, other_information=replace(extra, message_code=rng.choice(CODES)))
        case 1:
            return replace(whole, cra=rng.choice(list(Cra)))
        case 2:
            date_time = None if whole.date_time else (raw(bytes(12)) + bytes(12))[:12]
            return replace(whole, date_time=date_time)
        case 3:
            return replace(whole, originator_counter=rng.choice((0, 1000, (1 << 64) - 1)))
        case 4:
            return replace(
                whole,
                signature=rng.choice((None, b"", bytes(64))),
                message_mac=None,
            )
        case 5:
            return replace(whole, signature=rng.choice((b"", bytes(64))), message_mac=bytes(12))
    party = Eui64(b"\x33" * 8)
    counter, own = rng.choice(((None, None), (7, None), (7, 9)))
    certificate = (
        raw(bytes(20)) + bytes(9) if counter is not None and own is None and rng.random() < 0.5 else None
    )
    return replace(
        whole,
        other_information=OtherInformation(
            message_code=extra.message_code,
            supplementary_remote_party_id=party,
            supplementary_remote_party_counter=counter,
            supplementary_originator_counter=own,
            key_agreement_certificate=certificate,
        ),
    )


def content(octets: bytes, rng: random.Random, raw: Raw, *, alert: bool) -> bytes:
    """The content of a message, of whatever kind it is."""
    if rng.random() < 0.2:
        return raw(octets)
    if is_dlms(octets):
        return dlms(octets, rng, raw)
    if gbz.is_gbz(octets):
        return _gbz_alert(octets, rng, raw) if alert else components(octets, rng, raw)
    return elements(octets, rng, raw)


# -- DLMS ----------------------------------------------------------------------------------------------------


def dlms(octets: bytes, rng: random.Random, raw: Raw) -> bytes:
    """An APDU, or one Data value."""
    try:
        if not is_dlms(octets):
            return axdr.encode_data(data(axdr.decode_data(octets), rng, raw))
        return _apdu(decode_apdu(octets), rng, raw).encode()
    except CodecError:
        return raw(octets)


def _apdu(apdu: Apdu, rng: random.Random, raw: Raw) -> Apdu:
    if isinstance(apdu, DataNotification):
        return replace(apdu, body=data(apdu.body, rng, raw))
    items = list(apdu.data)
    if not items:
        return apdu
    place = rng.randrange(len(items))
    if rng.random() < 0.7:
        items[place] = data(items[place], rng, raw)
        return replace(apdu, data=tuple(items))
    if isinstance(apdu, AccessRequest):
        specifications = list(apdu.specifications)
        _change_list(rng, [items, specifications], place)
        if specifications and rng.random() < 0.3:
            chosen = rng.randrange(len(specifications))
            specifications[chosen] = _specification(specifications[chosen], rng)
        return replace(apdu, data=tuple(items), specifications=tuple(specifications))
    results = list(apdu.results)
    if rng.random() < 0.5:
        items[place] = axdr.null()
        results[place] = AccessResult(results[place].choice, rng.choice((1, 4, 77, 250)))
    else:
        _change_list(rng, [items, results], place)
    return AccessResponse(
        apdu.long_invoke_id, tuple(items), tuple(results), apdu.specifications, apdu.date_time
    )


def _specification(item: Specification, rng: random.Random) -> Specification:
    choice = rng.choice(list(Choice))
    if choice in {Choice.GET_WITH_SELECTION, Choice.SET_WITH_SELECTION}:
        return replace(
            item, choice=choice, selector=rng.choice((1, 2)), parameters=item.parameters or any_leaf(rng)
        )
    return replace(item, choice=choice, index=rng.choice((item.index, item.index ^ 1)))


def _change_list(rng: random.Random, lists: list[list], place: int) -> None:
    """Take away, double or move the entry at `place` of lists of the same length."""
    kind = rng.randrange(3)
    for entries in lists:
        entry = entries.pop(place)
        if kind:
            entries.insert(0, entry)
        if kind == 2:
            entries.insert(place, entry)


def data(value: Data, rng: random.Random, raw: Raw) -> Data:  # noqa: PLR0911 - one for each type
    """One Data value, changed in one place."""
    if isinstance(value, Sequence) and value.items and rng.random() < 0.85:
        items = list(value.items)
        place = rng.randrange(len(items))
        if rng.random() < 0.8:
            items[place] = data(items[place], rng, raw)
        else:
            _change_list(rng, [items], place)
        return Sequence(value.tag, tuple(items))
    if isinstance(value, CompactArray):
        return _compact_array(value, rng, raw)
    match value:
        case Octets() if value.tag in axdr.STRING_TAGS:
            return Octets(value.tag, _octets(value.value, rng, raw))
        case Number():
            size, signed = axdr.NUMBER_FORMS[value.tag]
            number = int.from_bytes((raw(bytes(size)) + bytes(size))[:size], "big", signed=signed)
            low = -(1 << 8 * size - 1) if signed else 0
            return Number(value.tag, rng.choice((number, low, low + (1 << 8 * size) - 1)))
        case Boolean():
            return Boolean(rng.choice((0, 1, 0x7F, 0xFF)))
        case BitString():
            length = rng.choice((value.length, 0, 1, 9, 32, 33, 255, 256))
            octets = bytearray((raw(value.raw) + bytes(33))[: (length + 7) // 8])
            octets += bytes((length + 7) // 8 - len(octets))
            if length % 8:
                octets[-1] &= 0xFF00 >> length % 8 & 0xFF
            return BitString(length, bytes(octets))
    return rng.choice((Null(), any_leaf(rng), axdr.structure(value), axdr.array(value, value)))


def _octets(value: bytes, rng: random.Random, raw: Raw) -> bytes:
    """Octets; sealed ones are opened, their plaintext is changed, and they are sealed again."""
    if value.startswith(ENCRYPTED_HEADER) and value.endswith(TAG) and rng.random() < 0.95:
        inside = value[len(ENCRYPTED_HEADER) : -len(TAG)]
        return ENCRYPTED_HEADER + dlms(inside, rng, raw) + TAG
    return raw(value)


def _compact_array(value: CompactArray, rng: random.Random, raw: Raw) -> Data:
    """Elements and description have to agree: either one changes with the other, or octets do."""
    elements = list(value.elements)
    if elements and rng.random() < 0.6:
        changed = data(rng.choice(elements), rng, raw)
        return CompactArray(axdr.describe_type(changed), (changed,) * rng.randint(0, 2))
    octets = raw(axdr.encode_data(value)[1:])
    try:
        return axdr.decode_data(bytes((Tag.COMPACT_ARRAY,)) + octets)
    except GbcsDecodeError:
        return CompactArray(value.description, (*elements, *elements[:1]))


# -- GBZ -----------------------------------------------------------------------------------------------------


def components(octets: bytes, rng: random.Random, raw: Raw) -> bytes:
    """The components of a command or response."""
    try:
        placed = [item.component for item in gbz.decode_components(octets)]
    except GbcsDecodeError:
        return raw(octets)
    if not placed:
        return raw(octets)
    place = rng.randrange(len(placed))
    if rng.random() < 0.2:
        _change_list(rng, [placed], place)
    else:
        placed[place] = _component(placed[place], rng, raw)
    return gbz.encode_components(tuple(placed[: gbz.MAX_COMPONENTS]))


def _component(component: gbz.Component, rng: random.Random, raw: Raw) -> gbz.Component:  # noqa: PLR0911 - one for each part
    frame = component.frame
    match rng.randrange(10):
        case 0:
            return replace(component, cluster=rng.choice((*sorted(CLUSTERS), 0xFFFF)))
        case 1:
            return replace(component, from_date_time=rng.choice((None, 0, 1, 0xFFFFFFFE, 0xFFFFFFFF)))
        case 2:
            return replace(component, frame_counter=rng.choice((None, 0, 1, 0xFF)))
        case 3:
            return replace(
                component, frame=replace(frame, command=rng.choice((0, 1, 4, 0x0B, rng.randrange(256))))
            )
        case 4:
            flags = ("cluster_specific", "server_to_client", "disable_default_response")
            name = rng.choice(flags)
            return replace(component, frame=replace(frame, **{name: not getattr(frame, name)}))
        case 5:
            changes = {
                "manufacturer_code": rng.choice((None, 0, 0xFFFF)),
                "sequence": rng.choice((0, 1, 0xFF)),
                "reserved": rng.choice((0, 0, 7)),
            }
            name = rng.choice(sorted(changes))
            return replace(component, frame=replace(frame, **{name: changes[name]}))
    payload = frame.payload
    sealed = payload.startswith(ENCRYPTED_HEADER) and payload.endswith(TAG) and len(payload) >= 17
    if component.encrypted and sealed and rng.random() < 0.9:
        payload = ENCRYPTED_HEADER + raw(payload[len(ENCRYPTED_HEADER) : -len(TAG)]) + TAG
    else:
        payload = raw(payload)
    return replace(component, frame=replace(frame, payload=payload[:60_000]))


def _gbz_alert(octets: bytes, rng: random.Random, raw: Raw) -> bytes:
    try:
        alert = gbz.decode_alert(octets)
    except GbcsDecodeError:
        return raw(octets)
    extra = raw(alert.extra)
    try:
        placed = gbz.decode_component(alert.extra)
    except GbcsDecodeError:
        pass
    else:
        extra = gbz.encode_component(_component(placed.component, rng, raw))
    return gbz.encode_alert(replace(alert, extra=extra, count=1 if extra else 0))


def zcl(octets: bytes, rng: random.Random, raw: Raw) -> bytes:
    """A choice octet and a ZCL frame."""
    try:
        frame = decode_frame(octets[1:])
    except CodecError:
        return raw(octets)
    if rng.random() < 0.2:
        return raw(octets)
    return octets[:1] + replace(frame, payload=raw(frame.payload)).encode()


# -- ASN.1 ---------------------------------------------------------------------------------------------------


def elements(octets: bytes, rng: random.Random, raw: Raw) -> bytes:
    """DER elements, their lengths repaired."""
    try:
        tree = der.elements_to_json(octets)
        return der.elements_from_json(_elements(tree, rng, raw))
    except CodecError:
        return raw(octets)


def _elements(tree: Value, rng: random.Random, raw: Raw) -> Value:
    if not isinstance(tree, list) or not tree:
        return tree
    items = list(tree)
    place = rng.randrange(len(items))
    if rng.random() < 0.15:
        _change_list(rng, [items], place)
        return items
    item = items[place]
    if not isinstance(item, dict):
        return items
    item = dict(item)
    kind = rng.random()
    if kind < 0.05:
        item["tag"] = f"{rng.choice((0x02, 0x03, 0x04, 0x05, 0x0A, 0x18, 0x30, 0x80, 0xA0)):02X}"
    elif kind < 0.1:
        item[der.LENGTH_OCTETS] = rng.choice((3, 4))
    elif "elements" in item:
        item["elements"] = _elements(item["elements"], rng, raw)
    else:
        item["hex"] = to_hex(raw(from_hex(item["hex"], "")))
    items[place] = item
    return items


def chosen_elements(octets: bytes, rng: random.Random, raw: Raw) -> bytes:
    """A choice octet and DER elements."""
    if not octets or rng.random() < 0.1:
        return raw(octets)
    return octets[:1] + elements(octets[1:], rng, raw)


# -- texts ---------------------------------------------------------------------------------------------------

TEXTS = (
    "",
    "0",
    "hex:",
    "hex:00",
    "FFFF",
    "never",
    "immediate",
    "2030-01-15T09:00:00Z",
    "1999-12-31T23:59:59Z",
    "*",
    "é",
)
WORDS = (None, True, False, 0, 1, -1, 255, 256, 1 << 32, 1 << 64, [], {}, *TEXTS)


def document(octets: bytes, rng: random.Random, raw: Raw) -> bytes:
    """A JSON document."""
    try:
        tree = json.loads(octets)
    except (ValueError, RecursionError):
        return raw(octets)
    if rng.random() < 0.1:
        return raw(octets)
    return json.dumps(_json(tree, rng, raw)).encode()


def _json(tree: Value, rng: random.Random, raw: Raw) -> Value:  # noqa: PLR0911 - one for each type
    if isinstance(tree, dict) and tree:
        names = list(tree)
        name = rng.choice(names)
        kind = rng.random()
        if kind < 0.05:
            return {other: value for other, value in tree.items() if other != name}
        if kind < 0.1:
            return {
                **tree,
                rng.choice(("level", "sealed", "protected", "trailing", "header", "hex")): tree[name],
            }
        return {**tree, name: _json(tree[name], rng, raw)}
    if isinstance(tree, list) and tree:
        items = list(tree)
        place = rng.randrange(len(items))
        if rng.random() < 0.2:
            _change_list(rng, [items], place)
        else:
            items[place] = _json(items[place], rng, raw)
        return items
    if isinstance(tree, str) and rng.random() < 0.5:
        return raw(tree.encode("utf-8", "surrogateescape")).decode("utf-8", "replace")
    if isinstance(tree, int) and rng.random() < 0.5:
        return tree + rng.choice((-1, 1, 7, 1 << 16))
    return rng.choice(WORDS)


def xml(octets: bytes, rng: random.Random, raw: Raw) -> bytes:
    """An XML document."""
    try:
        root = parse_document(octets)
    except DuisError:
        return raw(octets)
    if rng.random() < 0.1:
        return raw(octets)
    try:
        return write_document(_element(root, rng, raw))
    except DuisError:
        return raw(octets)


def _element(element: Element, rng: random.Random, raw: Raw) -> Element:
    if element.children and rng.random() < 0.95:
        children = list(element.children)
        place = rng.randrange(len(children))
        if rng.random() < 0.1:
            _change_list(rng, [children], place)
        else:
            children[place] = _element(children[place], rng, raw)
        return replace(element, children=tuple(children))
    kind = rng.random()
    if kind < 0.05:
        return replace(element, attributes=(("a", "b"),))
    if kind < 0.5 and element.text:
        return replace(element, text=raw(element.text.encode()).decode("utf-8", "replace"))
    return replace(element, children=(), text=rng.choice((*TEXTS, "1", "true", "4.1.1", " ")))


def octets_only(octets: bytes, rng: random.Random, raw: Raw) -> bytes:
    """No structure is known."""
    del rng
    return raw(octets)
