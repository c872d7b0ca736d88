"""What can go wrong with a device's radio: the faults of the air, made to happen on the home that it is in.

Spec: design of the lab file (`[[premises.faults]]`); ZigBee 4.3.1 (counters and keys)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from smetslab.clock import Clock
from smetslab.devices.faults import FaultHandler, FaultValue, Faulty
from smetslab.errors import LocalProtocolError, UsageError
from smetslab.gbcs.codes import DeviceType
from smetslab.han.air.bands import Channel
from smetslab.han.air.impair import KINDS, LAYERS, Impairment
from smetslab.han.stack.home import RadioHome
from smetslab.han.stack.node import RadioNode
from smetslab.ids import Eui64
from smetslab.trace import Trace


@dataclass(frozen=True, slots=True)
class OnTheAir:
    """A device and its radio: what faults are injected into where a home is on the air.

    `find_peer`: the device of the home that has this name or EUI-64, or UsageError.
    """

    device: Faulty
    home: RadioHome
    clock: Clock
    find_peer: Callable[[str], Eui64]

    @property
    def eui64(self) -> Eui64:
        """The device's own address."""
        return self.device.eui64

    @property
    def trace(self) -> Trace:
        """Where faults are noted."""
        return self.device.trace

    @property
    def device_type(self) -> DeviceType:
        """What it is."""
        return self.device.device_type

    @property
    def _node(self) -> RadioNode:
        return self.home.node_of(self.eui64)

    def fault_handlers(self) -> Mapping[str, FaultHandler]:
        """The device's own faults and those of its radio."""
        return {
            **self.device.fault_handlers(),
            "out-of-range": self._out_of_range,
            "in-range": self._in_range,
            "frames": self._frames,
            "frames-end": self._frames_end,
            "jam": self._jam,
            "counter-rollback": self._counter,
            "key-mismatch": self._key,
            "network-key-change": self._network_key,
            "channel-change": self._channel,
            "inject-frame": self._inject,
        }

    async def _out_of_range(self, parameters: Mapping[str, FaultValue]) -> None:
        self.home.set_reachable(self.eui64, False)
        if seconds := int(parameters["seconds"]):
            self.clock.call_at(self.clock.time() + seconds, self.home.set_reachable, self.eui64, True)

    async def _in_range(self, _parameters: Mapping[str, FaultValue]) -> None:
        self.home.set_reachable(self.eui64, True)

    async def _frames(self, parameters: Mapping[str, FaultValue]) -> None:
        own = self._node.eui64
        peer = None
        if name := str(parameters["peer"]):
            peer = self.home.node_of(self.find_peer(name)).eui64
        seconds = int(parameters["seconds"])
        wanted = parameters["direction"]
        directions: list[tuple[Eui64 | None, Eui64 | None]] = [(own, peer)] if wanted != "to" else []
        if wanted != "from":
            directions.append((peer, own))
        for source, target in directions:
            self.home.impair(
                Impairment(
                    kind=next(kind for kind in KINDS if kind == parameters["kind"]),
                    layer=next(layer for layer in LAYERS if layer == parameters["layer"]),
                    share=int(parameters["percent"]) / 100,
                    burst_frames=float(parameters["burst"]),
                    source=source,
                    target=target,
                    delay_s=int(parameters["milliseconds"]) / 1000,
                    until_s=self.clock.time() + seconds if seconds else None,
                )
            )

    async def _frames_end(self, _parameters: Mapping[str, FaultValue]) -> None:
        self.home.repair()

    async def _jam(self, parameters: Mapping[str, FaultValue]) -> None:
        until = self.clock.time() + int(parameters["seconds"])
        self.home.medium.jam(self._node.mac.channel, until)

    async def _counter(self, parameters: Mapping[str, FaultValue]) -> None:
        node = self._node
        counter = node.network.counter if parameters["layer"] == "nwk" else node.aps.counter
        counter.jump(-int(parameters["by"]))

    async def _key(self, parameters: Mapping[str, FaultValue]) -> None:
        node, hub = self._node, self.home.hub
        if parameters["key"] == "network":
            settings = node.network.settings
            settings.key, settings.alternate_key = _another(settings.key), None
        elif node is hub:
            raise UsageError("a hub has no link key with itself", hint="name the other device")
        elif hub.eui64 in node.aps.link_keys:
            node.aps.link_keys[hub.eui64] = _another(node.aps.link_keys[hub.eui64])

    async def _network_key(self, _parameters: Mapping[str, FaultValue]) -> None:
        self.home.hub.changes.change_key()

    async def _channel(self, parameters: Mapping[str, FaultValue]) -> None:
        self.home.hub.changes.change_channel(Channel(int(parameters["channel"])))

    async def _inject(self, parameters: Mapping[str, FaultValue]) -> None:
        try:
            octets = bytes.fromhex(str(parameters["octets"]))
            for _ in range(int(parameters["times"])):
                self.home.inject(octets, check_sequence=parameters["check_sequence"] == "fitting")
        except ValueError:
            raise UsageError("fault inject-frame: octets are pairs of hexadecimal digits") from None
        except LocalProtocolError as error:
            raise UsageError(f"fault inject-frame: {error}") from error


def _another(key: bytes) -> bytes:
    """A key that is not this one."""
    return bytes(octet ^ 0xFF for octet in key)
