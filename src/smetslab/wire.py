"""Bounds-checked reading of bytes. Every error carries the offset from the start of the outermost message."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from smetslab.errors import CodecError, GbcsDecodeError

T = TypeVar("T")


class Reader:
    """A cursor over `data[position:end]`; `error` is the exception class to raise.

    Offsets in errors are positions in `data` plus `base`, so a nested reader over a copied part can still
    name the place in the outermost message.
    """

    __slots__ = ("base", "data", "end", "error", "position")

    traces = False
    """True for a reader that is told of every field by itself; codecs may read others several at once."""

    def __init__(
        self,
        data: bytes,
        *,
        position: int = 0,
        end: int | None = None,
        base: int = 0,
        error: type[CodecError] = GbcsDecodeError,
    ) -> None:
        self.data = data
        self.position = position
        self.end = len(data) if end is None else end
        self.base = base
        self.error = error

    @property
    def remaining(self) -> int:
        return self.end - self.position

    @property
    def offset(self) -> int:
        """The offset to name in an error."""
        return self.base + self.position

    def fail(
        self, what: str, *, path: str = "", expected: str = "", found: str = "", spec: str = ""
    ) -> CodecError:
        """An error of this reader's class at the present position; the caller raises it."""
        return self.error(what, offset=self.offset, path=path, expected=expected, found=found, spec=spec)

    def take(self, count: int, path: str = "") -> bytes:
        start = self.position
        stop = start + count
        if stop > self.end:
            raise self.fail(
                "truncated", path=path, expected=f"{count} more bytes", found=str(self.end - start)
            )
        self.position = stop
        return self.data[start:stop]

    def u8(self, path: str = "") -> int:
        position = self.position
        if position >= self.end:
            raise self.fail("truncated", path=path, expected="1 more byte", found="0")
        self.position = position + 1
        return self.data[position]

    def unsigned(self, size: int, path: str = "") -> int:
        """A big-endian unsigned integer of `size` bytes."""
        return int.from_bytes(self.take(size, path), "big")

    def signed(self, size: int, path: str = "") -> int:
        """A big-endian two's complement integer of `size` bytes."""
        return int.from_bytes(self.take(size, path), "big", signed=True)

    def peek(self) -> int | None:
        """The next byte without taking it, None at the end."""
        return self.data[self.position] if self.position < self.end else None

    def expect(self, wanted: bytes, path: str, spec: str = "") -> None:
        """Take exactly `wanted` or fail at the first byte that differs."""
        start = self.position
        found = self.data[start : min(start + len(wanted), self.end)]
        if found != wanted:
            for index, octet in enumerate(wanted):
                if index >= len(found) or found[index] != octet:
                    self.position = start + index
                    break
            raise self.fail(
                "wrong constant" if len(found) == len(wanted) else "truncated",
                path=path,
                expected=wanted.hex().upper(),
                found=found.hex().upper() or "nothing",
                spec=spec,
            )
        self.position = start + len(wanted)

    def ber_length(self, path: str = "") -> int:
        """A BER length in its shortest form. Spec: GBCS 7.2.7; X.690 8.1.3, 10.1."""
        start = self.position
        first = self.u8(path)
        if first < 0x80:
            return first
        size = first & 0x7F
        if not 1 <= size <= 4:
            self.position = start
            raise self.fail(
                "length of unsupported size", path=path, expected="00..7F or 81..84", found=f"{first:02X}"
            )
        value = self.unsigned(size, path)
        if value < 0x80 or (size > 1 and value < 1 << (8 * (size - 1))):
            self.position = start
            raise self.fail(
                "length not in its shortest form",
                path=path,
                expected=ber_length(value).hex().upper(),
                found=self.data[start : start + 1 + size].hex().upper(),
            )
        return value

    def each(self, count: int, read: Callable[[], T], path_of: Callable[[int], str]) -> list[T]:
        """What `read` gives, `count` times. `path_of` tells the field path of an item by its place."""
        items: list[T] = []
        if self.traces:
            for place in range(count):
                with self.at(path_of(place)):
                    items.append(read())
            return items
        try:
            for _ in range(count):
                items.append(read())  # noqa: PERF401 - errors say how far it came
        except CodecError as error:
            raise error.within(path_of(len(items))) from None
        return items

    @contextmanager
    def at(self, path: str) -> Iterator[None]:
        """What is read inside belongs to the field `path`, and errors say so."""
        try:
            yield
        except CodecError as error:
            raise error.within(path) from None

    def finish(self, path: str = "") -> None:
        """Fail when bytes are left over."""
        if self.position != self.end:
            raise self.fail(
                "trailing bytes", path=path, expected="the end", found=f"{self.remaining} more bytes"
            )


def ber_length(value: int) -> bytes:
    """Encode a length in its shortest form. Spec: X.690 8.1.3, 10.1."""
    if value < 0x80:
        return bytes((value,))
    size = (value.bit_length() + 7) // 8
    return bytes((0x80 | size,)) + value.to_bytes(size, "big")
