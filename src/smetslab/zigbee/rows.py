"""Declared messages below ZCL: commands of the MAC, network and APS layers, and ZDO. Each is a row of fields.

They are little-endian lists of the data types that ZCL payloads have, so the same engine reads and writes
them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from smetslab.errors import (
    RegistryError,
    ZclDecodeError,
    ZclEncodeError,
    ZigbeeDecodeError,
    ZigbeeEncodeError,
)
from smetslab.zigbee.zcl.fields import FieldInput, Fields, Record


class Row:
    """One kind of message: its number, its name, and the fields behind the number."""

    __slots__ = ("id", "name", "shape", "spec")

    def __init__(self, number: int, name: str, shape: Fields, spec: str) -> None:
        self.id = number
        self.name = name
        self.shape = shape
        self.spec = spec

    def encode(self, **values: FieldInput) -> bytes:
        """The fields as octets. Raises ZigbeeEncodeError for what is missing, unknown or does not fit."""
        out = bytearray()
        try:
            self.shape.encode(self.shape.record(values), out)
        except ZclEncodeError as error:
            raise ZigbeeEncodeError(
                error.what,
                path=f"{self.name}.{error.path}",
                expected=error.expected,
                found=error.found,
                spec=self.spec,
            ) from None
        return bytes(out)

    def decode(self, data: bytes, position: int = 0) -> Record:
        """The fields of `data` from `position` to its end; octets left over are kept in `trailing`.

        Raises ZigbeeDecodeError.
        """
        try:
            record, end = self.shape.decode(data, position, len(data))
        except ZclDecodeError as error:
            raise ZigbeeDecodeError(
                error.what,
                offset=error.offset,
                path=f"{self.name}.{error.path}",
                expected=error.expected,
                found=error.found,
                spec=self.spec,
            ) from None
        return record if end == len(data) else Record(record.shape, record.values, bytes(data[end:]))

    def __repr__(self) -> str:
        return f"<{self.name} 0x{self.id:02X}>"


def table(rows: Iterable[Row]) -> Mapping[int, Row]:
    """Rows by number; RegistryError for a number or a name that stands twice."""
    listed = list(rows)
    by_number = {row.id: row for row in listed}
    if len(by_number) != len(listed) or len({row.name for row in listed}) != len(listed):
        raise RegistryError("a ZigBee message is declared twice")
    return MappingProxyType(by_number)
