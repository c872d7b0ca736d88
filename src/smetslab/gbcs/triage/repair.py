"""Finds the one change that makes a damaged message right, and so the octet that was damaged.

With the key, a MAC proves a repair beyond doubt: 96 bits do not fit by chance. A GMAC is linear in what it
covers, so the effect of every bit is computed once and any change of one octet is a sum of eight of them: all
changes of one octet of a message of 4,000 are tried in less than a second. Changes that move the rest (an
octet lost or added) and changes of what the key is derived from are tried one by one.

Without a key a change is only as good as the message it makes: one that reads as a sound message of its use
case, where hardly another change would.

Spec: GBCS 4.3.3 (key derivation), 6.4.5 (MAC).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from smetslab.crypto import SIGNATURE_BYTES, TAG_BYTES, derive_key, gmac
from smetslab.errors import CodecError
from smetslab.gbcs.codes import Cra
from smetslab.gbcs.keys import KeyLookup, mac_secrets, verification_keys
from smetslab.gbcs.message import Message, OtherInformation, decode_message
from smetslab.gbcs.security import initialization_vector, other_info
from smetslab.gbcs.usecases import decode_content, find
from smetslab.gbcs.values import to_hex
from smetslab.ids import Eui64

MAX_OCTETS = 5000
"""Longest message that is searched. The longest published one has 3,986 octets."""
MAX_SIGNATURE_TRIALS = 15_000
"""So many signatures are tried, at some 100 microseconds each."""
MAX_TRAILING = 64

_PREFIX = bytes.fromhex("110000000000")
_CRA, _COUNTER, _ORIGINATOR, _TARGET, _FIXED = 2, 3, 12, 21, 29
_KEY_FIELDS = (
    *range(_CRA, _COUNTER + 8),
    *range(_ORIGINATOR, _ORIGINATOR + 8),
    *range(_TARGET, _TARGET + 8),
)
"""Places in the grouping header that the key depends on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """A change of octets: what stands at `offset` and what should stand there; the message that it makes.

    `proof`: what proves it, `MAC` or `signature`; nothing for a guess. `last`: the change might stand at any
    place from `offset` to there.
    """

    offset: int
    found: bytes
    wanted: bytes
    data: bytes
    proof: Literal["MAC", "signature", ""]
    last: int | None = None


# -- by MAC --------------------------------------------------------------------------------------------------


class MacSearch:
    """Looks for the change that makes the MAC of `data` right. `grouping`: where its grouping header is."""

    def __init__(self, data: bytes, grouping: int, keys: KeyLookup) -> None:
        self._data = data
        self._start = grouping
        self._keys = keys
        self._secrets: dict[tuple[int, bytes, bytes], tuple[bytes, ...]] = {}

    def search(self) -> Repair | None:
        """The first change that is found, None when no single one helps."""
        if not _FIXED + TAG_BYTES < len(self._data) - self._start <= MAX_OCTETS:
            return None
        for attempt in (
            self._in_the_mac,
            self._at_the_end,
            self._one_octet,
            self._key_fields,
            self._parties,
            self._octet_too_many,
            self._octet_missing,
        ):
            found = attempt()
            if found is not None:
                return found
        return None

    # What covers what: `covered` is from the grouping header to the signature part.

    def _tags(self, covered: bytes) -> Iterator[bytes]:
        """The tag under each secret that may be the right one."""
        for key, iv in self._contexts(covered):
            yield gmac(key, iv, _PREFIX + covered)

    def _contexts(self, covered: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Key and IV under each secret."""
        cra = covered[_CRA]
        originator, target = covered[_ORIGINATOR : _ORIGINATOR + 8], covered[_TARGET : _TARGET + 8]
        if not 1 <= cra <= 3 or len(target) != 8:
            return
        counter = int.from_bytes(covered[_COUNTER : _COUNTER + 8], "big")
        sender, receiver = Eui64(originator), Eui64(target)
        for secret in self._secrets_of(cra, sender, receiver):
            info = other_info(cra, sender, counter, receiver)
            yield derive_key(secret, info), initialization_vector(sender)

    def _secrets_of(self, cra: int, sender: Eui64, receiver: Eui64) -> tuple[bytes, ...]:
        index = (cra, sender.raw, receiver.raw)
        if index not in self._secrets:
            message = Message(
                cra=Cra(cra),
                originator_counter=0,
                business_originator_id=sender,
                business_target_id=receiver,
                other_information=OtherInformation(message_code=0),
                content=b"",
                message_mac=b"",
            )
            self._secrets[index] = mac_secrets(message, self._keys)
        return self._secrets[index]

    def _covered(self, end: int = -TAG_BYTES) -> bytes:
        return self._data[self._start : end]

    def _change(self, place: int, found: bytes, wanted: bytes) -> Repair:
        """The repair that puts `wanted` in place of `found`, `place` octets behind the grouping header."""
        offset = self._start + place
        data = self._data[:offset] + wanted + self._data[offset + len(found) :]
        return Repair(offset=offset, found=found, wanted=wanted, data=data, proof="MAC")

    # The attempts, cheapest and likeliest first.

    def _in_the_mac(self) -> Repair | None:
        """One or two octets of the MAC itself differ, or one of it was lost or added."""
        mac = self._data[-TAG_BYTES:]
        place = len(self._covered())
        for tag in self._tags(self._covered()):
            wrong = [n for n in range(TAG_BYTES) if tag[n] != mac[n]]
            if 1 <= len(wrong) <= 2:
                first, last = wrong[0], wrong[-1] + 1
                return self._change(place + first, mac[first:last], tag[first:last])
        for size in (TAG_BYTES - 1, TAG_BYTES + 1):
            mac = self._data[-size:]
            place = len(self._covered(-size))
            for tag in self._tags(self._covered(-size)):
                for n in range(TAG_BYTES):
                    if size < TAG_BYTES and mac == tag[:n] + tag[n + 1 : TAG_BYTES]:
                        return self._change(place + n, b"", tag[n : n + 1])
                    if size > TAG_BYTES and mac[:n] + mac[n + 1 :] == tag[:TAG_BYTES]:
                        return self._change(place + n, mac[n : n + 1], b"")
        return None

    def _at_the_end(self) -> Repair | None:
        """Octets hang on behind the MAC, or the MAC was cut off."""
        size = len(self._data)
        for extra in range(1, min(MAX_TRAILING, size - self._start - _FIXED - TAG_BYTES)):
            end = size - extra
            if any(
                tag[:TAG_BYTES] == self._data[end - TAG_BYTES : end]
                for tag in self._tags(self._covered(end - TAG_BYTES))
            ):
                return self._change(end - self._start, self._data[end:], b"")
        for left in range(TAG_BYTES - 1, 3, -1):
            for tag in self._tags(self._covered(-left)):
                if tag.startswith(self._data[-left:]):
                    return self._change(size - self._start, b"", tag[left:TAG_BYTES])
        return None

    def _one_octet(self) -> Repair | None:
        """One octet has another value, or two neighbours stand the other way round."""
        covered = self._covered()
        mac = int.from_bytes(self._data[-TAG_BYTES:], "big")
        free = [place for place in range(len(covered)) if place not in _KEY_FIELDS]
        for key, iv in self._contexts(covered):
            effects = _effects(key, iv, covered, free)
            base = _short(gmac(key, iv, _PREFIX + covered))
            for place in free:
                change = _sum_to(effects[place], base ^ mac)
                if change:
                    return self._change(place, covered[place : place + 1], bytes((covered[place] ^ change,)))
            for place, following in pairwise(free):
                change = covered[place] ^ covered[following]
                effect = _effect_of(effects[place], change) ^ _effect_of(effects[following], change)
                if following == place + 1 and change and effect == base ^ mac:
                    pair = covered[place : place + 2]
                    return self._change(place, pair, pair[::-1])
        return None

    def _key_fields(self) -> Repair | None:
        """One octet of CRA flag or counter has another value."""
        covered = self._covered()
        for place in range(_CRA, _COUNTER + 8):
            values = (1, 2, 3) if place == _CRA else range(0x100)
            for value in values:
                if value != covered[place] and self._fits(_replaced(covered, place, bytes((value,)))):
                    return self._change(place, covered[place : place + 1], bytes((value,)))
        return None

    def _parties(self) -> Repair | None:
        """One octet of an id has another value: somebody known differs in just that."""
        covered = self._covered()
        for start in (_ORIGINATOR, _TARGET):
            stands = covered[start : start + 8]
            for entity in self._keys.entities():
                wrong = [n for n in range(8) if entity.raw[n] != stands[n]]
                if len(wrong) == 1 and self._fits(_replaced(covered, start, entity.raw)):
                    (n,) = wrong
                    return self._change(start + n, stands[n : n + 1], entity.raw[n : n + 1])
            for n in range(8):
                # The id that the key does not come from is in the derivation all the same.
                for value in range(0x100):
                    if value != stands[n] and self._fits(_replaced(covered, start + n, bytes((value,)))):
                        return self._change(start + n, stands[n : n + 1], bytes((value,)))
        return None

    def _octet_too_many(self) -> Repair | None:
        covered = self._covered()
        places = [n for n in range(len(covered)) if self._fits(covered[:n] + covered[n + 1 :])]
        return self._run(places, covered, b"")

    def _octet_missing(self) -> Repair | None:
        covered = self._covered()
        mac = int.from_bytes(self._data[-TAG_BYTES:], "big")
        for place in range(len(covered) + 1):
            longer = covered[:place] + b"\x00" + covered[place:]
            if place in _KEY_FIELDS:
                for value in range(0x100):
                    if self._fits(_replaced(longer, place, bytes((value,)))):
                        return self._change(place, b"", bytes((value,)))
                continue
            for key, iv in self._contexts(longer):
                base = _short(gmac(key, iv, _PREFIX + longer))
                change = 0 if base == mac else _sum_to(_effects(key, iv, longer, [place])[place], base ^ mac)
                if change is not None:
                    return self._change(place, b"", bytes((change,)))
        return None

    def _fits(self, covered: bytes) -> bool:
        mac = self._data[-TAG_BYTES:]
        return any(tag[:TAG_BYTES] == mac for tag in self._tags(covered))

    def _run(self, places: list[int], covered: bytes, wanted: bytes) -> Repair | None:
        """A repair that may stand at any of `places`: of equal neighbours nobody knows which is too many."""
        if not places:
            return None
        repair = self._change(places[0], covered[places[0] : places[0] + 1], wanted)
        return Repair(
            offset=repair.offset,
            found=repair.found,
            wanted=wanted,
            data=repair.data,
            proof="MAC",
            last=self._start + places[-1] if len(places) > 1 else None,
        )


def _replaced(octets: bytes, place: int, value: bytes) -> bytes:
    return octets[:place] + value + octets[place + len(value) :]


def _short(tag: bytes) -> int:
    return int.from_bytes(tag[:TAG_BYTES], "big")


def _effects(key: bytes, iv: bytes, covered: bytes, places: list[int]) -> dict[int, tuple[int, ...]]:
    """What each bit of these octets changes in the MAC, lowest bit first."""
    base = _short(gmac(key, iv, _PREFIX + covered))
    octets = bytearray(_PREFIX + covered)
    effects: dict[int, tuple[int, ...]] = {}
    for place in places:
        bits: list[int] = []
        for bit in range(8):
            octets[len(_PREFIX) + place] ^= 1 << bit
            bits.append(base ^ _short(gmac(key, iv, bytes(octets))))
            octets[len(_PREFIX) + place] ^= 1 << bit
        effects[place] = tuple(bits)
    return effects


def _sum_to(effects: tuple[int, ...], wanted: int) -> int | None:
    """The change of an octet whose effect is `wanted`, None when there is none."""
    total = 0
    for step in range(1, 0x100):
        total ^= effects[(step & -step).bit_length() - 1]  # Gray code: one bit changes at each step
        if total == wanted:
            return step ^ (step >> 1)
    return None


def _effect_of(effects: tuple[int, ...], change: int) -> int:
    total = 0
    for bit in range(8):
        if change >> bit & 1:
            total ^= effects[bit]
    return total


# -- by signature --------------------------------------------------------------------------------------------


def signature_repair(data: bytes, grouping: int, content_end: int, keys: KeyLookup) -> Repair | None:
    """The change of one octet that makes the signature of `data` right, as far as trying is affordable."""
    start, signature_start = grouping + 1, content_end + 1
    signature = data[signature_start : signature_start + SIGNATURE_BYTES]
    originator = data[grouping + _ORIGINATOR : grouping + _ORIGINATOR + 8]
    if len(signature) != SIGNATURE_BYTES or len(originator) != 8:
        return None
    certified = verification_keys(Eui64(originator), keys)
    if not certified:
        return _other_originator(data, grouping, content_end, keys)
    trials = MAX_SIGNATURE_TRIALS // max(len(certified), 1)
    places = [*range(start, content_end), *range(signature_start, signature_start + SIGNATURE_BYTES)]
    for trial, (place, wanted) in enumerate(_changes(data, places)):
        if trial >= trials:
            return None
        changed = _replaced(data, place, wanted)
        part = changed[start:content_end]
        tag = changed[signature_start : signature_start + SIGNATURE_BYTES]
        if any(key.verify(tag, part) for key in certified):
            return Repair(
                offset=place,
                found=data[place : place + len(wanted)],
                wanted=wanted,
                data=changed,
                proof="signature",
            )
    return None


def _other_originator(data: bytes, grouping: int, content_end: int, keys: KeyLookup) -> Repair | None:
    """One octet of an originator id that nobody has: somebody known differs in just that, and signed this."""
    place = grouping + _ORIGINATOR
    stands, signature = data[place : place + 8], data[content_end + 1 : content_end + 1 + SIGNATURE_BYTES]
    for entity in keys.entities():
        wrong = [n for n in range(8) if entity.raw[n] != stands[n]]
        if len(wrong) != 1:
            continue
        changed = _replaced(data, place, entity.raw)
        part = changed[grouping + 1 : content_end]
        if any(key.verify(signature, part) for key in verification_keys(entity, keys)):
            (n,) = wrong
            return Repair(
                offset=place + n,
                found=stands[n : n + 1],
                wanted=entity.raw[n : n + 1],
                data=changed,
                proof="signature",
            )
    return None


def _changes(data: bytes, places: list[int]) -> Iterator[tuple[int, bytes]]:
    """Other octets at `places`: single bits first, then neighbours turned round, then every value."""
    for place in places:
        for bit in range(8):
            yield place, bytes((data[place] ^ 1 << bit,))
    for place, following in pairwise(places):
        if following == place + 1 and data[place] != data[following]:
            yield place, data[place : place + 2][::-1]
    for place in places:
        for value in range(0x100):
            if (value ^ data[place]).bit_count() > 1:
                yield place, bytes((value,))


# -- by structure --------------------------------------------------------------------------------------------

_WINDOW = 24
_MOST_PLACES = 3
_LIKELY = (0x00, 0x01, 0x02, 0x08, 0x09, 0x40, 0xDD, 0xDF, 0xFF)
"""Octets that an insertion tries: those that structure is made of."""
_BY_BITS = sorted(range(1, 0x100), key=int.bit_count)
"""Changes of an octet, those of fewest bits first."""
_DATE_TIME = 12
_EFFORT = 8_000_000
"""So many octets are decoded in trials, a second or so."""


def reads_as_sound(data: bytes) -> bool:
    """True when `data` is a whole message whose content is that of its use case."""
    try:
        message = decode_message(data)
        use_case = find(message)
        if use_case is None:
            return False
        parameters = decode_content(use_case, message)
    except CodecError:
        return False
    return to_hex(message.content) not in parameters.values()  # octets that may be anything prove nothing


def structure_repair(
    data: bytes, offset: int, grouping: int, faults: Callable[[bytes], int]
) -> Repair | None:
    """The change near `offset` that makes a sound message of `data`; None when none does, or too many do.

    Tries CRA flag and Message Code of the grouping header as well: they decide what the content should be.
    `faults` counts what is wrong with a message; of several changes the one that leaves least is taken.
    """
    if len(data) > MAX_OCTETS:
        return None
    return _StructureSearch(data, offset, grouping, faults).search()


class _StructureSearch:
    """Tries changes as long as the effort lasts."""

    def __init__(self, data: bytes, offset: int, grouping: int, faults: Callable[[bytes], int]) -> None:
        self._data = data
        self._offset = offset
        self._grouping = grouping
        self._faults = faults
        self._left = _EFFORT // (len(data) + 100)

    def search(self) -> Repair | None:
        return self._replace() or self._remove() or self._insert()

    def _sound(self, data: bytes) -> bool:
        self._left -= 1
        return self._left >= 0 and reads_as_sound(data)

    def _places(self) -> list[int]:
        """Where a replaced octet is looked for, the likeliest first."""
        size, offset = len(self._data), self._offset
        near = range(max(0, offset - _WINDOW), min(size, offset + _MOST_PLACES))
        extra = self._grouping + _FIXED
        code = extra + 2 + (_DATE_TIME if extra < size and self._data[extra] == _DATE_TIME else 0)
        switches = [place for place in (self._grouping + _CRA, code, code + 1) if place < size]
        return list(dict.fromkeys((*switches, *sorted(near, key=lambda one: abs(one - offset)))))

    def _replace(self) -> Repair | None:
        """One octet has another value."""
        data = self._data
        found: list[Repair] = []
        for place in self._places():
            for change in _BY_BITS:
                octet = bytes((data[place] ^ change,))
                if self._sound(_replaced(data, place, octet)):
                    found.append(self._change(place, data[place : place + 1], octet))
                    break
            if len(found) > _MOST_PLACES:
                return None
        if not found:
            return None
        return min(found, key=self._cost)

    def _cost(self, repair: Repair) -> tuple[int, int, int]:
        bits = (repair.found[0] ^ repair.wanted[0]).bit_count()
        return self._faults(repair.data), bits, abs(repair.offset - self._offset)

    def _remove(self) -> Repair | None:
        data = self._data
        places = [n for n in range(len(data)) if self._sound(data[:n] + data[n + 1 :])]
        return self._change(places[0], data[places[0] : places[0] + 1], b"", places[-1]) if places else None

    def _insert(self) -> Repair | None:
        data = self._data
        for value in _LIKELY:
            octet = bytes((value,))
            places = [n for n in range(len(data) + 1) if self._sound(data[:n] + octet + data[n:])]
            if places:
                return self._change(places[0], b"", octet, places[-1])
        return None

    def _change(self, place: int, found: bytes, wanted: bytes, last: int | None = None) -> Repair:
        data = self._data[:place] + wanted + self._data[place + len(found) :]
        return Repair(
            offset=place,
            found=found,
            wanted=wanted,
            data=data,
            proof="",
            last=None if last == place else last,
        )
