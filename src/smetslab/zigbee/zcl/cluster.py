"""Declaring clusters: attributes and commands as rows of a class, compiled when the class is made.

    class Tunnelling(Cluster, id=0x0704, spec="ZSE 1.4 D.6"):
        close_tunnel_timeout = attribute(0x0000, UInt16, mandatory=True, units="seconds")
        close_tunnel = command(0x01, CLIENT_TO_SERVER, fields(tunnel_id=UInt16))

A row is the codec for both directions. Two rows with one number are refused, and so are two clusters.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Flag, IntEnum, auto
from types import MappingProxyType
from typing import ClassVar, Literal, TypeAlias

from smetslab.errors import RegistryError, ZclDecodeError
from smetslab.zigbee.zcl.fields import FieldInput, Fields, Record, fields
from smetslab.zigbee.zcl.frame import ZclFrame
from smetslab.zigbee.zcl.types import DataType
from smetslab.zigbee.zcl.values import JsonValue, ZclValue

Confidence: TypeAlias = Literal["stated", "unverified"]


class Direction(IntEnum):
    """The direction bit of the frame control. Spec: ZCL 2.4.1.1.3."""

    CLIENT_TO_SERVER = 0
    SERVER_TO_CLIENT = 1


CLIENT_TO_SERVER = Direction.CLIENT_TO_SERVER
SERVER_TO_CLIENT = Direction.SERVER_TO_CLIENT


class Access(Flag):
    """What a remote device may do with an attribute."""

    READ = auto()
    WRITE = auto()
    REPORT = auto()


class Attribute:
    """One attribute. `server` says on which side of the cluster it lives; `units` is for people."""

    __slots__ = (
        "access",
        "cluster",
        "confidence",
        "default",
        "id",
        "mandatory",
        "name",
        "server",
        "type",
        "units",
    )

    def __init__(
        self,
        number: int,
        kind: DataType,
        access: Access,
        *,
        mandatory: bool,
        server: bool,
        units: str,
        default: ZclValue,
        confidence: Confidence,
    ) -> None:
        self.id = number
        self.type = kind
        self.access = access
        self.mandatory = mandatory
        self.server = server
        self.units = units
        self.default = default
        self.confidence = confidence
        self.name = ""
        self.cluster = -1

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"<attribute {self.name} 0x{self.id:04X}>"


class Command:
    """One command of a cluster in one direction."""

    __slots__ = ("cluster", "confidence", "direction", "fields", "id", "name")

    def __init__(self, number: int, direction: Direction, shape: Fields, confidence: Confidence) -> None:
        self.id = number
        self.direction = direction
        self.fields = shape
        self.confidence = confidence
        self.name = ""
        self.cluster = -1

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"<command {self.name} 0x{self.id:02X} {self.direction.name}>"

    def record(self, **values: FieldInput) -> Record:
        """The fields by name; ZclEncodeError for a name that is missing or not declared."""
        return self.fields.record(values)

    def to_json(self, record: Record) -> dict[str, JsonValue]:
        """The fields in their JSON form."""
        value = self.fields.to_json(record)
        return value if isinstance(value, dict) else {}

    def from_json(self, value: JsonValue) -> Record:
        """The reverse of `to_json`; ZclEncodeError for what does not fit, with the path of the field."""
        return self.fields.from_json(value)

    def encode(self, record: Record) -> bytes:
        """The payload."""
        out = bytearray()
        self.fields.encode(record, out)
        return bytes(out)

    def decode(self, payload: bytes, *, base: int = 0) -> Record:
        """The fields of a payload. Octets behind the last field are kept in `trailing`.

        `base` is the offset of the payload in what errors count from.
        """
        try:
            record, position = self.fields.decode(payload, 0, len(payload))
        except ZclDecodeError as error:
            if error.offset is not None:
                error = ZclDecodeError(
                    error.what,
                    offset=error.offset + base,
                    path=error.path,
                    expected=error.expected,
                    found=error.found,
                    spec=error.spec,
                )
            raise error.within(self.name) from None
        if position == len(payload):
            return record
        return Record(record.shape, record.values, bytes(payload[position:]))

    def frame(self, record: Record, *, sequence: int, disable_default_response: bool = False) -> ZclFrame:
        """A frame of this command."""
        return ZclFrame(
            cluster_specific=True,
            server_to_client=self.direction is SERVER_TO_CLIENT,
            disable_default_response=disable_default_response,
            sequence=sequence,
            command=self.id,
            payload=self.encode(record),
        )


def attribute(
    number: int,
    kind: DataType,
    *,
    access: Access = Access.READ,
    mandatory: bool = False,
    server: bool = True,
    units: str = "",
    default: ZclValue = None,
    confidence: Confidence = "stated",
) -> Attribute:
    """Declare an attribute inside a `Cluster`."""
    return Attribute(
        number,
        kind,
        access,
        mandatory=mandatory,
        server=server,
        units=units,
        default=default,
        confidence=confidence,
    )


class Ladder(tuple[Attribute, ...]):
    """Attributes of one kind that stand in a row, such as the registers of every rate. In the class of a
    cluster each of them is an attribute like any other."""

    __slots__ = ()


def ladder(
    kind: DataType, names: Mapping[int, str], *, units: str = "", confidence: Confidence = "stated"
) -> Ladder:
    """Declare a row of attributes of one side, the server's, by number, inside a `Cluster`."""
    rows: list[Attribute] = []
    for number, name in names.items():
        rows.append(attribute(number, kind, units=units, confidence=confidence))
        rows[-1].name = name
    return Ladder(rows)


def command(
    number: int, direction: Direction, shape: Fields | None = None, *, confidence: Confidence = "stated"
) -> Command:
    """Declare a command inside a `Cluster`; without `shape` it has no payload."""
    return Command(number, direction, fields() if shape is None else shape, confidence)


CLUSTERS: dict[int, type[Cluster]] = {}
"""Every declared cluster by its identifier."""
_BY_NAME: dict[str, type[Cluster]] = {}

_WORD_START = re.compile(r"(?<!^)(?=[A-Z])")


class Cluster:
    """Base of all declared clusters; classes are tables and are never instantiated."""

    id: ClassVar[int]
    name: ClassVar[str]
    """The name of the class as JSON forms write it: `device_management`."""
    spec: ClassVar[str]
    attributes: ClassVar[Mapping[tuple[bool, int], Attribute]]
    """By side (True: server) and identifier."""
    commands: ClassVar[Mapping[tuple[Direction, int], Command]]
    """By direction and identifier."""
    attributes_by_name: ClassVar[Mapping[str, Attribute]]
    commands_by_name: ClassVar[Mapping[str, Command]]

    def __init_subclass__(cls, *, id: int, spec: str) -> None:
        super().__init_subclass__()
        if id in CLUSTERS:
            raise RegistryError(
                f"cluster 0x{id:04X} is declared twice: {CLUSTERS[id].__name__}, {cls.__name__}"
            )
        attributes: dict[tuple[bool, int], Attribute] = {}
        commands: dict[tuple[Direction, int], Command] = {}
        rows = [one for row in vars(cls).values() for one in (row if isinstance(row, Ladder) else (row,))]
        for row in rows:
            if isinstance(row, Attribute):
                if (row.server, row.id) in attributes:
                    raise RegistryError(f"attribute 0x{row.id:04X} of {cls.__name__} is declared twice")
                attributes[row.server, row.id] = row
                row.cluster = id
            elif isinstance(row, Command):
                if (row.direction, row.id) in commands:
                    raise RegistryError(
                        f"command 0x{row.id:02X} {row.direction.name} of {cls.__name__} is declared twice"
                    )
                commands[row.direction, row.id] = row
                row.cluster = id
        cls.id = id
        cls.spec = spec
        cls.attributes = MappingProxyType(attributes)
        cls.commands = MappingProxyType(commands)
        cls.attributes_by_name = MappingProxyType({row.name: row for row in attributes.values()})
        cls.commands_by_name = MappingProxyType({row.name: row for row in commands.values()})
        cls.name = _WORD_START.sub("_", cls.__name__).lower()
        CLUSTERS[id] = cls
        _BY_NAME[cls.name] = cls


def cluster_named(name: str) -> type[Cluster] | None:
    """The declared cluster with this name."""
    return _BY_NAME.get(name)


def find_command(cluster_id: int, frame: ZclFrame) -> Command | None:
    """The declared command a frame carries; None for general, manufacturer's own and unknown ones."""
    cluster = CLUSTERS.get(cluster_id)
    if cluster is None or not frame.cluster_specific or frame.manufacturer_code is not None:
        return None
    direction = SERVER_TO_CLIENT if frame.server_to_client else CLIENT_TO_SERVER
    return cluster.commands.get((direction, frame.command))
