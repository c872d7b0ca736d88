"""The network layer of a device: security from hop to hop, routes, broadcasts, and frames for sleepers.

Spec: ZigBee 3.6.3 (routing and route discovery), 3.6.5 (broadcast), 3.6.2 (transmission, reception), 4.3.1
(security)
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from smetslab.errors import SecurityError, ZigbeeDecodeError, ZigbeeEncodeError
from smetslab.han.air.mac_entity import MacEntity, Reception
from smetslab.han.air.medium import Scheduler
from smetslab.han.stack.network import (
    AddressMap,
    FrameCounter,
    IncomingCounters,
    KeyTable,
    NetworkSettings,
    NodeKind,
)
from smetslab.han.stack.nwk_memory import Broadcasts, RouteRequests
from smetslab.ids import Eui64
from smetslab.value_class import value_class
from smetslab.zigbee import nwk
from smetslab.zigbee.mac_layer import BROADCAST, MacFrame, MacFrameType
from smetslab.zigbee.nwk import NwkFrame, NwkFrameType, decode_nwk, decode_nwk_command, open_nwk
from smetslab.zigbee.rows import Row
from smetslab.zigbee.security import AuxiliaryHeader, KeyIdentifier
from smetslab.zigbee.zcl.fields import FieldInput, Record

DISCOVERY_TIME_S: Final = 1.6
"""How long a route is looked for (unverified). Spec: ZigBee 3.5.1 (nwkcRouteDiscoveryTime is 10 s at most).
"""
ROUTE_REQUEST_RETRIES: Final = 3
ROUTE_REQUEST_INTERVAL_S: Final = 0.254
"""Spec: ZigBee 3.5.1 (nwkcInitialRREQRetries, nwkcRREQRetryInterval)."""
BROADCAST_JITTER_S: Final = 0.064
PASSIVE_ACK_S: Final = 0.5
BROADCAST_RETRIES: Final = 2
"""Spec: ZigBee 3.5.1 (nwkcMaxBroadcastJitter, nwkPassiveAckTimeout, nwkMaxBroadcastRetries)."""
MAX_WAITING: Final = 16
"""Frames that wait for one route; more are refused (unverified)."""
MAX_RADIUS: Final = 30
# Looking a member of an enumeration up is slow for what every frame asks.
_MAC_DATA, _NWK_DATA = MacFrameType.DATA, NwkFrameType.DATA
_INTER_PAN, _COMMAND = NwkFrameType.INTER_PAN, NwkFrameType.COMMAND
_NETWORK_KEY = KeyIdentifier.NETWORK
_TO_BE_SECURED = AuxiliaryHeader(_NETWORK_KEY, 0)
"""Takes the place of an auxiliary header until the frame leaves, and its counter is taken."""
_FIRST_BROADCAST = 0xFFF8

Done: TypeAlias = Callable[[bool], None]


@value_class(frozen=True, slots=True)
class NwkData:
    """What has come for this device. `secured`: under the network key; `sender`: who sent the last hop."""

    source: int
    destination: int
    payload: bytes
    secured: bool
    sender: Eui64 | None
    lqi: int
    source_ieee: Eui64 | None = None
    """What an unsecured frame says of itself."""


@dataclass(slots=True)
class NwkCounts:
    """What became of frames."""

    sent: int = 0
    received: int = 0
    relayed: int = 0
    malformed: int = 0
    replayed: int = 0
    wrong_key: int = 0
    unsecured: int = 0
    no_route: int = 0
    not_allowed: int = 0
    """Commands that another than the hub or the parent may not give."""


@dataclass(slots=True)
class _Discovery:
    """A route that this device looks for, and what waits for it."""

    identifier: int
    waiting: deque[tuple[NwkFrame, Done | None, int | None]] = field(default_factory=deque)


class NwkEntity:
    """The network layer of one device that is in a network."""

    def __init__(
        self,
        mac: MacEntity,
        scheduler: Scheduler,
        rng: random.Random,
        *,
        kind: NodeKind,
        settings: NetworkSettings,
        counter: FrameCounter,
        received: Callable[[NwkData], None],
        commanded: Callable[[Row, Record, NwkData], None],
    ) -> None:
        """`received` is called with data for the layer above, `commanded` with commands that are not about
        routes.
        """
        self.mac = mac
        self.kind = kind
        self.is_router = kind.routes
        self.settings = settings
        self.addresses = AddressMap()
        self.counts = NwkCounts()
        self.counter = counter
        self.parent = 0
        """An end device's only neighbour."""
        self.sleepers: dict[int, None] = {}
        """Children whose receivers are off: what is for them is kept."""
        self.end_devices: dict[int, None] = {}
        """Children that are awake, and pass nothing on."""
        self.neighbours: dict[int, int] = {}
        """Link quality of whom this device has heard itself, by short address."""
        self.heard_s: dict[int, float] = {}
        """When that was."""
        self.key_switched: Callable[[], None] = lambda: None
        """Called when the network key has changed because a frame came under the new one."""
        self.child_moved: Callable[[int], None] = lambda _address: None
        """Called when a frame of a child of this device comes through another."""
        self._scheduler = scheduler
        self._rng = rng
        self._received = received
        self._commanded = commanded
        self._keys = KeyTable()
        self._incoming = IncomingCounters()
        self._sequence = rng.randrange(256)
        self._route_request = rng.randrange(256)
        self._routes: dict[int, int] = {}
        self._discoveries: dict[int, _Discovery] = {}
        self._requests = RouteRequests(scheduler)
        self._broadcasts = Broadcasts(scheduler)

    @property
    def short_address(self) -> int:
        return self.mac.short_address

    @property
    def eui64(self) -> Eui64:
        return self.mac.eui64

    def used_keys(self) -> tuple[bytes, ...]:
        """Every network key that has sealed or opened a frame here."""
        return self._keys.keys()

    def forget(self) -> None:
        """The power goes: routes, neighbours and what waits are lost."""
        self.neighbours.clear()
        self.heard_s.clear()
        self._routes.clear()
        self._discoveries.clear()
        self._requests.clear()
        self._broadcasts.clear()

    def forget_neighbour(self, short_address: int) -> None:
        """A neighbour is silent, or has moved: no way leads over it any more."""
        self.neighbours.pop(short_address, None)
        self.heard_s.pop(short_address, None)
        for destination in [one for one, hop in self._routes.items() if short_address in {one, hop}]:
            del self._routes[destination]

    def forget_device(self, eui64: Eui64) -> None:
        """A device has left or joins anew."""
        short_address = self.addresses.short_address(eui64)
        self._incoming.forget(eui64)
        self.addresses.forget(eui64)
        if short_address is not None:
            self.sleepers.pop(short_address, None)
            self.end_devices.pop(short_address, None)
            self.neighbours.pop(short_address, None)
            self._routes.pop(short_address, None)

    # ---------------------------------------------------------------------------- sending

    def unicast(
        self,
        destination: int,
        payload: bytes,
        done: Done | None = None,
        *,
        secured: bool = True,
        tag: int | None = None,
    ) -> None:
        """Send data to one device. `done` is told whether the first hop has acknowledged it; `tag` goes on
        the air with it.
        """
        self._send(self._frame(_NWK_DATA, destination, payload, secured=secured), done, tag)

    def command(
        self,
        row: Row,
        destination: int,
        done: Done | None = None,
        /,
        *,
        secured: bool = True,
        **values: FieldInput,
    ) -> None:
        """Send a command of the network layer to one device. An unsecured one names its sender."""
        self._send(self._command_frame(row, destination, values, secured=secured), done)

    def neighbour_command(
        self,
        row: Row,
        destination: int,
        done: Done | None = None,
        /,
        *,
        secured: bool = True,
        asleep: bool = False,
        **values: FieldInput,
    ) -> None:
        """Send a command to a device in reach; one that is `asleep` gets it when it asks."""
        frame = self._command_frame(row, destination, values, secured=secured)
        self.counts.sent += 1
        if asleep:
            self._keep(frame, destination, done)
        else:
            self.mac.send(self._mac_frame(destination, self._octets(frame)), done)

    def _command_frame(
        self, row: Row, destination: int, values: dict[str, FieldInput], *, secured: bool
    ) -> NwkFrame:
        payload = bytes((row.id,)) + row.encode(**values)
        frame = self._frame(NwkFrameType.COMMAND, destination, payload, secured=secured)
        return frame if secured else replace(frame, source_ieee=self.eui64)

    def broadcast(self, payload: bytes, destination: int = nwk.BROADCAST_AWAKE) -> None:
        """Send data to everybody whom the broadcast address means."""
        self._begin_broadcast(self._frame(NwkFrameType.DATA, destination, payload))

    def broadcast_command(
        self, row: Row, destination: int, /, *, radius: int = MAX_RADIUS, **values: FieldInput
    ) -> None:
        """Send a command of the network layer to everybody whom the broadcast address means."""
        frame = self._command_frame(row, destination, values, secured=True)
        self._begin_broadcast(replace(frame, radius=radius))

    def _frame(
        self, kind: NwkFrameType, destination: int, payload: bytes, *, secured: bool = True
    ) -> NwkFrame:
        self._sequence = self._sequence + 1 & 0xFF
        security = _TO_BE_SECURED if secured else None
        source = self.mac.short_address
        return NwkFrame(kind, destination, source, self._sequence, payload, MAX_RADIUS, security)

    def _send(self, frame: NwkFrame, done: Done | None, tag: int | None = None) -> None:
        hop = self._next_hop(frame.destination)
        if hop is None:
            self._discover(frame, done, tag)
        else:
            self._hop(frame, hop, done, tag)

    def way_to(self, destination: int) -> int | None:
        """The neighbour that takes frames to `destination`; None where no way is known yet."""
        return self._next_hop(destination)

    def _is_child(self, short_address: int) -> bool:
        return short_address in self.sleepers or short_address in self.end_devices

    def _next_hop(self, destination: int) -> int | None:
        if not self.is_router:
            return self.parent
        if destination in self.neighbours or self._is_child(destination):
            return destination
        return self._routes.get(destination)

    def _hop(self, frame: NwkFrame, hop: int, done: Done | None, tag: int | None = None) -> None:
        """Send a frame over one hop, sealed by this device where it is secured."""
        try:
            if hop in self.sleepers:
                self._keep(frame, hop, done, tag)
            else:
                mac_frame = self._mac_frame(hop, self._octets(frame))
                self.mac.send(mac_frame, lambda ok: self._hopped(frame.destination, hop, done, ok=ok), tag)
        except ZigbeeEncodeError:
            if done is not None:
                done(False)
            raise
        self.counts.sent += 1

    def _keep(self, frame: NwkFrame, child: int, done: Done | None, tag: int | None = None) -> None:
        """Have a frame wait for a sleeper; it is sealed when it leaves."""
        self.mac.keep(self._mac_frame(child, b""), done, tag, payload=lambda: self._octets(frame))

    def _hopped(self, destination: int, hop: int, done: Done | None, *, ok: bool) -> None:
        if not ok and self.is_router:
            # The next attempt looks for another way.
            self.neighbours.pop(hop, None)
            if self._routes.get(destination) == hop:
                del self._routes[destination]
        if done is not None:
            done(ok)

    def _octets(self, frame: NwkFrame) -> bytes:
        if frame.security is None:
            return frame.encode()
        auxiliary = AuxiliaryHeader(
            _NETWORK_KEY, self.counter.next(), self.mac.eui64, self.settings.key_sequence
        )
        return frame.seal(self._keys.cipher(self.settings.key), auxiliary)

    def _mac_frame(self, hop: int, octets: bytes) -> MacFrame:
        return MacFrame(  # by position, which is twice as fast
            _MAC_DATA, 0, octets, self.settings.pan, hop, None, self.mac.short_address, hop != BROADCAST
        )

    # ---------------------------------------------------------------------------- broadcasts

    def _begin_broadcast(self, frame: NwkFrame) -> None:
        if not self.is_router:
            self._hop(frame, self.parent, None)
            return
        self._broadcasts.remember(frame)
        self._spread(frame, attempt=0)

    def _spread(self, frame: NwkFrame, attempt: int) -> None:
        """Send a broadcast, and again where a neighbour was not heard passing it on. Spec: ZigBee 3.6.5."""
        entry = self._broadcasts.find(frame)
        if entry is None:
            return
        quiet = [one for one in self.neighbours if one not in entry.heard_from and not self._is_child(one)]
        if attempt and not quiet and not self._is_route_request(frame, frame.payload):
            return
        self.mac.send(self._mac_frame(BROADCAST, self._octets(frame)))
        self.counts.sent += 1
        if frame.destination == nwk.BROADCAST_ALL and not attempt:
            for child in self.sleepers:
                self._keep(frame, child, None)
        if attempt < BROADCAST_RETRIES and frame.radius > 1 and quiet:
            self._scheduler.call_at(self._scheduler.time() + PASSIVE_ACK_S, self._spread, frame, attempt + 1)

    def _take_broadcast(self, frame: NwkFrame, sender: int, data: NwkData) -> None:
        entry = self._broadcasts.find(frame)
        if entry is not None:
            entry.heard_from[sender] = None
            return
        self._broadcasts.remember(frame).heard_from[sender] = None
        if self.is_router and frame.radius > 1:
            later = self._scheduler.time() + self._rng.uniform(0, BROADCAST_JITTER_S)
            self._scheduler.call_at(later, self._spread, replace(frame, radius=frame.radius - 1), 0)
        meant = frame.destination == nwk.BROADCAST_ALL or not self.kind.sleeps
        if meant:
            self._up(frame, data)

    # ---------------------------------------------------------------------------- routes

    def _discover(self, frame: NwkFrame, done: Done | None, tag: int | None) -> None:
        """Keep a frame until a route is known. Spec: ZigBee 3.6.3.5."""
        destination = frame.destination
        discovery = self._discoveries.get(destination)
        if discovery is None:
            self._route_request = self._route_request + 1 & 0xFF
            discovery = self._discoveries[destination] = _Discovery(self._route_request)
            self._scheduler.call_at(
                self._scheduler.time() + DISCOVERY_TIME_S, self._give_up, destination, discovery
            )
            self._requests.keep(self.short_address, discovery.identifier, 0, self.short_address)
            values: dict[str, FieldInput] = {
                "options": 0,
                "identifier": discovery.identifier,
                "destination": destination,
                "path_cost": 0,
                "destination_ieee": (),
            }
            request = self._command_frame(nwk.ROUTE_REQUEST, nwk.BROADCAST_ROUTERS, values, secured=True)
            self._broadcasts.remember(request)
            self._request(request, destination, discovery, ROUTE_REQUEST_RETRIES)
        if len(discovery.waiting) >= MAX_WAITING:
            self.counts.no_route += 1
            if done is not None:
                done(False)
            return
        discovery.waiting.append((frame, done, tag))

    def _request(self, request: NwkFrame, destination: int, discovery: _Discovery, again: int) -> None:
        """Ask for a route, and again as long as nobody has answered. Spec: ZigBee 3.6.3.5.1."""
        if self._discoveries.get(destination) is not discovery:
            return
        self._spread(request, BROADCAST_RETRIES)
        if again:
            later = self._scheduler.time() + ROUTE_REQUEST_INTERVAL_S
            self._scheduler.call_at(later, self._request, request, destination, discovery, again - 1)

    def _give_up(self, destination: int, discovery: _Discovery) -> None:
        if self._discoveries.get(destination) is not discovery:
            return
        del self._discoveries[destination]
        for _, done, _tag in discovery.waiting:
            self.counts.no_route += 1
            if done is not None:
                done(False)

    def _take_route_request(self, record: Record, frame: NwkFrame, sender: int, lqi: int) -> None:
        """Answer a request for this device or its child, or pass it on with its cost.

        Spec: ZigBee 3.6.3.5.2
        """
        if not self.is_router:
            return
        destination, identifier = record.integer("destination"), record.integer("identifier")
        cost = min(0xFF, record.integer("path_cost") + link_cost(lqi))
        known = self._requests.find(frame.source, identifier)
        if known is not None and known.cost <= cost:
            return
        self._requests.keep(frame.source, identifier, cost, sender)
        self._routes.setdefault(frame.source, sender)
        if destination == self.short_address or self._is_child(destination):
            self._reply(frame.source, identifier, destination, cost, sender)
        elif frame.radius > 1:
            passed = nwk.ROUTE_REQUEST.encode(
                options=0, identifier=identifier, destination=destination, path_cost=cost, destination_ieee=()
            )
            onward = replace(frame, radius=frame.radius - 1, payload=bytes((nwk.ROUTE_REQUEST.id,)) + passed)
            self._broadcasts.remember(onward)
            later = self._scheduler.time() + self._rng.uniform(0, BROADCAST_JITTER_S)
            self._scheduler.call_at(later, self._spread, onward, BROADCAST_RETRIES)

    def _reply(self, originator: int, identifier: int, responder: int, cost: int, hop: int) -> None:
        payload = nwk.ROUTE_REPLY.encode(
            options=0,
            identifier=identifier,
            originator=originator,
            responder=responder,
            path_cost=cost,
            addresses_ieee=(),
        )
        frame = self._frame(NwkFrameType.COMMAND, originator, bytes((nwk.ROUTE_REPLY.id,)) + payload)
        self._hop(frame, hop, None)

    def _take_route_reply(self, record: Record, sender: int) -> None:
        """Remember the way to the responder, and hand the reply on towards the originator."""
        originator, responder = record.integer("originator"), record.integer("responder")
        self._routes[responder] = sender
        if originator != self.short_address:
            known = self._requests.find(originator, record.integer("identifier"))
            if known is not None:
                self._reply(
                    originator,
                    record.integer("identifier"),
                    responder,
                    record.integer("path_cost"),
                    known.way,
                )
            return
        discovery = self._discoveries.pop(responder, None)
        if discovery is not None:
            for frame, done, tag in discovery.waiting:
                self._hop(frame, sender, done, tag)

    # ---------------------------------------------------------------------------- receiving

    def take(self, reception: Reception) -> None:
        """A data frame of the MAC layer has come."""
        sender = reception.frame.source
        try:
            frame = decode_nwk(reception.frame.payload)
        except ZigbeeDecodeError:
            self.counts.malformed += 1
            return
        oversized = len(reception.frame.payload) > nwk.MAX_NWK_OCTETS  # nobody could pass it on
        if oversized or not isinstance(sender, int) or frame.kind is _INTER_PAN:
            self.counts.malformed += 1
            return
        eui64 = None
        payload = frame.payload
        if frame.security is not None:
            opened = self._open(frame)
            if opened is None:
                return
            payload = opened
            eui64 = frame.security.source
            if eui64 is not None:
                self.addresses.learn(sender, eui64)
        if self.is_router and not self._is_child(sender):
            self.neighbours[sender] = reception.quality.lqi
            self.heard_s[sender] = self._scheduler.time()
        if frame.source == self.short_address:
            # An own broadcast comes back: somebody has passed it on.
            entry = self._broadcasts.find(frame)
            if entry is not None:
                entry.heard_from[sender] = None
            return
        if (
            self._is_child(frame.source)
            and sender != frame.source
            and frame.destination < _FIRST_BROADCAST
            and frame.security is not None
        ):
            self.child_moved(frame.source)
        data = NwkData(
            frame.source,
            frame.destination,
            payload,
            frame.security is not None,
            eui64,
            reception.quality.lqi,
            frame.source_ieee,
        )
        self._route(frame, sender, data)

    def _open(self, frame: NwkFrame) -> bytes | None:
        """The payload of a secured frame, if it is new and was sealed under the network key."""
        auxiliary = frame.security
        if auxiliary is None or auxiliary.source is None or auxiliary.key is not _NETWORK_KEY:
            self.counts.malformed += 1
            return None
        sequence = auxiliary.key_sequence
        key = self.settings.key_of(sequence)
        if key is None:
            self.counts.wrong_key += 1
            return None
        try:
            payload = open_nwk(frame, self._keys.cipher(key))
        except SecurityError:
            self.counts.wrong_key += 1
            return None
        if not self._incoming.admit(auxiliary.source, auxiliary.key_sequence, auxiliary.frame_counter):
            self.counts.replayed += 1
            return None
        if _is_later(sequence, self.settings.key_sequence) and self.settings.switch(sequence):
            # Somebody uses the new key: so does this device. Spec: ZigBee 4.3.1.2.
            self.key_switched()
        return payload

    def _route(self, frame: NwkFrame, sender: int, data: NwkData) -> None:
        if frame.destination >= _FIRST_BROADCAST:
            if not data.secured:
                self.counts.unsecured += 1
            elif self._is_route_request(frame, data.payload):
                self._up(replace(frame, payload=data.payload), data, sender)
            else:
                self._take_broadcast(replace(frame, payload=data.payload), sender, data)
        elif frame.destination == self.short_address:
            self._up(frame, data, sender)
        elif self.is_router and frame.radius > 1 and data.secured:
            self.counts.relayed += 1
            self._send(replace(frame, radius=frame.radius - 1, payload=data.payload), None)

    @staticmethod
    def _is_route_request(frame: NwkFrame, payload: bytes) -> bool:
        return frame.kind is _COMMAND and payload[:1] == bytes((nwk.ROUTE_REQUEST.id,))

    def _up(self, frame: NwkFrame, data: NwkData, sender: int | None = None) -> None:
        self.counts.received += 1
        if frame.kind is _NWK_DATA:
            self._received(data)
            return
        try:
            row, record = decode_nwk_command(data.payload)
        except ZigbeeDecodeError:
            self.counts.malformed += 1
            return
        if not data.secured and row not in {nwk.REJOIN_REQUEST, nwk.REJOIN_RESPONSE}:
            self.counts.unsecured += 1
        elif row is nwk.ROUTE_REQUEST and sender is not None:
            self._take_route_request(record, frame, sender, data.lqi)
        elif row is nwk.ROUTE_REPLY and sender is not None:
            self._take_route_reply(record, sender)
        else:
            self._commanded(row, record, data)


def _is_later(sequence: int, than: int) -> bool:
    """Whether a key sequence number comes after another, over its end too."""
    return 0 < (sequence - than & 0xFF) < 0x80


def link_cost(lqi: int) -> int:
    """The cost of a hop, 1 to 7, by its link quality (the steps are unverified). Spec: ZigBee 3.6.3.1."""
    return max(1, min(7, 8 - lqi // 32))
