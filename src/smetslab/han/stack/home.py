"""The HAN of one premises on the simulated air: its radios, its network, and what its devices say to each
other.

It stands where `DirectMedium` stands: `link` gives a device its `ApsService`. In a `provisioned` home every
device has joined already; network key and link keys follow from the seed.

Spec: GBCS 10 (the HAN); ZSE 1.4 5.4 (its security)
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from smetslab.clock import Clock
from smetslab.errors import HanError, LocalProtocolError
from smetslab.han.air.bands import PREFERRED_CHANNELS, Channel
from smetslab.han.air.dual_band import DualBandMac
from smetslab.han.air.impair import Impairment, Impairments
from smetslab.han.air.mac_entity import MacEntity
from smetslab.han.air.medium import Link, LinkQuality, Medium, OnAir, Radio
from smetslab.han.service import ApsFrame, ClusterRole
from smetslab.han.stack.aps_entity import ApsData
from smetslab.han.stack.asking import ask, transmit
from smetslab.han.stack.binding import Binding
from smetslab.han.stack.discovery import numbers
from smetslab.han.stack.joining import Gate, Joiner, JoiningRules, JoinState, TrustCentre
from smetslab.han.stack.link import RadioLink
from smetslab.han.stack.network import COORDINATOR_ADDRESS, NetworkSettings, NodeKind
from smetslab.han.stack.node import WITHOUT_LINK_KEY, RadioNode
from smetslab.han.stack.rules import UpkeepRules
from smetslab.han.stack.sleeper import SleepRules
from smetslab.ids import Eui64
from smetslab.rng import RootSeed
from smetslab.store import Nvm
from smetslab.trace import Detail, Trace
from smetslab.zigbee import nwk, zdo
from smetslab.zigbee.capture.keys import CaptureKey
from smetslab.zigbee.cbke.certificate import CertificateAuthority, KeyEstablishmentKey
from smetslab.zigbee.cbke.curve import SECT283K1
from smetslab.zigbee.mac_layer import BROADCAST, MAX_PSDU, NO_SHORT_ADDRESS, frame_check_sequence
from smetslab.zigbee.security import install_code_key, key_load_key, key_transport_key

_FIRST_SHORT_ADDRESS: Final = 0x0001
_LAST_SHORT_ADDRESS: Final = 0xFFF7
_SHORT_ADDRESS, _LONG_ADDRESS = 0x08, 0x0C
"""How a frame addresses its destination. Spec: IEEE 802.15.4 7.2.1.1.6."""
_NETWORK_KEYS: Final = ("network", "former network")
"""How the labels of network keys begin: nothing is derived from those."""
_TO_SHORT_ADDRESS, _TO_LONG_ADDRESS = 7, 13
"""Octets of a frame up to the end of its destination. Spec: IEEE 802.15.4 7.2.1."""
_REMEMBERED_WAYS: Final = 1024
"""Pairs of sender and address whose names are remembered; injected frames name any."""
_REMEMBERED_FRAMES: Final = 4096
"""Frames on their way whose observation is remembered; more than any home has at a time."""


class RadioHome:
    """The radio network of one premises. The first device that is given a link is the hub."""

    def __init__(
        self,
        clock: Clock,
        trace: Trace,
        seed: RootSeed,
        *,
        quality: LinkQuality | None = None,
        medium: Medium | None = None,
        channel: Channel | None = None,
        sleep: SleepRules | None = None,
        joining: JoiningRules | None = None,
        upkeep: UpkeepRules | None = None,
        sub_ghz: Channel | None = None,
    ) -> None:
        """`medium`: the air, when several homes share one; `quality`: that of every link of an own one;
        `sub_ghz`: where the hub has a second radio.
        """
        self.clock = clock
        self.medium = Medium(clock, seed.child("air"), quality=quality) if medium is None else medium
        self.nodes: dict[Eui64, RadioNode] = {}
        self._trace = trace
        self._seed = seed
        self._sleep = SleepRules() if sleep is None else sleep
        self._joining = JoiningRules() if joining is None else joining
        self._upkeep = UpkeepRules() if upkeep is None else upkeep
        self._authority: CertificateAuthority | None = None
        self._certificates: dict[Eui64, KeyEstablishmentKey] = {}
        self._devices: dict[Eui64, RadioNode] = {}
        """The node that each logical device is on."""
        self._links: dict[Eui64, RadioLink] = {}
        self._sent: dict[tuple[bytes, bytes, int], int] = {}
        self._impairments: Impairments | None = None
        self.stranger = Eui64(seed.octets("stranger", 8))
        """Who sends what is injected."""
        self._stranger: Radio | None = None
        self.guests: dict[Eui64, MacEntity] = {}
        """Radios that other processes play, by the address that they show or have been given here."""
        self.expected: dict[Eui64, None] = {}
        """Devices that other processes may play: what is sent to them goes on the air."""
        self._ways: dict[tuple[bytes, bytes], tuple[str, str, Link | None]] = {}
        """From whom to whom frames are, by sender and address, as long as the medium has not changed."""
        self._heard_of = self.medium.changes
        self.medium.listen(self._on_air)
        draw = seed.stream("network")
        self.settings = NetworkSettings(
            pan=draw.randrange(1, 0xFFF0),
            extended_pan=Eui64(bytes(8)),
            channel=Channel(draw.choice(PREFERRED_CHANNELS)) if channel is None else channel,
            key=seed.octets("network key", 16),
            sub_ghz=sub_ghz,
        )

    # ---------------------------------------------------------------------------- who is there

    def link(
        self,
        eui64: Eui64,
        *,
        on: Eui64 | None = None,
        sleepy: bool = False,
        sub_ghz: bool = False,
        nvm: Nvm | None = None,
        install_code: bytes | None = None,
        joined: bool | None = None,
    ) -> RadioLink:
        """The place of one device; off the air until its `async with` block is entered.

        `on`: another device whose radio it shares; `nvm`: where its place in the network and its frame
        counters survive a restart; `install_code`: what the device joins with (16 octets); `joined`: it has
        already, by default the devices without an install code have; `sub_ghz`: its radio is on the lower
        band of its hub. LocalProtocolError when the hub has none.
        """
        if eui64 in self._devices:
            raise LocalProtocolError(f"device {eui64} has its place on this HAN already")
        if on is not None:
            node = self._devices[on]
        elif not self.nodes:
            self.settings.extended_pan = eui64
            node = self._node(eui64, NodeKind.COORDINATOR, COORDINATOR_ADDRESS, nvm, settings=self.settings)
            node.recall()
        else:
            awake = NodeKind.END_DEVICE if sub_ghz else NodeKind.ROUTER
            kind = NodeKind.SLEEPY_END_DEVICE if sleepy else awake
            member = install_code is None if joined is None else joined
            settings = replace(self.settings, sub_ghz=None) if member else self._no_network(eui64)
            if sub_ghz:
                if self.settings.sub_ghz is None:
                    raise LocalProtocolError(f"device {eui64}: the hub has no sub-GHz radio")
                settings.channel = self.settings.sub_ghz
            address = self._short_address(eui64) if member else NO_SHORT_ADDRESS
            node = self._node(eui64, kind, address, nvm, settings=settings)
            if install_code is not None:
                self._let_join(node, install_code, joined=member)
            if not node.recall() and member:
                self._provision(node)
        self._devices[eui64] = node
        link = self._links[eui64] = RadioLink(node, eui64)
        return link

    def _node(
        self,
        eui64: Eui64,
        kind: NodeKind,
        short_address: int,
        nvm: Nvm | None,
        *,
        settings: NetworkSettings,
    ) -> RadioNode:
        node = RadioNode(
            self,
            eui64,
            kind=kind,
            settings=settings,
            short_address=short_address,
            rng=self._seed.stream(f"node.{eui64}"),
            nvm=nvm,
            sleep=self._sleep,
            upkeep=self._upkeep,
            draw_address=self._short_address,
        )
        node.mac.impairments = self._impairments
        self.nodes[eui64] = node
        return node

    def _short_address(self, eui64: Eui64) -> int:
        """A random address that nobody has. Spec: ZigBee 3.6.1.7 (stochastic addressing)."""
        draw = self._seed.stream(f"address.{eui64}")
        taken = {node.network.short_address for node in self.nodes.values()}
        taken |= {address for address, _ in self.hub.network.addresses.items()}
        while (address := draw.randint(_FIRST_SHORT_ADDRESS, _LAST_SHORT_ADDRESS)) in taken:
            pass
        return address

    def _provision(self, node: RadioNode) -> None:
        """Let a device be where joining would have brought it: known to the hub, with a key for each."""
        hub = self.hub
        node.network.addresses.learn(COORDINATOR_ADDRESS, hub.eui64)
        hub.network.addresses.learn(node.network.short_address, node.eui64)
        if not node.kind.routes and hub.parent is not None:
            node.network.parent = COORDINATOR_ADDRESS
            hub.parent.adopt(node.eui64, node.network.short_address, asleep=node.kind.sleeps)
        if node.mac.channel.page and isinstance(hub.mac, DualBandMac):
            hub.mac.members[node.network.short_address] = None
        for other in self.nodes.values():
            if other is not node and other.in_network:
                key = self._link_key(other.eui64, node.eui64)
                other.aps.link_keys[node.eui64] = node.aps.link_keys[other.eui64] = key

    def _no_network(self, eui64: Eui64) -> NetworkSettings:
        """What a device has that is in no network: a key that opens nothing."""
        return NetworkSettings(
            pan=BROADCAST,
            extended_pan=Eui64(bytes(8)),
            channel=self.settings.channel,
            key=self.no_key(eui64),
        )

    def no_key(self, eui64: Eui64) -> bytes:
        """The network key of a device that is in no network."""
        return self._seed.octets(f"no network {eui64}", 16)

    def _let_join(self, node: RadioNode, install_code: bytes, *, joined: bool) -> None:
        key = node.aps.preconfigured = install_code_key(install_code)
        node.joiner = Joiner(
            node,
            self.clock,
            self._seed.stream(f"joiner.{node.eui64}"),
            link_key=key,
            certificate=lambda: self.certificate(node.eui64),
            finished=lambda: self.record("DeviceJoined", source=str(node.eui64)),
            rules=self._joining,
        )
        if joined:
            node.joiner.state = JoinState.JOINED

    def open_gate(self, gate: Gate) -> TrustCentre:
        """Have the hub let devices in that `gate` lets in. The hub must have its link."""
        hub = self.hub
        hub.trust_centre = TrustCentre(
            hub,
            self.clock,
            self._seed.stream("trust centre"),
            gate,
            certificate=lambda: self.certificate(hub.eui64),
            short_address=self._short_address,
            rules=self._joining,
        )
        return hub.trust_centre

    def certificate(self, eui64: Eui64) -> KeyEstablishmentKey:
        """A device's certificate for key establishment, of the home's own test authority."""
        if self._authority is None:
            name = Eui64(self._seed.octets("key establishment authority name", 8))
            self._authority = CertificateAuthority(
                name=name, curve=SECT283K1, private=self._number("key establishment authority")
            )
        key = self._certificates.get(eui64)
        if key is None:
            key = self._certificates[eui64] = self._authority.issue_suite_2(
                eui64,
                serial=self._seed.octets(f"certificate serial {eui64}", 8),
                valid_from_s=0,
                device_scalar=self._number(f"certificate device {eui64}"),
                authority_scalar=self._number(f"certificate authority {eui64}"),
            )
        return key

    def _number(self, name: str) -> int:
        return int.from_bytes(self._seed.octets(name, 48), "big")

    def _link_key(self, one: Eui64, other: Eui64) -> bytes:
        first, second = sorted((one, other))
        return self._seed.octets(f"link key {first} {second}", 16)

    @property
    def hub(self) -> RadioNode:
        """The coordinator."""
        return next(iter(self.nodes.values()))

    def devices_on(self, node: RadioNode) -> list[Eui64]:
        """The logical devices of one radio."""
        return [eui64 for eui64, place in self._devices.items() if place is node]

    def node_of(self, eui64: Eui64) -> RadioNode:
        """The radio of a device. Raises LocalProtocolError for one that is not of this home."""
        node = self._devices.get(eui64)
        if node is None:
            raise LocalProtocolError(f"device {eui64} has no place on this HAN")
        return node

    def set_reachable(self, eui64: Eui64, reachable: bool) -> None:
        """Carry a device out of radio reach, or back: its links are as they were then."""
        node = self._devices[eui64]
        for other in self.nodes.values():
            if other is not node:
                for pair in ((node.eui64, other.eui64), (other.eui64, node.eui64)):
                    quality = self.medium.quality(*pair)
                    self.medium.set_link(*pair, replace(quality, audible=reachable))
        self.record("DeviceReachable" if reachable else "DeviceUnreachable", source=str(eui64))

    def capture_keys(self) -> list[CaptureKey]:
        """Every key that opens a capture of this home: those in use, those that follow from them, and those
        that were used before.
        """
        named = {self.settings.key: f"network {self.settings.pan:04X}"}
        for node in self.nodes.values():
            for peer, key in node.aps.link_keys.items():
                named.setdefault(key, f"{node.eui64} and {peer}")
        for node in self.nodes.values():
            if node.aps.preconfigured is not None:
                named.setdefault(node.aps.preconfigured, f"install code of {node.eui64}")
            for key in node.network.used_keys():
                named.setdefault(key, f"former network key of {node.eui64}")
            for key in node.aps.used_keys():
                named.setdefault(key, f"former key of {node.eui64}")
        derived = {
            derive(key): f"{what} of {label}"
            for key, label in named.items()
            for what, derive in (("transport", key_transport_key), ("load", key_load_key))
            if not label.startswith(_NETWORK_KEYS)
        }
        return [CaptureKey(key, label) for key, label in (named | derived).items()]

    # ---------------------------------------------------------------------------- faults

    def impair(self, impairment: Impairment) -> Callable[[], None]:
        """Let something happen to frames from now on; the result ends it."""
        if self._impairments is None:
            self._impairments = Impairments(self.clock, self._seed.child("impairments"), self._impaired)
            for node in self.nodes.values():
                node.mac.impairments = self._impairments
        return self._impairments.add(impairment)

    def repair(self) -> None:
        """End every impairment."""
        if self._impairments is not None:
            self._impairments.clear()

    def _impaired(self, impairment: Impairment, source: Eui64 | None, target: Eui64) -> None:
        self.record(
            "FrameImpaired",
            source=str(source or ""),
            target=str(target),
            kind=impairment.kind,
            where=impairment.layer,
        )

    def inject(self, octets: bytes, *, check_sequence: bool = True) -> None:
        """Send any octets on the channel of this home, now, from a radio of nobody; with a check sequence
        that fits, or with what they end in. Raises LocalProtocolError for more than a frame holds.
        """
        if check_sequence:
            octets += frame_check_sequence(octets)
        if not 0 < len(octets) <= MAX_PSDU:
            raise LocalProtocolError(f"a frame on the air has 1 to {MAX_PSDU} octets")
        channel = self.hub.mac.channel
        if self._stranger is None:
            self._stranger = self.medium.add(self.stranger, channel, lambda _octets, _quality: None)
        self._stranger.tune(channel)
        self.record("FrameInjected", source=str(self.stranger), octets=len(octets))
        start = max(self.clock.time(), self._stranger.sending_until)
        self._stranger.transmit(octets, start, None)

    # ---------------------------------------------------------------------------- what links do

    async def carry(self, node: RadioNode, frame: ApsFrame) -> None:
        """Take a frame to its destination; `RadioLink.send` calls this."""
        target = self.find_radio(frame.destination)
        sent = self._observe("FrameSent", frame, data=frame.payload)
        if target is None or target == node.eui64:
            raise HanError(f"device {frame.destination} is not on this HAN", transient=False)
        short_address = await self._find_address(node, target)
        if node.sub_ghz_client is not None and node.sub_ghz_client.silences(frame.cluster):
            self._observe("FrameSuspended", frame, sent=sent)
            raise HanError("silent for the sake of the duty cycle")
        secured = frame.cluster not in WITHOUT_LINK_KEY and frame.profile != zdo.PROFILE
        if secured and target not in node.aps.link_keys:
            await node.partner_keys.ask_for(target)
        source_endpoint = node.node_endpoint(frame.source, frame.source_endpoint)
        data = ApsData(  # by position, which is twice as fast
            short_address,
            frame.cluster,
            frame.profile,
            source_endpoint,
            frame.destination_endpoint,
            frame.payload,
            secured,
        )
        done, counter = transmit(node, data, sent)
        self._sent[node.eui64.raw, target.raw, counter] = sent
        if len(self._sent) > _REMEMBERED_FRAMES:
            del self._sent[next(iter(self._sent))]
        if not await done:
            self._observe("FrameLost", frame, sent=sent)
            raise HanError(f"no acknowledgement from {frame.destination}")

    def find_radio(self, device: Eui64) -> Eui64 | None:
        """The radio that a device is on; None for a device that is not of this home."""
        node = self._devices.get(device)
        if node is not None:
            return node.eui64
        return device if device in self.expected else None

    async def _find_address(self, node: RadioNode, peer: Eui64) -> int:
        """The short address of another device: everybody is asked where it is not known."""
        known = node.network.addresses.short_address(peer)
        if known is not None:
            return known
        answer = await ask(
            node,
            zdo.NWK_ADDRESS_REQUEST,
            nwk.BROADCAST_AWAKE,
            ieee_address=peer,
            request_type=0,
            start_index=0,
        )
        if answer is None or answer.integer("status") != zdo.ZdoStatus.SUCCESS:
            raise HanError(f"nobody answers for the address of {peer}")
        address = answer.integer("short_address")
        node.network.addresses.learn(address, peer)
        return address

    async def match(self, node: RadioNode, peer: Eui64, profile: int, cluster: int, role: ClusterRole) -> int:
        """Endpoint discovery; `RadioLink.find_endpoint` calls this."""
        radio = self.find_radio(peer)
        if radio is None:
            raise HanError(f"device {peer} is not on this HAN", transient=False)
        target = self.nodes.get(radio)
        address = await self._find_address(node, radio)
        wanted = (cluster,)
        answer = await ask(
            node,
            zdo.MATCH_DESCRIPTOR_REQUEST,
            address,
            short_address=address,
            profile=profile,
            input_clusters=wanted if ClusterRole.SERVER in role else (),
            output_clusters=wanted if ClusterRole.CLIENT in role else (),
        )
        if answer is None:
            raise HanError(f"no answer from {peer} about its endpoints")
        for endpoint in numbers(answer, "endpoints"):
            if target is None or target.device_at(endpoint) == peer:
                return endpoint
        raise HanError(f"device {peer} has no endpoint with cluster 0x{cluster:04X}", transient=False)

    async def bind(self, node: RadioNode, peer: Eui64, binding: Binding, *, on: bool) -> zdo.ZdoStatus:
        """Ask a peer for a binding, or to end it; `RadioLink.bind` calls this."""
        radio = self.find_radio(peer)
        if radio is None:
            raise HanError(f"device {peer} is not on this HAN", transient=False)
        answer = await ask(
            node,
            zdo.BIND_REQUEST if on else zdo.UNBIND_REQUEST,
            await self._find_address(node, radio),
            source=radio,
            source_endpoint=binding.endpoint,
            cluster=binding.cluster,
            address_mode=3,
            destination={"address": binding.peer, "endpoint": binding.peer_endpoint},
        )
        if answer is None:
            raise HanError(f"no answer from {peer} about a binding")
        return zdo.ZdoStatus(answer.integer("status"))

    def delivered(self, node: RadioNode, peer: Eui64, data: ApsData, counter: int, *, accepted: bool) -> None:
        """A message has come to a node: hand it to the application it is for. `accepted`: it was secured as
        its cluster asks.
        """
        sender = self.nodes.get(peer)
        place = node.places.get((data.destination_endpoint, data.profile, data.cluster))
        if place is not None and not place.link.on_air:
            place = None
        frame = ApsFrame(
            source=peer if sender is None else sender.device_at(data.source_endpoint),
            source_endpoint=data.source_endpoint,
            destination=node.device_at(data.destination_endpoint),
            destination_endpoint=data.destination_endpoint if place is None else place.own_endpoint,
            profile=data.profile,
            cluster=data.cluster,
            payload=data.payload,
        )
        sent = self._sent.pop((peer.raw, node.eui64.raw, counter), None)
        if place is None or not accepted:
            self._observe("FrameDropped", frame, sent=sent)
            return
        self._observe("FrameDelivered", frame, sent=sent)
        # Not called from here: the stack must not feel what the receiver makes of the frame.
        asyncio.get_running_loop().call_soon(place.handler, frame)

    # ---------------------------------------------------------------------------- the trace

    def _on_air(self, frame: OnAir) -> None:
        """Every frame of this home becomes an observation when it ends; `sent`: the frame of the APS boundary
        that it is a part of.
        """
        octets = frame.octets
        if self._heard_of != self.medium.changes:
            self._heard_of = self.medium.changes
            self._ways.clear()
        mode = octets[1] & _LONG_ADDRESS if len(octets) >= _TO_SHORT_ADDRESS else 0
        if mode == _SHORT_ADDRESS:
            address = octets[5:7]
        elif mode == _LONG_ADDRESS and len(octets) >= _TO_LONG_ADDRESS:
            address = octets[5:13]
        else:
            address = b""
        index = (frame.source.raw, address)
        way = self._ways.get(index)
        if way is None:
            way = self._way(frame.source, address)
            if len(self._ways) < _REMEMBERED_WAYS:
                self._ways[index] = way
        source, target, link = way
        if source:
            channel, page = frame.channel
            detail: dict[str, Detail] = {
                "channel": channel,
                "page": page,
                "rssi_dbm": round(frame.rssi_dbm if link is None else link.quality.rssi_dbm),
                "lqi": None if link is None else link.quality.lqi,
                "sent": frame.tag,
            }
            self._trace.note("air", "FrameOnAir", source=source, target=target, data=octets, detail=detail)

    def _way(self, source: Eui64, address: bytes) -> tuple[str, str, Link | None]:
        """From whom to whom a frame is, as text, and how it is heard there. From nobody: it is not of this
        home.
        """
        if source not in self.nodes and source not in self.guests and source != self.stranger:
            return "", "", None
        target = self._addressee(address)
        if target is None:
            return str(source), "", None
        return str(source), str(target), self.medium.link(source, target)

    def _addressee(self, address: bytes) -> Eui64 | None:
        """Whose radio an address on the air is; None for everybody's, for nobody's, and for none."""
        if len(address) == 8:
            eui64 = Eui64(address[::-1])
            return eui64 if eui64 in self.nodes or eui64 in self.guests else None
        short_address = int.from_bytes(address, "little")
        if not address or short_address >= NO_SHORT_ADDRESS:
            return None
        macs = [(node.eui64, node.mac) for node in self.nodes.values()] + list(self.guests.items())
        return next((eui64 for eui64, mac in macs if mac.short_address == short_address), None)

    def record(self, event: str, *, source: str = "", target: str = "", **detail: Detail) -> None:
        """Note something that is no frame."""
        self._trace.record("han", event, source=source, target=target, data=b"", **detail)

    def _observe(self, event: str, frame: ApsFrame, *, data: bytes = b"", **detail: Detail) -> int:
        detail["source_endpoint"] = frame.source_endpoint
        detail["target_endpoint"] = frame.destination_endpoint
        detail["profile"] = frame.profile
        detail["cluster"] = frame.cluster
        source, target = str(frame.source), str(frame.destination)
        return self._trace.note("han", event, source=source, target=target, data=data, detail=detail)
