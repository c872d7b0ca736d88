"""Joining a network: the joiner on the device, the trust centre on the hub, each a state machine on a
scheduler.

A device looks for networks that let devices in, associates, is given the network key under the key that its
install code stands for, announces itself, and agrees a link key with the hub by certificates. Whoever fails
on the way is sent away, or gives up and begins anew.

Spec: ZigBee 3.6.1 (joining), 4.6.3 (authentication), ZSE 1.4 5.4.7 (how a device is let in), annex C; GBCS 10
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Final, Protocol

from smetslab.han.air.bands import Channel, all_channels
from smetslab.han.air.mac_entity import Reception
from smetslab.han.air.medium import Cancellable, Scheduler
from smetslab.han.limits import SMART_ENERGY_PROFILE
from smetslab.han.stack.aps_entity import ApsData
from smetslab.han.stack.network import COORDINATOR_ADDRESS
from smetslab.ids import Eui64
from smetslab.zigbee import aps, mac_layer, nwk
from smetslab.zigbee.cbke.certificate import KeyEstablishmentKey
from smetslab.zigbee.cbke.exchange import Action, Established, Failed, KeyExchange, Send
from smetslab.zigbee.mac_layer import (
    BROADCAST,
    NO_SHORT_ADDRESS,
    AssociationStatus,
    Capability,
    MacFrame,
    MacFrameType,
    ZigbeeBeacon,
    decode_beacon,
)
from smetslab.zigbee.security import KeyIdentifier
from smetslab.zigbee.zcl import decode_frame
from smetslab.zigbee.zcl.clusters.key_establishment import KeyEstablishment
from smetslab.zigbee.zcl.fields import Record

if TYPE_CHECKING:
    from smetslab.han.stack.node import RadioNode

KEY_ENDPOINT: Final = 1
"""Where a node has Key Establishment; its peers ask for it by its cluster."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JoiningRules:
    """Times in seconds (those without a clause are unverified)."""

    scan_s: float = 0.14
    """On each channel. Spec: IEEE 802.15.4 7.1.11 (scan duration 3)."""
    response_s: float = 0.5
    """Until the answer to an association is asked for. Spec: IEEE 802.15.4 7.4.2 (macResponseWaitTime)."""
    key_s: float = 5.0
    """How long the network key is waited for. Spec: ZigBee 4.7.3.1 (apsSecurityTimeOutPeriod)."""
    retry_s: float = 30.0
    """After a failure, before the next attempt."""
    authorise_s: float = 1200.0
    """How long a device may be in the network without a link key of its own."""


class Gate(Protocol):
    """What decides who is let in: the hub's Device Log in a home."""

    def opens(self) -> bool:
        """Whether joining is open to anybody now: what beacons say."""
        ...

    def key_of(self, device: Eui64) -> bytes | None:
        """The link key that a device's install code stands for; None: it is not let in now."""
        ...

    def joined(self, device: Eui64, link_key: bytes) -> None:
        """A device has agreed a link key."""
        ...

    def has_room(self, device: Eui64, beside: int) -> bool:
        """Whether a device may come to the sub-GHz radio, where so many others are."""
        ...


# -------------------------------------------------------------------------------- the device


class JoinState(Enum):
    """How far a device has come."""

    OUTSIDE = auto()
    SCANNING = auto()
    ASSOCIATING = auto()
    AWAITING_KEY = auto()
    ESTABLISHING = auto()
    JOINED = auto()


class Joiner:
    """Brings one device into a network, as often as it takes. `finished` is called when it has joined."""

    def __init__(
        self,
        node: RadioNode,
        scheduler: Scheduler,
        rng: random.Random,
        *,
        link_key: bytes,
        certificate: Callable[[], KeyEstablishmentKey],
        finished: Callable[[], None],
        rules: JoiningRules | None = None,
    ) -> None:
        """`link_key`: the one its install code stands for; `certificate`: made when it is needed first."""
        self.state = JoinState.OUTSIDE
        self.attempts = 0
        self._node = node
        self._scheduler = scheduler
        self._rng = rng
        self._link_key = link_key
        self._certificate = certificate
        self._finished = finished
        self._rules = JoiningRules() if rules is None else rules
        self._channels: list[Channel] = []
        self._found: list[tuple[int, Channel, int, int, ZigbeeBeacon]] = []
        """Networks that let devices in: link quality, channel, PAN, the beaconing device, its beacon."""
        self._timer: Cancellable | None = None
        self._exchange: KeyExchange | None = None
        self._endpoint = KEY_ENDPOINT

    def start(self) -> None:
        """Look for a network. Spec: ZigBee 3.6.1.3 (active scan)."""
        self._node.mac.pan, self._node.mac.short_address = BROADCAST, NO_SHORT_ADDRESS
        # A sleeper stays awake until it has an address.
        self._node.mac.always_listening = True
        self._node.mac.listen(on=True)
        self.attempts += 1
        self._exchange = None
        self._found.clear()
        self._channels = all_channels(self._node.mac.channel.band)
        self._enter(JoinState.SCANNING)
        self._scan()

    def stop(self) -> None:
        """The power goes."""
        self._enter(JoinState.OUTSIDE)

    def left(self) -> None:
        """The device was told to leave: it has no key any more, and looks for a network again."""
        node = self._node
        node.aps.link_keys.clear()
        node.network.settings.key = node.home.no_key(node.eui64)
        node.network.settings.alternate_key = None
        node.network.forget()
        self._enter(JoinState.OUTSIDE)
        self._after(self._rules.retry_s, self.start)

    def _enter(self, state: JoinState) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.state = state

    def _after(self, seconds: float, then: Callable[[], None]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._scheduler.call_at(self._scheduler.time() + seconds, then)

    def _fail(self, why: str) -> None:
        """Give up for now."""
        self._node.home.record("JoinFailed", source=str(self._node.eui64), state=self.state.name, reason=why)
        self._enter(JoinState.OUTSIDE)
        self._after(self._rules.retry_s, self.start)

    # ---------------------------------------------------------------------------- scan and association

    def _scan(self) -> None:
        if not self._channels:
            self._choose()
            return
        self._node.mac.tune(self._channels.pop(0))
        self._node.mac.send(mac_layer.beacon_request())
        self._after(self._rules.scan_s, self._scan)

    def beacon(self, reception: Reception) -> None:
        """A beacon has come."""
        frame = reception.frame
        if (
            self.state is not JoinState.SCANNING
            or frame.source_pan is None
            or not isinstance(frame.source, int)
        ):
            return
        beacon = decode_beacon(frame.payload)
        routes = self._node.kind.routes
        if beacon.permit_joining and (beacon.router_capacity if routes else beacon.end_device_capacity):
            channel = self._node.mac.channel
            self._found.append((reception.quality.lqi, channel, frame.source_pan, frame.source, beacon))

    def _choose(self) -> None:
        if not self._found:
            self._fail("no network lets devices in")
            return
        _, channel, pan, parent, beacon = max(self._found, key=lambda one: one[0])
        node = self._node
        node.mac.tune(channel)
        node.mac.pan = pan
        node.network.parent = parent
        settings = node.network.settings
        settings.pan, settings.channel, settings.extended_pan = pan, channel, beacon.extended_pan
        capability = int(node.capability)
        self._enter(JoinState.ASSOCIATING)
        node.mac.send(
            MacFrame(
                kind=MacFrameType.COMMAND,
                sequence=0,
                destination_pan=pan,
                destination=parent,
                source_pan=BROADCAST,
                source=node.eui64,
                ack_request=True,
                payload=bytes((mac_layer.ASSOCIATION_REQUEST.id,))
                + mac_layer.ASSOCIATION_REQUEST.encode(capability=capability),
            ),
            self._requested,
        )

    def _requested(self, ok: bool) -> None:
        if self.state is not JoinState.ASSOCIATING:
            return
        if not ok:
            self._fail("the parent does not acknowledge")
        else:
            self._after(self._rules.response_s, self._ask)

    def _ask(self) -> None:
        """Fetch the answer. Spec: IEEE 802.15.4 7.5.3.1."""
        node = self._node
        frame = MacFrame(
            kind=MacFrameType.COMMAND,
            sequence=0,
            destination_pan=node.mac.pan,
            destination=node.network.parent,
            source=node.eui64,
            ack_request=True,
            payload=bytes((mac_layer.DATA_REQUEST.id,)),
        )
        node.mac.send(frame)
        self._after(self._rules.response_s, lambda: self._fail("no answer to the association"))

    def answered(self, record: Record) -> None:
        """The answer to the association has come."""
        if self.state is not JoinState.ASSOCIATING:
            return
        if record.integer("status") != AssociationStatus.SUCCESS:
            self._fail("the association was refused")
            return
        node = self._node
        node.mac.short_address = record.integer("short_address")
        node.network.addresses.learn(node.mac.short_address, node.eui64)
        self._enter(JoinState.AWAITING_KEY)
        self._after(self._rules.key_s, lambda: self._fail("no network key came"))
        if node.sleeper is not None:
            node.mac.always_listening = False
            node.sleeper.start()

    # ---------------------------------------------------------------------------- keys

    def key_came(self, record: Record, key: KeyIdentifier | None) -> None:
        """A Transport Key command has come. Spec: ZigBee 4.4.3.3."""
        descriptor = record["descriptor"]
        if (
            self.state is not JoinState.AWAITING_KEY
            or key is not KeyIdentifier.KEY_TRANSPORT
            or record.integer("key_type") != aps.KeyType.NETWORK
            or not isinstance(descriptor, Record)
            or descriptor["destination"] != self._node.eui64
        ):
            return
        hub = descriptor["source"]
        if not isinstance(hub, Eui64):
            return
        node = self._node
        node.network.settings.key = record.octets("key")
        node.network.settings.key_sequence = descriptor.integer("sequence")
        node.network.addresses.learn(COORDINATOR_ADDRESS, hub)
        node.aps.link_keys[hub] = self._link_key
        node.profile.announce()
        self._enter(JoinState.ESTABLISHING)
        node.profile.find_server(KeyEstablishment.id, lambda endpoints: self._matched(endpoints, hub))

    def _matched(self, endpoints: list[int] | None, hub: Eui64) -> None:
        """The hub has said where its Key Establishment is. Spec: ZSE 1.4 5.4.7.1."""
        if self.state is not JoinState.ESTABLISHING or self._exchange is not None:
            return
        if not endpoints:
            self._fail("the hub has no key establishment")
            return
        self._endpoint = endpoints[0]
        self._exchange = KeyExchange(
            self._certificate(), hub, initiator=True, ephemeral_scalar=self._rng.getrandbits(512)
        )
        self._perform(self._exchange.start(self._scheduler.time()))

    def key_message(self, data: ApsData) -> None:
        """A message of the Key Establishment cluster has come from the hub."""
        exchange = self._exchange
        if exchange is None or self.state is not JoinState.ESTABLISHING:
            return
        frame = decode_frame(data.payload)
        if frame.cluster_specific and frame.server_to_client:
            self._perform(exchange.receive(frame.command, frame.payload, self._scheduler.time()))

    def _perform(self, actions: list[Action]) -> None:
        exchange = self._exchange
        for action in actions:
            match action:
                case Send():
                    send_key_message(self._node, COORDINATOR_ADDRESS, self._endpoint, action)
                case Established():
                    self._established(action.link_key)
                    return
                case Failed():
                    why = "the hub was silent" if action.reason is None else action.reason.name.lower()
                    self._fail(f"key establishment: {why.replace('_', ' ')}")
                    return
        deadline = None if exchange is None else exchange.next_deadline()
        if deadline is not None:
            self._after(max(0.0, deadline - self._scheduler.time()), self._expire)

    def _expire(self) -> None:
        if self._exchange is not None:
            self._perform(self._exchange.expire(self._scheduler.time()))

    def _established(self, link_key: bytes) -> None:
        hub = self._node.network.addresses.eui64(COORDINATOR_ADDRESS)
        if hub is not None:
            self._node.aps.link_keys[hub] = link_key
        self._exchange = None
        self._enter(JoinState.JOINED)
        self._node.joined()
        self._finished()


def send_key_message(node: RadioNode, peer: int, endpoint: int, action: Send) -> None:
    """Send a command of the Key Establishment cluster, under the network key alone. Spec: ZSE 1.4 5.4.6."""
    frame = action.command.frame(action.record, sequence=node.next_sequence())
    node.aps.send(
        ApsData(
            peer=peer,
            cluster=KeyEstablishment.id,
            profile=SMART_ENERGY_PROFILE,
            source_endpoint=KEY_ENDPOINT,
            destination_endpoint=endpoint,
            payload=frame.encode(),
        )
    )


# -------------------------------------------------------------------------------- the hub


@dataclass(slots=True)
class _Guest:
    """A device on its way in."""

    short_address: int
    exchange: KeyExchange | None = None
    timer: Cancellable | None = None


class TrustCentre:
    """Lets devices into the hub's network, and sends away who does not prove itself."""

    def __init__(
        self,
        node: RadioNode,
        scheduler: Scheduler,
        rng: random.Random,
        gate: Gate,
        *,
        certificate: Callable[[], KeyEstablishmentKey],
        short_address: Callable[[Eui64], int],
        rules: JoiningRules | None = None,
    ) -> None:
        self._node = node
        self._scheduler = scheduler
        self._rng = rng
        self._gate = gate
        self._certificate = certificate
        self._short_address = short_address
        self._rules = JoiningRules() if rules is None else rules
        self._guests: dict[Eui64, _Guest] = {}
        if node.parent is not None:
            node.parent.permits = gate.opens

    def forget(self) -> None:
        """The power goes."""
        for guest in self._guests.values():
            if guest.timer is not None:
                guest.timer.cancel()
        self._guests.clear()

    def is_guest(self, device: Eui64) -> bool:
        """Whether a device is on its way in, and has not proved itself yet."""
        return device in self._guests

    def association_asked(self, reception: Reception, record: Record) -> None:
        """A device wants to join."""
        if isinstance(reception.frame.source, Eui64):
            self._associate(reception.frame.source, record.integer("capability"))

    def _associate(self, device: Eui64, capability: int) -> None:
        """Spec: ZigBee 3.6.1.4.1 (parent), ZSE 1.4 5.4.7."""
        key = self._gate.key_of(device)
        node = self._node
        accepted = self._gate.opens() and key is not None and self._has_room(device)
        address = BROADCAST
        if accepted and key is not None:
            address = self._short_address(device)
            node.network.forget_device(device)
            node.aps.forget_device(device)
            node.network.addresses.learn(address, device)
            node.mac.assigned(device, address)
            if node.parent is not None:
                node.parent.disown(device)
                if not capability & Capability.FULL_FUNCTION:
                    asleep = not capability & Capability.RECEIVER_ON_WHEN_IDLE
                    node.parent.adopt(device, address, asleep=asleep)
            node.aps.link_keys[device] = key
            self._admit(device, _Guest(address))
        status = AssociationStatus.SUCCESS if accepted else AssociationStatus.PAN_ACCESS_DENIED
        node.home.record("DeviceAssociated" if accepted else "DeviceRefused", source=str(device))
        payload = mac_layer.ASSOCIATION_RESPONSE.encode(short_address=address, status=status)
        node.mac.keep(
            MacFrame(
                kind=MacFrameType.COMMAND,
                sequence=0,
                destination_pan=node.mac.pan,
                destination=device,
                source=node.eui64,
                ack_request=True,
                payload=bytes((mac_layer.ASSOCIATION_RESPONSE.id,)) + payload,
            ),
            lambda ok: self._answered(device, ok=ok and accepted),
        )

    def _has_room(self, device: Eui64) -> bool:
        """Whether there is room in the band in which a device asks."""
        server = self._node.sub_ghz_server
        if server is None or not self._node.mac.is_on_sub_ghz(device):
            return True
        others = [one for one in server.devices() if one != device]
        return self._gate.has_room(device, len(others))

    def _admit(self, device: Eui64, guest: _Guest) -> None:
        former = self._guests.get(device)
        if former is not None and former.timer is not None:
            former.timer.cancel()
        self._guests[device] = guest
        deadline = self._scheduler.time() + self._rules.authorise_s
        guest.timer = self._scheduler.call_at(deadline, self._send_away, device)

    def _answered(self, device: Eui64, *, ok: bool) -> None:
        """The device has its address: give it the network key. Spec: ZigBee 4.4.3.1."""
        guest = self._guests.get(device)
        if not ok or guest is None:
            return
        node = self._node
        settings = node.network.settings
        node.network.neighbours.setdefault(guest.short_address, 255)
        node.aps.command(
            aps.TRANSPORT_KEY,
            guest.short_address,
            protection=KeyIdentifier.KEY_TRANSPORT,
            link_key=node.aps.link_keys[device],
            network_secured=False,
            key_type=aps.KeyType.NETWORK,
            key=settings.key,
            descriptor={"sequence": settings.key_sequence, "destination": device, "source": node.eui64},
        )

    def key_message(self, data: ApsData, device: Eui64) -> None:
        """A message of the Key Establishment cluster has come from a device."""
        frame = decode_frame(data.payload)
        guest = self._guests.get(device)
        if guest is None or not frame.cluster_specific or frame.server_to_client:
            return
        if guest.exchange is None or frame.command == KeyEstablishment.initiate_key_establishment_request.id:
            guest.exchange = KeyExchange(
                self._certificate(), device, initiator=False, ephemeral_scalar=self._rng.getrandbits(512)
            )
        for action in guest.exchange.receive(frame.command, frame.payload, self._scheduler.time()):
            match action:
                case Send():
                    send_key_message(self._node, guest.short_address, data.source_endpoint, action)
                case Established():
                    self._established(device, guest, action.link_key)
                case Failed():
                    guest.exchange = None
                    if action.final:
                        self._send_away(device)

    def _established(self, device: Eui64, guest: _Guest, link_key: bytes) -> None:
        if guest.timer is not None:
            guest.timer.cancel()
        del self._guests[device]
        self._node.aps.link_keys[device] = link_key
        self._node.remember()
        self._node.home.record("LinkKeyEstablished", source=str(device), target=str(self._node.eui64))
        self._gate.joined(device, link_key)

    def _send_away(self, device: Eui64) -> None:
        """A device that has not proved itself leaves the network. Spec: ZigBee 3.6.1.10."""
        guest = self._guests.pop(device, None)
        if guest is None:
            return
        if guest.timer is not None:
            guest.timer.cancel()
        self.remove(device)

    def give_partner_key(self, device: Eui64, partner: Eui64) -> None:
        """Two devices that both have proved themselves get a link key with each other. Spec: ZigBee 4.4.6."""
        node = self._node
        addresses = [node.network.addresses.short_address(one) for one in (device, partner)]
        keys = [node.aps.link_keys.get(one) for one in (device, partner)]
        if device in self._guests or partner in self._guests or None in keys or None in addresses:
            node.home.record("PartnerKeyRefused", source=str(device), target=str(partner))
            return
        key = self._rng.randbytes(16)
        for address, link_key, other, first in zip(addresses, keys, (partner, device), (1, 0), strict=True):
            if address is None or link_key is None:
                raise AssertionError("both were looked up above")
            node.aps.command(
                aps.TRANSPORT_KEY,
                address,
                protection=KeyIdentifier.KEY_LOAD,
                link_key=link_key,
                key_type=aps.KeyType.APPLICATION_LINK,
                key=key,
                descriptor={"partner": other, "initiator": first},
            )

    @property
    def is_open(self) -> bool:
        """Whether a device may join now."""
        return self._gate.opens()

    def remove(self, device: Eui64) -> None:
        """Have a device leave: CCS02, or one that did not prove itself."""
        node = self._node
        address = node.network.addresses.short_address(device)
        if address is None:
            return
        node.home.record("DeviceSentAway", source=str(device))
        node.network.command(nwk.LEAVE, address, options=nwk.LEAVE_REQUEST)
        node.aps.forget_device(device)
        node.remember()
