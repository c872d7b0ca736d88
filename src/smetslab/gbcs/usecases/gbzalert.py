"""GBZ alerts: alert code, time stamp, and what else the alert says, declared as data with its one engine.

Everything outside a ZCL frame is big-endian.

Spec: GBCS 16 (alert payloads), 9.2 (future-dated execution)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from smetslab.errors import GbcsDecodeError, GbcsEncodeError, ZclEncodeError
from smetslab.gbcs.codes import Cra
from smetslab.gbcs.elements import Elements
from smetslab.gbcs.gbz.components import Expected, Mismatch, decode_named, encode_named
from smetslab.gbcs.gbz.naming import Subject, cluster_name, cluster_number
from smetslab.gbcs.gbz.payload import (
    ALERT_HEAD_BYTES,
    decode_alert,
    decode_component,
    encode_alert,
    encode_component,
    is_gbz,
)
from smetslab.gbcs.gbz.payload import GbzAlert as AlertContent
from smetslab.gbcs.message import Message, content_offset
from smetslab.gbcs.values import Parameters, Value, from_hex, to_hex
from smetslab.ids import MAX_COUNTER, format_message_code
from smetslab.zigbee.zcl import (
    CLIENT_TO_SERVER,
    CLUSTERS,
    SERVER_TO_CLIENT,
    Command,
    Direction,
    cluster_named,
)
from smetslab.zigbee.zcl.named import CANCEL, Moment, seconds_from_text, seconds_to_text

_SPEC = "GBCS 16"
_CLUSTER_SPECIFIC, _FROM_SERVER = 0x01, 0x08


class Extra(Protocol):
    """What an alert adds to code and time stamp."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def encrypted(self) -> bool:
        """True when it is sealed to the recipient."""

    @property
    def elements(self) -> Elements:
        """What MMC calls it and its members, by path."""

    def decode(self, octets: bytes, message: Message, secret: bytes | None, base: int) -> Value:
        """Its named value; `base` is its offset. Raises GbcsDecodeError, SecurityError."""

    def encode(self, value: Value, header: Message, secret: bytes | None) -> bytes:
        """Its octets. Raises GbcsEncodeError."""


@dataclass(frozen=True, slots=True)
class GbzAlert:
    """Content of an alert that a ZigBee device sends."""

    extra: Extra | None = None

    elements: ClassVar[Elements] = {"alert_code": ("GBCSHexAlertCode",), "time_stamp": ("Timestamp",)}
    is_alert = True
    command_parameters = ()
    activations = ()

    @property
    def encrypts_response(self) -> bool:
        return self.extra is not None and self.extra.encrypted

    def recognises(self, content: bytes) -> bool:
        return is_gbz(content)

    def decode(self, message: Message, secret: bytes | None) -> Parameters:
        if message.cra is not Cra.ALERT:
            raise GbcsDecodeError(
                "the use case has no such message",
                path="CRA flag",
                expected="an alert",
                found=message.cra.name.lower(),
            )
        base = content_offset(message)
        alert = decode_alert(message.content, base=base)
        out: Parameters = {
            "alert_code": f"{alert.alert_code:04X}",
            "time_stamp": seconds_to_text(alert.time_stamp),
        }
        if self.extra is not None:
            out[self.extra.name] = self.extra.decode(alert.extra, message, secret, base + ALERT_HEAD_BYTES)
        elif alert.extra:
            raise GbcsDecodeError(
                "trailing bytes",
                offset=base + ALERT_HEAD_BYTES,
                path="alert",
                expected="the end",
                found=f"{len(alert.extra)} more bytes",
                spec=_SPEC,
            )
        return out

    def encode(self, header: Message, parameters: Parameters, secret: bytes | None) -> bytes:
        names = (
            ("alert_code", "time_stamp")
            if self.extra is None
            else ("alert_code", "time_stamp", self.extra.name)
        )
        given = _members(parameters, names, "")
        code = from_hex(given[0], "alert_code")
        if len(code) != 2:
            raise GbcsEncodeError("not an alert code", path="alert_code", expected="four hex digits")
        try:
            seconds = seconds_from_text(str(given[1]))
        except ZclEncodeError as error:
            raise GbcsEncodeError(
                error.what, path="time_stamp", expected=error.expected, found=error.found
            ) from None
        extra = b"" if self.extra is None else self.extra.encode(given[2], header, secret)
        return encode_alert(
            AlertContent(
                count=1 if extra else 0,
                alert_code=int.from_bytes(code, "big"),
                time_stamp=seconds,
                extra=extra,
            )
        )


def _members(value: Value, names: tuple[str, ...], path: str, optional: tuple[str, ...] = ()) -> list[Value]:
    """The values of these members, none but `optional` ones missing, and nothing else."""
    if not isinstance(value, dict):
        raise GbcsEncodeError(
            "not named members", path=path, expected=", ".join(names), found=repr(value)[:40]
        )
    before = f"{path}." if path else ""
    for name in value:
        if name not in names and name not in optional:
            raise GbcsEncodeError("no such member", path=f"{before}{name}", expected=", ".join(names))
    for name in names:
        if name not in value:
            raise GbcsEncodeError("missing", path=f"{before}{name}")
    return [value[name] for name in names]


def _exact(octets: bytes, size: int, base: int, path: str) -> None:
    if len(octets) != size:
        raise GbcsDecodeError(
            "truncated" if len(octets) < size else "trailing bytes",
            offset=base + min(len(octets), size),
            path=path,
            expected=f"{size} bytes",
            found=str(len(octets)),
            spec=_SPEC,
        )


def _prefix(octets: bytes, prefix: bytes, base: int, path: str) -> None:
    if octets[: len(prefix)] != prefix:
        raise GbcsDecodeError(
            "wrong constant",
            offset=base,
            path=path,
            expected=to_hex(prefix),
            found=to_hex(octets[: len(prefix)]),
            spec=_SPEC,
        )


@dataclass(frozen=True, slots=True)
class InstructionMember:
    """The component of a future-dated command that was executed: whose command it was, and which of its
    parts.

    `frame_control` appears only where it is not that of the command.
    """

    name: str = "instruction"
    encrypted = False
    elements: ClassVar[Elements] = {
        "instruction": ("GBZFutureDatedAlert",),
        "instruction.message_code": ("FutureDatedCommandMessageCode",),
        "instruction.originator_counter": ("FutureDatedCommandOriginatorCounter",),
        "instruction.cluster": ("ExtendedHeaderClusterID",),
        "instruction.frame_control": ("FrameControl",),
        "instruction.command": ("CommandIdentifier",),
    }

    def decode(self, octets: bytes, message: Message, secret: bytes | None, base: int) -> Value:
        del message, secret
        path = f"alert.{self.name}"
        _prefix(octets, b"\x0e", base, path)
        _exact(octets, 15, base, path)
        cluster, control, number = int.from_bytes(octets[11:13], "big"), octets[13], octets[14]
        command = _dated_command(cluster, control, number)
        out: dict[str, Value] = {
            "message_code": format_message_code(int.from_bytes(octets[1:3], "big")),
            "originator_counter": int.from_bytes(octets[3:11], "big"),
            "cluster": cluster_name(cluster),
            "command": f"unknown_0x{number:02X}" if command is None else command.name,
        }
        if control != _usual_control(command):
            out["frame_control"] = control
        return out

    def encode(self, value: Value, header: Message, secret: bytes | None) -> bytes:
        del header, secret
        names = ("message_code", "originator_counter", "cluster", "command")
        code, counter, cluster, command = _members(value, names, self.name, ("frame_control",))
        octets = from_hex(
            code.removeprefix("0x") if isinstance(code, str) else code, f"{self.name}.message_code"
        )
        if len(octets) != 2:
            raise GbcsEncodeError("not a Message Code", path=f"{self.name}.message_code", found=repr(code))
        try:
            number = cluster_number(cluster)
        except ZclEncodeError as error:
            raise GbcsEncodeError(error.what, path=f"{self.name}.cluster", found=repr(cluster)) from None
        declared = cluster_named(str(cluster))
        known = declared.commands_by_name.get(str(command)) if declared is not None else None
        identifier = (
            from_hex(str(command).removeprefix("unknown_0x"), f"{self.name}.command")
            if known is None
            else b""
        )
        if known is None and len(identifier) != 1:
            raise GbcsEncodeError("no such command", path=f"{self.name}.command", found=repr(command))
        control = value.get("frame_control", _usual_control(known)) if isinstance(value, dict) else 0
        return b"".join(
            (
                b"\x0e",
                octets,
                _number(counter, MAX_COUNTER, f"{self.name}.originator_counter").to_bytes(8, "big"),
                number.to_bytes(2, "big"),
                bytes((_number(control, 0xFF, f"{self.name}.frame_control"),)),
                identifier if known is None else bytes((known.id,)),
            )
        )


def _usual_control(command: Command | None) -> int:
    from_server = command is not None and command.direction is SERVER_TO_CLIENT
    return _CLUSTER_SPECIFIC | (_FROM_SERVER if from_server else 0)


def _dated_command(cluster_id: int, control: int, number: int) -> Command | None:
    """The command that an instruction names.

    The direction in its frame control is not always that of the command (GCS05 says 01 for Publish
    Calendar): a command that can be future dated is meant before one that cannot.
    """
    cluster = CLUSTERS.get(cluster_id)
    if cluster is None:
        return None
    named = SERVER_TO_CLIENT if control & _FROM_SERVER else CLIENT_TO_SERVER
    found = [cluster.commands.get((direction, number)) for direction in (named, Direction(1 - named))]
    dated = [command for command in found if command is not None and _can_be_dated(command)]
    return dated[0] if dated else found[0]


def _can_be_dated(command: Command) -> bool:
    return any(isinstance(kind, Moment) and CANCEL in kind.names.values() for kind in command.fields.kinds)


def _number(value: Value, limit: int, path: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= limit:
        raise GbcsEncodeError("out of range", path=path, expected=f"0..{limit}", found=repr(value))
    return value


@dataclass(frozen=True, slots=True)
class HashMember:
    """A hash as a DLMS octet-string, tag and length included."""

    name: str
    elements: Elements = field(default_factory=dict)
    encrypted = False

    def decode(self, octets: bytes, message: Message, secret: bytes | None, base: int) -> Value:
        del message, secret
        _prefix(octets, b"\x09\x20", base, f"alert.{self.name}")
        _exact(octets, 34, base, f"alert.{self.name}")
        return to_hex(octets[2:])

    def encode(self, value: Value, header: Message, secret: bytes | None) -> bytes:
        del header, secret
        octets = from_hex(value, self.name)
        if len(octets) != 32:
            raise GbcsEncodeError("not a hash", path=self.name, expected="32 octets", found=str(len(octets)))
        return b"\x09\x20" + octets


@dataclass(frozen=True, slots=True)
class ReasonMember:
    """A number of two octets; `names` has meanings."""

    name: str
    names: Mapping[int, str]
    elements: Elements = field(default_factory=dict)
    encrypted = False

    def decode(self, octets: bytes, message: Message, secret: bytes | None, base: int) -> Value:
        del message, secret
        _exact(octets, 2, base, f"alert.{self.name}")
        number = int.from_bytes(octets, "big")
        return self.names.get(number, number)

    def encode(self, value: Value, header: Message, secret: bytes | None) -> bytes:
        del header, secret
        number = next((number for number, name in self.names.items() if name == value), value)
        return _number(number, 0xFFFF, self.name).to_bytes(2, "big")


@dataclass(frozen=True, slots=True)
class ComponentMember:
    """One whole GBZ component with `command`, encrypted to the recipient."""

    name: str
    command: Command
    elements: Elements = field(default_factory=dict)
    encrypted = True

    def decode(self, octets: bytes, message: Message, secret: bytes | None, base: int) -> Value:
        placed = decode_component(octets, base=base)
        (value,) = decode_named((placed,), self._plan, message, secret)
        return value

    def encode(self, value: Value, header: Message, secret: bytes | None) -> bytes:
        (component,) = encode_named([value], self._plan, header, secret, self.name)
        return encode_component(component)

    def _plan(self, subjects: Sequence[Subject]) -> list[Expected] | Mismatch:
        if subjects[0][:2] != (self.command.cluster, self.command):
            return Mismatch(0, f"{self.command.name} of cluster {cluster_name(self.command.cluster)}")
        return [
            Expected(
                sequence=0,
                server_to_client=self.command.direction is SERVER_TO_CLIENT,
                disable_default_response=True,
                encrypted=True,
            )
        ]
