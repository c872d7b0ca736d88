"""The content length of a message that may be damaged, and what follows the content.

Length fields are weighed against each other, against the octets that are there, and against what the content
says of itself: so it can be told whether a length is wrong or octets were lost.

Spec: GBCS 7.2.7, 7.2.8.
"""

from __future__ import annotations

from smetslab.crypto import SIGNATURE_BYTES, TAG_BYTES
from smetslab.errors import CodecError
from smetslab.gbcs.message import decode_message
from smetslab.gbcs.security import ENCRYPTED_HEADER
from smetslab.gbcs.triage.envelope import Envelope
from smetslab.gbcs.triage.lengths import length_at, own_length, runs_out
from smetslab.wire import ber_length

_SIGNED = 1 + SIGNATURE_BYTES


def _is_message(octets: bytes) -> bool:
    try:
        decode_message(octets)
    except CodecError:
        return False
    return True


class TailReader:
    """Reads from the content length on."""

    def __init__(self, envelope: Envelope) -> None:
        self._envelope = envelope
        self._data = envelope.data
        self._lost = 0
        """How many octets the ciphered service length says are missing (too many: negative)."""
        if envelope.claimed is not None:
            after = envelope.length_place + len(ber_length(envelope.claimed))
            self._lost = envelope.claimed - (len(self._data) - after)

    def _tails(self) -> tuple[int, ...]:
        """How many octets may follow the content: signature part and MAC."""
        return (1 + TAG_BYTES, _SIGNED + TAG_BYTES) if self._envelope.maced else (0, _SIGNED, 1)

    def content_fits(self, place: int) -> bool:
        """True when a content length stands at `place` that leads to the end of the message."""
        length = length_at(self._data, place)
        if length is None:
            return False
        return len(self._data) - place - length.size - length.value in self._tails()

    def read(self, place: int) -> tuple[int, int, bytes | None] | None:
        """Start and end of the content whose length is at `place`, and the signature part."""
        data = self._data
        length = length_at(data, place)
        if length is None:
            self._envelope.fail_length(
                "the message ends here",
                offset=len(data),
                field="content length",
                expected="more octets",
                found="the end",
            )
            return None
        begin = place + length.size
        if not length.shortest:
            self._envelope.fail_length(
                "length not in its shortest form",
                offset=place,
                field="content length",
                expected=ber_length(length.value).hex(" ").upper(),
                found=data[place:begin].hex(" ").upper(),
            )
        end = self._weighed(place, begin, length.value)
        return begin, end, self._signature(end)

    def _weighed(self, place: int, begin: int, claimed: int) -> int:
        """Where the content ends, all lengths considered."""
        data = self._data
        rest = len(data) - begin
        fitting = [rest - tail for tail in self._tails() if rest >= tail]
        own = own_length(data, begin)
        if claimed in fitting:
            self._outer()
            return begin + claimed
        if self._lost and any(rest + self._lost - tail == claimed for tail in self._tails()):
            return self._octets_lost(begin, claimed, own)
        if own == claimed and not self._envelope.maced and claimed < rest:
            return begin + claimed  # the content is whole: the signature part will tell
        if own in fitting and own is not None:
            self._envelope.fail_length(
                f"the content length says {claimed}, but the content ends by itself after {own} octets, "
                "and what follows fits that",
                offset=place,
                field="content length",
                expected=ber_length(own).hex(" ").upper(),
                found=data[place:begin].hex(" ").upper(),
            )
            self._outer()
            return begin + own
        return self._unclear(place, begin, claimed, own)

    def _outer(self) -> None:
        """The ciphered service length beside a message whose inner lengths lead to its end."""
        claimed = self._envelope.claimed
        if claimed is None or not self._lost:
            return
        actual = claimed - self._lost
        self._envelope.fail_length(
            f"says {claimed}, but {actual} octets follow; all other lengths fit the octets that are there, "
            "so this one is wrong",
            offset=self._envelope.length_place,
            field="MAC header.ciphered service length",
            expected=ber_length(actual).hex(" ").upper(),
            found=ber_length(claimed).hex(" ").upper(),
        )

    def _octets_lost(self, begin: int, claimed: int, own: int | None) -> int:
        """The lengths agree with each other, and not with the octets: some were lost or added."""
        size, lost = len(self._data), self._lost
        words = f"{lost} missing" if lost > 0 else f"{-lost} too many"
        if lost < 0 and self._second_message(size + lost):
            return begin + claimed
        sealed = self._data.find(ENCRYPTED_HEADER, begin, begin + claimed)
        if own == claimed and begin + claimed <= size and sealed >= 0:
            self._envelope.fail_length(
                f"the length fields agree, but of the octets {words}: in the protected part of the content, "
                "which nobody can look into without its key, or behind it",
                offset=sealed,
                field="content",
                expected=f"{size + lost} octets in all",
                found=f"{size} octets",
                decisive=False,
            )
            return begin + claimed
        if own == claimed and begin + claimed <= size:
            self._envelope.fail_length(
                f"the length fields agree, but of the octets {words}: the content is whole, so the fault is "
                "behind it, in signature or MAC" + (", most likely the end was cut off" if lost > 0 else ""),
                offset=size if lost > 0 else size + lost,
                field="signature and MAC",
                expected=f"{size + lost} octets in all",
                found=f"{size} octets",
            )
            return begin + claimed
        if lost > 0 and runs_out(self._data, begin):
            self._envelope.fail_length(
                f"the length fields agree, but of the octets {words}: the end was cut off",
                offset=size,
                field="content",
                expected=f"{size + lost} octets in all",
                found=f"{size} octets",
            )
            return size
        self._envelope.fail_length(
            f"the length fields agree, but of the octets {words}: inside the content, or before it",
            offset=begin,
            field="content",
            expected=f"{claimed} octets",
            found=f"{claimed - lost} octets",
            decisive=False,
        )
        return min(begin + max(claimed - lost, 0), size)

    def _second_message(self, place: int) -> bool:
        """True, and told, when another message begins at `place`."""
        second = self._data[place:]
        if not _is_message(second):
            return False
        self._envelope.fail_length(
            f"a second message of {len(second)} octets stands behind this one",
            offset=place,
            field="behind the message",
            expected="the end",
            found=second[:20].hex(" ").upper(),
        )
        return True

    def _unclear(self, place: int, begin: int, claimed: int, own: int | None) -> int:
        """The content length leads nowhere."""
        rest = len(self._data) - begin
        if claimed > rest and not self._envelope.maced and runs_out(self._data, begin):
            self._envelope.fail_length(
                f"the content has {claimed} octets, of which {rest} are there: the end was cut off",
                offset=len(self._data),
                field="content",
                expected=f"{claimed} octets",
                found=f"{rest} octets",
            )
            return len(self._data)
        maced = (
            f", {1 + TAG_BYTES} of them an empty signature part and the MAC" if self._envelope.maced else ""
        )
        own_text = "" if own is None else f"; the content itself says {own}"
        self._envelope.fail_length(
            f"the content length says {claimed}, but {rest} octets follow{maced}{own_text}",
            offset=place,
            field="content length",
            expected=" or ".join(str(rest - n) for n in self._tails() if rest >= n) or "less",
            found=str(claimed),
            decisive=False,
        )
        return begin + min(own if own is not None else claimed, rest)

    def _signature(self, end: int) -> bytes | None:
        """The signature part behind the content, as far as it is there."""
        data, maced = self._data, self._envelope.maced
        stop = len(data) - (TAG_BYTES if maced else 0)
        if end >= stop:
            return b"" if maced else None
        size, have = data[end], stop - end - 1
        octets = data[end + 1 : min(stop, end + _SIGNED)]
        if not maced and self._second_message(end):
            return None
        if not maced and size in {0, SIGNATURE_BYTES} and self._second_message(end + 1 + size):
            return octets if size else b""
        if size == SIGNATURE_BYTES and have != SIGNATURE_BYTES and not maced:
            self._uneven_signature(end, have)
        elif size == 0 and have > 0 and not maced:
            self._envelope.fail_length(
                f"{have} octets too many behind the message",
                offset=end + 1,
                field="behind the message",
                expected="the end",
                found=data[end + 1 :].hex(" ").upper()[:60],
            )
        elif size not in {0, SIGNATURE_BYTES}:
            self._odd_signature(end, have)
        return octets if len(octets) == SIGNATURE_BYTES and size else b""

    def _uneven_signature(self, end: int, have: int) -> None:
        data = self._data
        many = have - SIGNATURE_BYTES
        self._envelope.fail_length(
            f"{many} octets too many behind the signature"
            if many > 0
            else f"the signature has {have} of its 64 octets: {-many} missing, most likely at the end",
            offset=len(data) - many if many > 0 else len(data),
            field="behind the message" if many > 0 else "signature",
            expected="64 octets, then the end",
            found=data[len(data) - many :].hex(" ").upper()[:60] if many > 0 else f"{have} octets",
        )

    def _odd_signature(self, end: int, have: int) -> None:
        likely = have if have in {0, SIGNATURE_BYTES} else None
        der = self._data[end + 1 : end + 2] == b"\x30" and 0x44 <= self._data[end] <= 0x4A
        self._envelope.fail_length(
            "wrong signature length"
            + ("" if likely is None else f"; {have} octets stand there" if have else "; no signature follows")
            + ("; 30 begins a signature in DER, GBCS has r and s as 64 plain octets" if der else ""),
            offset=end,
            field="signature length",
            expected="00 or 40" if likely is None else f"{likely:02X}",
            found=f"{self._data[end]:02X}",
        )
