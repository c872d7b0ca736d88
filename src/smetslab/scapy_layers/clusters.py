"""A scapy layer for every command of every declared cluster, made from its row.

The fields of a layer are those of the row, and read and written by its own codec. A part that carries another
protocol, as the data of a tunnel do, is the payload of the layer.

Spec: ZSE 1.4 (the clusters); scapy's `ZigbeeClusterLibrary` for the header before them
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from scapy.fields import Field
from scapy.layers.zigbee import ZigbeeClusterLibrary
from scapy.packet import Packet
from scapy.volatile import RandNum

from smetslab.errors import CodecError, ZclEncodeError
from smetslab.ids import Eui64
from smetslab.scapy_layers.gbcs import inside_tunnel
from smetslab.zigbee.zcl import CLUSTERS, SERVER_TO_CLIENT, Command, Fields, rest
from smetslab.zigbee.zcl.clusters import declare_all
from smetslab.zigbee.zcl.clusters.tunnelling import Tunnelling
from smetslab.zigbee.zcl.fields import ABSENT
from smetslab.zigbee.zcl.types import DataType, Integer

_REST: Final = type(rest())
_CANDIDATES: Final[tuple[Any, ...]] = (ABSENT, 0, False, b"", "", (), Eui64(bytes(8)), None)
_WORD: Final = re.compile(r"(?:^|_)(\w)")


class DeclaredField(Field):
    """A field of a command: its value is what our own codec has for it."""

    __slots__ = ("kind",)

    def __init__(self, name: str, kind: DataType) -> None:
        self.kind = kind
        # None is what fits when the layer is built. What a variant is depends on the field before it; and
        # scapy copies defaults, which records do not bear.
        default = None if hasattr(kind, "pick") else default_of(kind)
        Field.__init__(self, name, default if isinstance(default, int | bytes | str) else None, "B")

    def _type(self, packet: Packet) -> DataType:
        """The type in this packet: what a variant is, an earlier field says."""
        pick = getattr(self.kind, "pick", None)
        chosen = self.kind if pick is None else pick(packet.getfieldval(self.kind.on))  # type: ignore[attr-defined]
        return chosen

    def getfield(self, pkt: Packet, s: bytes) -> tuple[bytes, Any]:
        value, position = self._type(pkt).decode(s, 0, len(s))
        return s[position:], value

    def addfield(self, pkt: Packet, s: bytes, val: Any) -> bytes:
        out = bytearray()
        kind = self._type(pkt)
        kind.encode(default_of(kind) if val is None else _taken(kind, val), out)
        return s + bytes(out)

    def any2i(self, pkt: Packet | None, x: Any) -> Any:
        return x

    def i2h(self, pkt: Packet | None, x: Any) -> Any:
        return x

    def i2repr(self, pkt: Packet, x: Any) -> str:
        if x is None or x is ABSENT:
            return "absent" if x is ABSENT else "None"
        kind = self._type(pkt)
        try:
            return str(kind.to_json(_taken(kind, x)))
        except CodecError:
            return repr(x)

    def do_copy(self, x: Any) -> Any:
        return x

    def randval(self) -> Any:
        return RandNum(self.kind.low, self.kind.high) if isinstance(self.kind, Integer) else self.default


def _taken(kind: DataType, value: Any) -> Any:
    """What a person gives for a field: a mapping for a record, a list for a list."""
    if isinstance(kind, Fields) and isinstance(value, Mapping):
        return kind.record(value)
    element = getattr(kind, "element", None)
    if element is not None and isinstance(value, list | tuple):
        return tuple(_taken(element, item) for item in value)
    return int(value) if isinstance(value, RandNum) else value


def default_of(kind: DataType) -> Any:
    """The first plain value that fits a type: absent, 0, nothing, an empty list."""
    if isinstance(kind, Fields):
        values: dict[str, Any] = {}
        for name, inner in zip(kind.names, kind.kinds, strict=True):
            pick = getattr(inner, "pick", None)
            values[name] = default_of(inner if pick is None else pick(values[inner.on]))  # type: ignore[attr-defined]
        return kind.record(values)
    number, element = getattr(kind, "number", None), getattr(kind, "element", None)
    if isinstance(number, int) and element is not None:
        return tuple(default_of(element) for _ in range(number))
    size = getattr(kind, "size", None)
    octets = (bytes(size),) if isinstance(size, int) else ()
    for value in (*_CANDIDATES, *octets):
        try:
            kind.encode(value, bytearray())
        except (ZclEncodeError, TypeError, AttributeError):
            continue
        return value
    raise ZclEncodeError("no plain value fits", path=kind.name)


class ZclCommand(Packet):
    """Base of the layers of commands. `row`: what it was made from."""

    row: Command
    fields_desc: list[Field] = []  # noqa: RUF012 - scapy's own way to declare a layer

    def guess_payload_class(self, payload: bytes) -> type[Packet]:
        if self.row.cluster == Tunnelling.id:
            found = inside_tunnel(payload)
            if found is not None:
                return found
        return Packet.guess_payload_class(self, payload)


def _layer(cluster: str, command: Command) -> type[ZclCommand]:
    """The layer of one command: `PricePublishPrice`."""
    name = cluster + _WORD.sub(lambda found: found[1].upper(), command.name)
    kinds = list(zip(command.fields.names, command.fields.kinds, strict=True))
    if kinds and isinstance(kinds[-1][1], _REST):
        kinds.pop()  # it is the payload
    body = {
        "name": f"{cluster} {command.name.replace('_', ' ')}",
        "row": command,
        "fields_desc": [DeclaredField(field, kind) for field, kind in kinds],
    }
    maker: Any = type(ZclCommand)  # scapy's, which makes layers of classes
    made: type[ZclCommand] = maker(name, (ZclCommand,), body)
    return made


def _layers() -> dict[tuple[int, bool, int], type[ZclCommand]]:
    declare_all()
    return {
        (cluster.id, command.direction is SERVER_TO_CLIENT, command.id): _layer(cluster.__name__, command)
        for cluster in CLUSTERS.values()
        for command in cluster.commands.values()
    }


COMMAND_LAYERS: Final = _layers()
"""The layer of each command by cluster, whether it goes from server to client, and identifier."""


def install() -> None:
    """Have scapy's ZigBee Cluster Library go on with these layers, and with its own where there is none. To
    call it twice does no harm.
    """
    before = ZigbeeClusterLibrary.guess_payload_class
    if getattr(before, "of_smetslab", False):
        return

    def guess(self: Packet, payload: bytes) -> type[Packet]:
        cluster = getattr(self.underlayer, "cluster", None)
        if self.zcl_frametype == 1 and not self.manufacturer_specific and cluster is not None:
            found = COMMAND_LAYERS.get((cluster, bool(self.command_direction), self.command_identifier))
            if found is not None:
                return found
        if self.underlayer is None:
            return Packet.guess_payload_class(self, payload)
        return before(self, payload)

    guess.of_smetslab = True  # type: ignore[attr-defined]
    ZigbeeClusterLibrary.guess_payload_class = guess
