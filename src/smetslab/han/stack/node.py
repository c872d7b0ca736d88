"""One radio with its whole stack. The places of devices on it are in `link` beside this.

A radio can carry several logical devices, as the Communications Hub does: CHF and GPF. On the air they are
endpoints of one node; to who stands on the service each has its own address.

Spec: ZigBee 2.1 (architecture); GBCS 10 (one radio for CHF and GPF); ZSE 1.4 5.4.6 (which clusters need a
link key)
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from smetslab.errors import ZclDecodeError, ZigbeeDecodeError
from smetslab.han.air.dual_band import DualBandMac
from smetslab.han.air.duty import DutyLedger
from smetslab.han.air.impair import ImpairedLayer, Impairments
from smetslab.han.air.mac_entity import MacEntity, Reception
from smetslab.han.limits import SMART_ENERGY_PROFILE
from smetslab.han.service import ClusterRole
from smetslab.han.stack.aps_entity import ApsData, ApsEntity
from smetslab.han.stack.changes import NetworkChanges
from smetslab.han.stack.discovery import DeviceProfile, EndpointCluster
from smetslab.han.stack.joining import KEY_ENDPOINT, Joiner, JoinState, TrustCentre
from smetslab.han.stack.keep_alive import KEEP_ALIVE_ENDPOINT, KeepAliveClient, answer_keep_alive
from smetslab.han.stack.network import COORDINATOR_ADDRESS, FrameCounter, NetworkSettings, NodeKind
from smetslab.han.stack.nwk_entity import NwkData, NwkEntity
from smetslab.han.stack.parent import Parent
from smetslab.han.stack.partner_keys import PartnerKeys
from smetslab.han.stack.place import read_place, write_place
from smetslab.han.stack.rejoin import Rejoiner, RejoinState
from smetslab.han.stack.rules import UpkeepRules
from smetslab.han.stack.sleeper import Sleeper, SleepRules
from smetslab.han.stack.sub_ghz import SUB_GHZ_ENDPOINT, SubGhzClient, SubGhzServer
from smetslab.han.stack.sub_ghz import take as take_sub_ghz
from smetslab.ids import Eui64
from smetslab.store import Nvm
from smetslab.zigbee import nwk, zdo
from smetslab.zigbee.aps import (
    REMOVE_DEVICE,
    REQUEST_KEY,
    SWITCH_KEY,
    TRANSPORT_KEY,
    TUNNEL,
    UPDATE_DEVICE,
    DeviceStatus,
    KeyType,
)
from smetslab.zigbee.mac_layer import (
    ASSOCIATION_REQUEST,
    ASSOCIATION_RESPONSE,
    BEACON_REQUEST,
    COORDINATOR_REALIGNMENT,
    END_DEVICE,
    ORPHAN_NOTIFICATION,
    ROUTER,
    SLEEPY_END_DEVICE,
    Capability,
    MacFrame,
    MacFrameType,
    decode_mac_command,
)
from smetslab.zigbee.rows import Row
from smetslab.zigbee.security import KeyIdentifier
from smetslab.zigbee.zcl.clusters.keep_alive import KeepAlive
from smetslab.zigbee.zcl.clusters.key_establishment import KeyEstablishment
from smetslab.zigbee.zcl.clusters.sub_ghz import SubGhz
from smetslab.zigbee.zcl.fields import Record

if TYPE_CHECKING:
    from smetslab.han.stack.home import RadioHome
    from smetslab.han.stack.link import Place

WITHOUT_LINK_KEY: Final = frozenset({0x0000, 0x0003, 0x0025, 0x0800})
"""Basic, Identify, Keep-Alive, Key Establishment: all else goes under the link key. Spec: ZSE 1.4 5.4.6."""
CAPABILITIES: Final[Mapping[NodeKind, Capability]] = {
    NodeKind.COORDINATOR: ROUTER,
    NodeKind.ROUTER: ROUTER,
    NodeKind.SLEEPY_END_DEVICE: SLEEPY_END_DEVICE,
    NodeKind.END_DEVICE: END_DEVICE,
}
MAX_ENDPOINT: Final = 240
_DATA: Final = MacFrameType.DATA
_REJOINED: Final = frozenset({DeviceStatus.SECURED_REJOIN, DeviceStatus.UNSECURED_REJOIN})


class RadioNode:
    """One radio of a home and its stack. On the air while any of its links is."""

    def __init__(
        self,
        home: RadioHome,
        eui64: Eui64,
        *,
        kind: NodeKind,
        settings: NetworkSettings,
        short_address: int,
        rng: random.Random,
        nvm: Nvm | None,
        sleep: SleepRules,
        upkeep: UpkeepRules,
        draw_address: Callable[[Eui64], int],
    ) -> None:
        """`nvm`: where its place in the network survives a restart of the process."""
        self.home = home
        self.eui64 = eui64
        self.kind = kind
        self.places: dict[tuple[int, int, int], Place] = {}
        """What applications have registered, by the node's endpoint, profile and cluster."""
        self._endpoints: dict[tuple[bytes, int], int] = {}
        self._owners: dict[int, Eui64] = {}
        """The device that each endpoint belongs to."""
        self._on, self._had_power = 0, False
        self._nvm = nvm
        self._upkeep = upkeep
        scheduler = home.clock
        if settings.sub_ghz is not None:
            self.mac: MacEntity = DualBandMac(
                home.medium,
                scheduler,
                rng,
                eui64=eui64,
                channel=settings.channel,
                sub_ghz=settings.sub_ghz,
                received=self._mac_received,
            )
        else:
            self.mac = MacEntity(
                home.medium,
                scheduler,
                rng,
                eui64=eui64,
                channel=settings.channel,
                received=self._mac_received,
            )
        self.mac.pan, self.mac.short_address = settings.pan, short_address
        self.mac.always_listening = not kind.sleeps
        self.network = NwkEntity(
            self.mac,
            scheduler,
            rng,
            kind=kind,
            settings=settings,
            counter=FrameCounter(nvm, "radio/counter/nwk"),
            received=self._nwk_received,
            commanded=self._nwk_commanded,
        )
        self.aps = ApsEntity(
            self.network,
            scheduler,
            rng,
            counter=FrameCounter(nvm, "radio/counter/aps"),
            received=self._aps_received,
            commanded=self._aps_commanded,
        )
        self.capability = CAPABILITIES[kind]
        self.profile = DeviceProfile(
            self.aps,
            scheduler,
            rng,
            clusters=self._clusters,
            capability=self.capability,
            announced=self._announced,
            updated=self._update_asked,
            updated_page=self._page_update_asked,
            left=self._left,
            changed=self.remember,
        )
        self.aps.unknown = self.profile.find_name
        self.joiner: Joiner | None = None
        """What brings a device in that has not been provisioned."""
        self.trust_centre: TrustCentre | None = None
        """What lets devices into the network of the hub."""
        self._zcl_sequence = 0
        self.partner_keys = PartnerKeys(self)
        self.rejoiner = Rejoiner(self, scheduler, upkeep)
        self.changes = NetworkChanges(self, scheduler, rng, upkeep)
        self.network.key_switched = self.changes.key_switched
        self.parent: Parent | None = None
        self.keep_alive: KeepAliveClient | None = None
        self.sub_ghz_server: SubGhzServer | None = None
        self.sub_ghz_client: SubGhzClient | None = None
        if isinstance(self.mac, DualBandMac):
            self.sub_ghz_server = SubGhzServer(self, self.mac, scheduler, upkeep)
        elif settings.channel.page:
            self.mac.duty = DutyLedger()
            self.sub_ghz_client = SubGhzClient(self, scheduler, self.mac.duty)
        self.sleeper: Sleeper | None = None
        if kind.sleeps:
            self.sleeper = Sleeper(
                self.mac,
                scheduler,
                sleep,
                parent=lambda: self.network.parent,
                pan=lambda: self.mac.pan,
                misses=upkeep.poll_misses,
                lost=self._lost,
            )
        elif upkeep.keep_alive_base_minutes and kind is not NodeKind.COORDINATOR:
            self.keep_alive = KeepAliveClient(self, scheduler, rng, upkeep)
        if kind.routes:
            self.parent = Parent(self, scheduler, upkeep, short_address=draw_address)

    # ---------------------------------------------------------------------------- power

    @property
    def on_air(self) -> bool:
        return self._on > 0

    @property
    def in_network(self) -> bool:
        """Whether the device is a member: provisioned, or joined."""
        return self.joiner is None or self.joiner.state is JoinState.JOINED

    def next_sequence(self) -> int:
        """The number of the next ZCL frame of the node's own."""
        self._zcl_sequence = self._zcl_sequence + 1 & 0xFF
        return self._zcl_sequence

    def switch_on(self) -> None:
        """One more of the node's devices has power; with the first the radio starts."""
        self._on += 1
        if self._on == 1:
            self.mac.switch_on()
            again, self._had_power = self._had_power, True
            if not self.in_network and self.joiner is not None:
                self.joiner.start()
                return
            self._begin(urgent=again)
            if again and self.kind is not NodeKind.COORDINATOR:
                self.profile.announce()

    def _begin(self, *, urgent: bool) -> None:
        """What a member does as long as it has power."""
        if self.sleeper is not None:
            self.sleeper.start()
        if self.parent is not None:
            self.parent.start()
        if self.keep_alive is not None:
            self.keep_alive.start(urgent=urgent)
        if self.sub_ghz_client is not None:
            self.sub_ghz_client.start()

    def switch_off(self) -> None:
        """The power of one of the node's devices goes; with the last everything volatile is lost."""
        self._on -= 1
        if self._on == 0:
            if self.joiner is not None and self.joiner.state is not JoinState.JOINED:
                self.joiner.stop()
            if self.trust_centre is not None:
                self.trust_centre.forget()
            self._stop()
            self.mac.switch_off()
            self.network.forget()
            self.aps.forget()
            self.profile.forget()
            self.network.counter.restart()
            self.aps.counter.restart()

    def _stop(self) -> None:
        """The end of what `_begin` has begun."""
        self.rejoiner.stop()
        self.changes.stop()
        for part in (self.sleeper, self.parent, self.keep_alive, self.sub_ghz_server, self.sub_ghz_client):
            if part is not None:
                part.stop()

    # ---------------------------------------------------------------------------- the place in the network

    def joined(self) -> None:
        """The device has become a member by joining."""
        self.ask_for_time()
        self._begin(urgent=False)
        self.remember()

    def returned(self) -> None:
        """The device has come back to its network."""
        self.profile.announce()
        self.ask_for_time()
        if self.sleeper is not None:
            self.sleeper.start()
        if self.keep_alive is not None:
            self.keep_alive.start(urgent=False)
        if self.sub_ghz_client is not None:
            self.sub_ghz_client.start()
        self.remember()

    def realigned(self) -> None:
        """The parent still has this device for its child: it goes on as before."""
        if self.sleeper is not None:
            self.sleeper.start()
        self.remember()

    def ask_for_time(self) -> None:
        """A sleeper says how long it may be silent. Spec: ZigBee 3.6.10.1."""
        if self.sleeper is not None:
            self.network.neighbour_command(
                nwk.END_DEVICE_TIMEOUT_REQUEST,
                self.network.parent,
                timeout=self._upkeep.end_device_timeout,
                configuration=0,
            )

    def _lost(self, why: str) -> None:
        if self.in_network:
            self.rejoiner.lost(why)

    def may_rejoin(self, device: Eui64) -> bool:
        """Whether the hub has a link key with a device that it has agreed."""
        guest = self.trust_centre is not None and self.trust_centre.is_guest(device)
        return device in self.aps.link_keys and not guest

    def child_polled(self, device: Eui64) -> None:
        """A sleeper of this parent is awake."""
        self.changes.child_polled(device)

    def remember(self) -> None:
        """Keep the place in the network over a restart of the process. Spec: ZigBee 3.6.8, 4.3.3."""
        if self._nvm is not None:
            write_place(self._nvm, self)

    def recall(self) -> bool:
        """Take the place that was kept; False where there is none."""
        return self._nvm is not None and read_place(self._nvm, self)

    # ---------------------------------------------------------------------------- endpoints

    def node_endpoint(self, eui64: Eui64, endpoint: int) -> int:
        """The node's number for an endpoint of one of its devices: the same unless another has that."""
        index = (eui64.raw, endpoint)
        if index not in self._endpoints:
            taken = set(self._endpoints.values())
            number = endpoint
            while number in taken:
                number = number % MAX_ENDPOINT + 1
            self._endpoints[index] = number
            self._owners[number] = eui64
        return self._endpoints[index]

    def device_at(self, endpoint: int) -> Eui64:
        """The device that an endpoint of this node belongs to."""
        return self._owners.get(endpoint, self.eui64)

    def _clusters(self) -> list[EndpointCluster]:
        found = [
            EndpointCluster(place.endpoint, place.profile, place.cluster, place.role)
            for place in self.places.values()
            if place.link.on_air
        ]
        if self.joiner is not None or self.trust_centre is not None:
            both = ClusterRole.SERVER | ClusterRole.CLIENT
            found.append(EndpointCluster(KEY_ENDPOINT, SMART_ENERGY_PROFILE, KeyEstablishment.id, both))
        if self._upkeep.keep_alive_base_minutes:
            role = ClusterRole.SERVER if self.kind is NodeKind.COORDINATOR else ClusterRole.CLIENT
            found.append(EndpointCluster(KEEP_ALIVE_ENDPOINT, SMART_ENERGY_PROFILE, KeepAlive.id, role))
        if self.sub_ghz_server is not None or self.sub_ghz_client is not None:
            role = ClusterRole.CLIENT if self.sub_ghz_server is None else ClusterRole.SERVER
            found.append(EndpointCluster(SUB_GHZ_ENDPOINT, SMART_ENERGY_PROFILE, SubGhz.id, role))
        return found

    # ---------------------------------------------------------------------------- from below

    def _mac_received(self, reception: Reception) -> None:
        frame = reception.frame
        if self.sleeper is not None:
            self.sleeper.received(more=frame.frame_pending)
        try:
            if frame.kind is _DATA:
                if self.mac.impairments is None:
                    self.network.take(reception)
                    return
                self._impaired(
                    self.mac.impairments,
                    "nwk",
                    self._sender_of(frame),
                    frame.payload,
                    lambda came: self.network.take(replace(reception, frame=replace(frame, payload=came))),
                )
            elif frame.kind is MacFrameType.BEACON:
                if self.kind is NodeKind.COORDINATOR:
                    self.changes.beacon_heard(reception)
                elif self.joiner is not None and not self.in_network:
                    self.joiner.beacon(reception)
                else:
                    self.rejoiner.beacon(reception)
            elif frame.kind is MacFrameType.COMMAND:
                self._mac_commanded(reception)
        except ZigbeeDecodeError:
            self.mac.counts.malformed += 1

    def _mac_commanded(self, reception: Reception) -> None:
        row, record = decode_mac_command(reception.frame.payload)
        if row is BEACON_REQUEST:
            if self.parent is not None and self.in_network and self.rejoiner.state is RejoinState.MEMBER:
                self.parent.beacon()
        elif row is ORPHAN_NOTIFICATION and self.parent is not None and self.in_network:
            if isinstance(reception.frame.source, Eui64):
                self.parent.orphan_asked(reception.frame.source)
        elif row is COORDINATOR_REALIGNMENT:
            self.rejoiner.realigned(record, reception.frame.source)
        elif row is ASSOCIATION_REQUEST and self.trust_centre is not None:
            self.trust_centre.association_asked(reception, record)
        elif row is ASSOCIATION_RESPONSE and self.joiner is not None:
            self.joiner.answered(record)

    def _sender_of(self, frame: MacFrame) -> Eui64 | None:
        return self.network.addresses.eui64(frame.source) if isinstance(frame.source, int) else frame.source

    def _impaired(
        self,
        impairments: Impairments,
        layer: ImpairedLayer,
        source: Eui64 | None,
        octets: bytes,
        hand_up: Callable[[bytes], None],
    ) -> None:
        """Hand something up, as the impairments of its layer will have it."""
        impairments.pass_on(
            layer,
            source,
            self.eui64,
            octets,
            lambda came: hand_up(came) if self.on_air else None,
        )

    def _nwk_received(self, data: NwkData) -> None:
        if self.mac.impairments is None:
            self.aps.take(data)
            return
        self._impaired(
            self.mac.impairments,
            "aps",
            self.network.addresses.eui64(data.source),
            data.payload,
            lambda came: self.aps.take(replace(data, payload=came)),
        )

    def _nwk_commanded(self, row: Row, record: Record, data: NwkData) -> None:
        """Commands that are not about routes; only those of a rejoin may be unsecured."""
        from_hub = data.source == COORDINATOR_ADDRESS
        if row is nwk.LEAVE and data.sender is not None:
            options = record.integer("options")
            if options & nwk.LEAVE_REQUEST and not (from_hub or data.source == self.network.parent):
                self.network.counts.not_allowed += 1
            elif options & nwk.LEAVE_REQUEST and options & nwk.LEAVE_REJOIN:
                self._lost("told to come back")
            elif options & nwk.LEAVE_REQUEST:
                self._left()
            else:
                self._gone(data.sender)
        elif row is nwk.REJOIN_REQUEST and self.parent is not None and self.in_network:
            self.parent.rejoin_asked(record, data)
        elif row is nwk.REJOIN_RESPONSE:
            self.rejoiner.answered(record, secured=data.secured)
        elif row is nwk.END_DEVICE_TIMEOUT_REQUEST and self.parent is not None:
            self.parent.timeout_asked(record, data)
        elif row is nwk.NETWORK_UPDATE and from_hub:
            self.changes.network_update(record)

    def _gone(self, device: Eui64) -> None:
        if self.parent is not None:
            self.parent.disown(device)
        self.network.forget_device(device)
        self.profile.bindings.forget(device)

    def _aps_commanded(self, row: Row, record: Record, data: NwkData, key: KeyIdentifier | None) -> None:
        self.home.record(
            "ApsCommandReceived", source=str(data.sender or ""), target=str(self.eui64), command=row.name
        )
        if row is TRANSPORT_KEY:
            self._key_came(record, key)
        elif not data.secured:
            self.network.counts.unsecured += 1
        elif self.trust_centre is not None or self.kind is NodeKind.COORDINATOR:
            self._asked_as_hub(row, record, data, key)
        elif data.source == COORDINATOR_ADDRESS:
            self._told_by_hub(row, record, key)

    def _key_came(self, record: Record, key: KeyIdentifier | None) -> None:
        if record.integer("key_type") == KeyType.APPLICATION_LINK:
            self.partner_keys.came(record, key)
        elif self.joiner is not None and not self.in_network:
            self.joiner.key_came(record, key)
        elif self.rejoiner.state is RejoinState.AWAITING_KEY:
            self.rejoiner.key_came(record, key)
        else:
            self.changes.key_came(record, key)

    def _asked_as_hub(self, row: Row, record: Record, data: NwkData, key: KeyIdentifier | None) -> None:
        if key is not KeyIdentifier.DATA or data.sender is None:
            return
        if row is REQUEST_KEY and self.trust_centre is not None:
            partner = record["partner"]
            if isinstance(partner, Eui64):
                self.trust_centre.give_partner_key(data.sender, partner)
        elif row is UPDATE_DEVICE and self.parent is not None:
            device, number = record["device"], record.integer("status")
            router = self.network.addresses.eui64(data.source)
            if isinstance(device, Eui64) and number in _REJOINED and router is not None:
                status = DeviceStatus(number)
                self.parent.updated(device, record.integer("short_address"), status, through=router)

    def _told_by_hub(self, row: Row, record: Record, key: KeyIdentifier | None) -> None:
        if row is SWITCH_KEY:
            self.changes.switch_came(record)
        elif row is TUNNEL:
            device = record["destination"]
            address = self.network.addresses.short_address(device) if isinstance(device, Eui64) else None
            if address is not None:
                self.network.unicast(address, record.octets("frame"), secured=False)
        elif row is REMOVE_DEVICE and key is KeyIdentifier.DATA and self.parent is not None:
            device = record["device"]
            if isinstance(device, Eui64):
                self.parent.removed(device)

    def _update_asked(self, record: Record, peer: int) -> list[int] | None:
        return self.changes.update_asked(record, peer)

    def _page_update_asked(self, record: Record, mask: int, peer: int) -> list[int] | None:
        return self.changes.page_update_asked(record, mask, peer)

    def _announced(self, eui64: Eui64, short_address: int, sender: Eui64 | None) -> None:
        if self.parent is not None and sender != eui64:
            self.parent.disown(eui64)  # it is another's child, or it would have been heard itself
        before = self.network.addresses.short_address(eui64)
        if self.kind is not NodeKind.COORDINATOR and before not in {None, short_address}:
            # It has joined anew, and lost the key that it had with this device.
            self.aps.forget_device(eui64)
        self.network.addresses.learn(short_address, eui64)

    def _left(self) -> None:
        self.home.record("DeviceLeft", source=str(self.eui64))
        self.profile.bindings.clear()
        self._stop()
        if self.joiner is not None:
            self.joiner.left()
        self.remember()

    def _aps_received(self, data: ApsData, counter: int) -> None:
        if data.profile == zdo.PROFILE:
            self.profile.take(data)
            return
        peer = self.network.addresses.eui64(data.peer)
        if peer is None:
            self.aps.counts.no_key += 1
            return
        if data.cluster == KeyEstablishment.id:
            self._key_message(data, peer)
            return
        if data.cluster == KeepAlive.id:
            self._keep_alive_message(data)
            return
        if data.cluster == SubGhz.id:
            take_sub_ghz(self, data, peer)
            return
        secured = data.secured or data.cluster in WITHOUT_LINK_KEY
        self.home.delivered(self, peer, data, counter, accepted=secured)

    def _keep_alive_message(self, data: ApsData) -> None:
        try:
            if self.kind is NodeKind.COORDINATOR:
                answer_keep_alive(self, data, self._upkeep)
            elif self.keep_alive is not None:
                self.keep_alive.answered(data)
        except ZclDecodeError:
            self.aps.counts.malformed += 1

    def _key_message(self, data: ApsData, peer: Eui64) -> None:
        try:
            if self.trust_centre is not None:
                self.trust_centre.key_message(data, peer)
            elif self.joiner is not None:
                self.joiner.key_message(data)
        except ZclDecodeError:
            self.aps.counts.malformed += 1
