"""The Sub-GHz cluster on a hub with two bands, and on the devices of its lower one.

A hub whose duty cycle is limited has the device to which it sends most be silent for a while; when it is
critical, all. A silent device sends nothing of its applications but keys and this cluster. Who comes, or
comes back, asks whether it is to be silent.

Spec: ZSE 1.4 D.14 (Sub-GHz); GBCS 10.6; what silence leaves out is unverified
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from smetslab.errors import SecurityError, ZclDecodeError
from smetslab.han.air.bands import Channel, channel_mask
from smetslab.han.air.dual_band import DualBandMac
from smetslab.han.air.duty import BUCKET_S, DutyLedger, DutyState
from smetslab.han.air.medium import Cancellable, Scheduler
from smetslab.han.limits import SMART_ENERGY_PROFILE
from smetslab.han.stack.aps_entity import ApsData
from smetslab.han.stack.network import COORDINATOR_ADDRESS
from smetslab.han.stack.rules import UpkeepRules
from smetslab.ids import Eui64
from smetslab.zigbee.zcl import Attribute, ZclFrame, decode_frame, find_command
from smetslab.zigbee.zcl.clusters.sub_ghz import SubGhz
from smetslab.zigbee.zcl.foundation import ReadAttributes, decode_general, read_answer

if TYPE_CHECKING:
    from smetslab.han.stack.node import RadioNode

SUB_GHZ_ENDPOINT: Final = 1
"""Where a node has Sub-GHz; its peers ask for it by its cluster."""
NOT_SILENT: Final = frozenset({0x0000, 0x0003, 0x0025, 0x0800, SubGhz.id})
"""What a silent device still sends: keys, signs of life, and this cluster (unverified)."""
_PAGES: Final = {
    28: SubGhz.page_28_channel_mask,
    29: SubGhz.page_29_channel_mask,
    30: SubGhz.page_30_channel_mask,
    31: SubGhz.page_31_channel_mask,
}


class DutyWatch:
    """Notes when the duty cycle of a radio enters another state. The air tells it of every frame."""

    def __init__(self, node: RadioNode, scheduler: Scheduler, ledger: DutyLedger) -> None:
        self.state = DutyState.NORMAL
        self.changed: Callable[[DutyState], None] = lambda _state: None
        self._node = node
        self._scheduler = scheduler
        self._ledger = ledger
        self._timer: Cancellable | None = None
        ledger.told = self.look

    def look(self) -> None:
        """The radio has sent, or wanted to, or time has passed."""
        now = self._scheduler.time()
        state = self._ledger.state(now)
        if state is not self.state:
            self.state = state
            self._node.home.record(
                "DutyCycleChanged",
                source=str(self._node.eui64),
                state=state.name.lower(),
                per_ten_thousand=round(self._ledger.share(now)),
            )
            self.changed(state)
        if self._timer is None and state is not DutyState.NORMAL:
            self._timer = self._scheduler.call_at(now + BUCKET_S, self._later)

    def _later(self) -> None:
        self._timer = None
        self.look()

    def stop(self) -> None:
        """The power goes, and the account with it."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.state = DutyState.NORMAL


class SubGhzServer:
    """The hub's part: who is silent until when, and which channels there are."""

    def __init__(self, node: RadioNode, mac: DualBandMac, scheduler: Scheduler, rules: UpkeepRules) -> None:
        self.watch = DutyWatch(node, scheduler, mac.ledger)
        self.watch.changed = self._duty_changed
        self.duty_changed: Callable[[DutyState], None] = lambda _state: None
        """Called with each state of the duty cycle that the radio enters."""
        self.allowed: list[Channel] = []
        """The channels that the network may use."""
        self.announced: Channel | None = None
        """The channel to which it is about to go."""
        self._node = node
        self._mac = mac
        self._scheduler = scheduler
        self._rules = rules
        self._silent: dict[Eui64, float] = {}
        """Until when."""

    @property
    def ledger(self) -> DutyLedger:
        """The account of the radio."""
        return self._mac.ledger

    @property
    def channel(self) -> Channel:
        """The channel in use."""
        return self._mac.sub_ghz.channel

    def time(self) -> float:
        """The present as the account counts it."""
        return self._scheduler.time()

    def change_channel(self, channel: Channel, moved: Callable[[], None]) -> None:
        """Take the lower band to another channel. Raises LocalProtocolError, see `NetworkChanges`."""
        self._node.changes.change_sub_ghz_channel(channel, moved)

    def stop(self) -> None:
        """The power goes."""
        self.watch.stop()
        self._silent.clear()
        self.announced = None

    def devices(self) -> list[Eui64]:
        """The devices of the lower band, as far as they have been heard."""
        addresses = self._node.network.addresses
        return [eui64 for address, eui64 in addresses.items() if self._mac.is_on_sub_ghz(address)]

    def noise(self, channel: Channel) -> int:
        """How noisy a channel is, 0 to 255."""
        return self._mac.energy(channel)

    # ---------------------------------------------------------------------------- silence

    def busiest(self) -> Eui64 | None:
        """The device to which most was sent in the last hour."""
        addresses = self._node.network.addresses
        for peer in self.ledger.busiest():
            eui64 = addresses.eui64(peer) if isinstance(peer, int) else peer
            if eui64 is not None:
                return eui64
        return None

    def _duty_changed(self, state: DutyState) -> None:
        """Spec: GBCS 10.6 (limited: the worst client; critical: all)."""
        if state is DutyState.CRITICAL:
            self.suspend(self.devices(), self._rules.suspension_minutes)
        elif state is DutyState.LIMITED:
            busiest = self.busiest()
            self.suspend([] if busiest is None else [busiest], self._rules.suspension_minutes)
        elif state is DutyState.NORMAL:
            self.suspend([one for one in self._silent if self.remaining(one)], 0)
        self.duty_changed(state)

    def suspend(self, devices: list[Eui64], minutes: int) -> None:
        """Have devices send nothing of their applications for some minutes; 0 ends it."""
        for device in devices:
            if minutes:
                self._silent[device] = self._scheduler.time() + 60 * minutes
            else:
                self._silent.pop(device, None)
            address = self._node.network.addresses.short_address(device)
            if address is not None:
                self._say(device, address, SUB_GHZ_ENDPOINT, minutes, None)

    def remaining(self, device: Eui64) -> int:
        """For how many minutes a device is still to be silent."""
        left_s = self._silent.get(device, 0.0) - self._scheduler.time()
        return max(0, min(255, -int(-left_s // 60)))

    def _say(self, device: Eui64, address: int, endpoint: int, minutes: int, sequence: int | None) -> None:
        self._node.home.record(
            "SuspensionSent", source=str(self._node.eui64), target=str(device), minutes=minutes
        )
        frame = SubGhz.suspend_zcl_messages.frame(
            SubGhz.suspend_zcl_messages.record(period=minutes),
            sequence=self._node.next_sequence() if sequence is None else sequence,
            disable_default_response=True,
        )
        send(self._node, address, endpoint, frame)

    def receive(self, data: ApsData, device: Eui64) -> None:
        """A message of a device has come. Raises ZclDecodeError for what cannot be read."""
        frame = decode_frame(data.payload)
        if frame.server_to_client:
            return
        if frame.cluster_specific:
            if find_command(SubGhz.id, frame) is SubGhz.get_suspend_zcl_messages_status:
                minutes = self.remaining(device)
                self._say(device, data.peer, data.source_endpoint, minutes, frame.sequence)
            return
        command = decode_general(frame)
        if isinstance(command, ReadAttributes):
            answer = read_answer(frame, command.attributes, self._attributes())
            send(self._node, data.peer, data.source_endpoint, answer)

    def _attributes(self) -> dict[Attribute, int]:
        return {
            SubGhz.channel_change: 0 if self.announced is None else channel_mask([self.announced]),
            **{
                attribute: channel_mask(one for one in self.allowed if one.page == page)
                for page, attribute in _PAGES.items()
            },
        }


class SubGhzClient:
    """A device's part: it asks whether it is to be silent, and is."""

    def __init__(self, node: RadioNode, scheduler: Scheduler, ledger: DutyLedger) -> None:
        self.watch = DutyWatch(node, scheduler, ledger)
        self.ledger = ledger
        self._node = node
        self._scheduler = scheduler
        self._silent_until = 0.0

    def silences(self, cluster: int) -> bool:
        """Whether a message of a cluster is not sent now."""
        return cluster not in NOT_SILENT and self._scheduler.time() < self._silent_until

    def stop(self) -> None:
        """The power goes."""
        self.watch.stop()
        self._silent_until = 0.0

    def start(self) -> None:
        """The device has come, or is back."""
        self._node.profile.find_server(SubGhz.id, self._found)

    def _found(self, endpoints: list[int] | None) -> None:
        if not endpoints:
            return
        command = SubGhz.get_suspend_zcl_messages_status
        frame = command.frame(command.record(), sequence=self._node.next_sequence())
        send(self._node, COORDINATOR_ADDRESS, endpoints[0], frame)

    def receive(self, data: ApsData) -> None:
        """A message of the hub has come. Raises ZclDecodeError for what cannot be read."""
        frame = decode_frame(data.payload)
        if data.peer != COORDINATOR_ADDRESS or not (frame.cluster_specific and frame.server_to_client):
            return
        command = find_command(SubGhz.id, frame)
        if command is not SubGhz.suspend_zcl_messages:
            return
        minutes = command.decode(frame.payload).integer("period")
        was_silent = self._scheduler.time() < self._silent_until
        self._silent_until = self._scheduler.time() + 60 * minutes if minutes else 0.0
        if minutes or was_silent:
            self._node.home.record("ZclSuspended", source=str(self._node.eui64), minutes=minutes)


def send(node: RadioNode, peer: int, endpoint: int, frame: ZclFrame) -> None:
    """Send a message of the cluster under the link key; without one it is left."""
    data = ApsData(
        peer=peer,
        cluster=SubGhz.id,
        profile=SMART_ENERGY_PROFILE,
        source_endpoint=SUB_GHZ_ENDPOINT,
        destination_endpoint=endpoint,
        payload=frame.encode(),
        secured=True,
    )
    try:
        node.aps.send(data)
    except SecurityError:
        node.aps.counts.no_key += 1


def take(node: RadioNode, data: ApsData, device: Eui64) -> None:
    """Hand a message of the cluster to the node's part of it; one that is not under the link key, or cannot
    be read, is counted.
    """
    if not data.secured:
        node.aps.counts.no_key += 1
        return
    try:
        if node.sub_ghz_server is not None:
            node.sub_ghz_server.receive(data, device)
        elif node.sub_ghz_client is not None:
            node.sub_ghz_client.receive(data)
    except ZclDecodeError:
        node.aps.counts.malformed += 1
