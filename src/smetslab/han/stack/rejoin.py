"""How a device that has lost its network comes back.

    member -> orphaned -> member
                       -> searching -> asking (secured) -> member
                                    -> asking (unsecured) -> awaiting the key -> member

A sleeper first asks whether its parent still has it for a child: that takes two frames. Everybody else, and
who is nobody's child, searches its own channel, then all. When nobody is found it goes on as before and
searches again later, each time after twice the time.

Spec: ZigBee 3.6.1.4.3 (orphaning), 3.6.1.4.2.1 (rejoining, child), 4.6.3.3 (trust centre rejoin); IEEE
802.15.4 7.5.2.1.4 (orphan scan)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

from smetslab.han.air.bands import Channel, all_channels
from smetslab.han.air.mac_entity import Reception
from smetslab.han.air.medium import Cancellable, Scheduler
from smetslab.han.stack.network import COORDINATOR_ADDRESS
from smetslab.han.stack.rules import UpkeepRules
from smetslab.ids import Eui64
from smetslab.zigbee import aps, mac_layer, nwk
from smetslab.zigbee.mac_layer import (
    Address,
    AssociationStatus,
    ZigbeeBeacon,
    decode_beacon,
)
from smetslab.zigbee.security import KeyIdentifier
from smetslab.zigbee.zcl.fields import Record

if TYPE_CHECKING:
    from smetslab.han.stack.node import RadioNode


class RejoinState(Enum):
    """How far a device is on its way back."""

    MEMBER = auto()
    ORPHANED = auto()
    SEARCHING = auto()
    ASKING = auto()
    AWAITING_KEY = auto()


@dataclass(frozen=True, slots=True)
class _Offer:
    """A device of the network that has shown itself."""

    lqi: int
    channel: Channel
    pan: int
    address: int
    beacon: ZigbeeBeacon


class Rejoiner:
    """Brings one member back into its network."""

    def __init__(self, node: RadioNode, scheduler: Scheduler, rules: UpkeepRules) -> None:
        self.state = RejoinState.MEMBER
        self._node = node
        self._scheduler = scheduler
        self._rules = rules
        self._secured = True
        self._everywhere = False
        self._channels: list[Channel] = []
        self._found: list[_Offer] = []
        self._timer: Cancellable | None = None
        self._pause_s = rules.retry_s
        self._home: tuple[Channel, int] | None = None
        """Channel and PAN to go back to when nobody is found."""

    def lost(self, why: str) -> None:
        """The device has lost its network. Does nothing while it searches already, or is going to again."""
        if self.state is not RejoinState.MEMBER or self._timer is not None:
            return
        self._node.home.record("NetworkLost", source=str(self._node.eui64), reason=why)
        self._pause_s = self._rules.retry_s
        self._begin()

    def _begin(self) -> None:
        if self._node.kind.sleeps:
            self._ask_parent()
        else:
            self._search()

    def stop(self) -> None:
        """The power goes, or the device leaves."""
        self._cancel()
        self._go_home()
        self.state = RejoinState.MEMBER

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _after(self, seconds: float, then: Callable[[], None]) -> None:
        self._cancel()
        self._timer = self._scheduler.call_at(self._scheduler.time() + seconds, then)

    # ---------------------------------------------------------------------------- the parent

    def _near(self) -> list[Channel]:
        """The channel of the network, and the one where it was said to go."""
        node = self._node
        if self._home is None:
            self._home = node.mac.channel, node.mac.pan
        own, told = self._home[0], node.network.settings.next_channel
        return [own] if told is None or told == own else [own, told]

    def _ask_parent(self) -> None:
        """Ask on each channel whether the parent is there. Spec: IEEE 802.15.4 7.5.2.1.4."""
        self._channels = self._near()
        self.state = RejoinState.ORPHANED
        self._node.mac.always_listening = True
        self._node.mac.listen(on=True)
        self._ask_next_channel()

    def _ask_next_channel(self) -> None:
        if not self._channels:
            self._search()
            return
        self._node.mac.tune(self._channels.pop(0))
        self._node.mac.send(mac_layer.orphan_notification(self._node.eui64))
        self._after(self._rules.orphan_s, self._ask_next_channel)

    def realigned(self, record: Record, source: Address | None) -> None:
        """A parent says that the device is its child. One that is not the own one may not.

        Spec: IEEE 802.15.4 7.3.8, 7.5.2.3.4
        """
        node = self._node
        settings = node.network.settings
        parent = node.network.addresses.eui64(node.network.parent)
        if self.state is not RejoinState.ORPHANED or parent is None or source != parent:
            return
        node.mac.pan = settings.pan = record.integer("pan")
        node.mac.short_address = record.integer("short_address")
        node.network.addresses.learn(node.mac.short_address, node.eui64)
        settings.channel = node.mac.channel
        node.network.parent = record.integer("coordinator_short_address")
        self._cancel()
        self._home = None
        self._go_home()
        self.state = RejoinState.MEMBER
        node.home.record("DeviceBack", source=str(node.eui64), secured=False, orphan=True)
        node.realigned()

    # ---------------------------------------------------------------------------- searching

    def _search(self, *, everywhere: bool = False) -> None:
        """Spec: ZigBee 3.6.1.4.2.1 (active scan for the extended PAN identifier)."""
        node, near = self._node, self._near()
        self.state = RejoinState.SEARCHING
        self._secured = True
        self._everywhere = everywhere
        self._found.clear()
        self._channels = near
        if everywhere:
            self._channels = [one for one in all_channels(near[0].band) if one not in near]
        node.mac.always_listening = True
        node.mac.listen(on=True)
        self._scan()

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
        pan, source = frame.source_pan, frame.source
        if self.state is not RejoinState.SEARCHING or pan is None or not isinstance(source, int):
            return
        beacon = decode_beacon(frame.payload)
        routes = self._node.kind.routes
        capacity = beacon.router_capacity if routes else beacon.end_device_capacity
        if capacity and beacon.extended_pan == self._node.network.settings.extended_pan:
            self._found.append(_Offer(reception.quality.lqi, self._node.mac.channel, pan, source, beacon))

    def _choose(self) -> None:
        if self._found:
            best = max(self._found, key=lambda one: (one.beacon.coordinator, one.lqi))
            self._go(best.channel, best.pan)
            self._ask(best)
        elif not self._everywhere:
            self._search(everywhere=True)
        else:
            self._give_up("nobody of the network is heard")

    def _go(self, channel: Channel, pan: int) -> None:
        self._node.mac.tune(channel)
        self._node.mac.pan = pan

    def _go_home(self) -> None:
        if self._home is not None:
            self._go(*self._home)
            self._home = None
        if self._node.kind.sleeps:
            self._node.mac.always_listening = False
            self._node.mac.listen(on=False)

    def _give_up(self, why: str) -> None:
        """Go on as before for a while: the hub may come back where it was."""
        self._node.home.record("RejoinFailed", source=str(self._node.eui64), reason=why)
        self._go_home()
        self.state = RejoinState.MEMBER
        self._after(self._pause_s, self._begin)
        self._pause_s = min(2 * self._pause_s, self._rules.retry_longest_s)

    def heard_hub(self) -> None:
        """The hub has answered: there is nothing to search for."""
        if self.state is RejoinState.MEMBER:
            self._cancel()

    # ---------------------------------------------------------------------------- asking

    def _ask(self, offer: _Offer) -> None:
        """Spec: ZigBee 3.4.6 (rejoin request), with the network key first and without it then."""
        node = self._node
        self.state = RejoinState.ASKING
        settings = node.network.settings
        settings.pan, settings.channel = offer.pan, offer.channel
        node.network.parent = offer.address
        node.network.neighbour_command(
            nwk.REJOIN_REQUEST,
            offer.address,
            self._asked,
            secured=self._secured,
            capability=int(node.capability),
        )
        self._after(self._rules.rejoin_answer_s, lambda: self._silent(offer))

    def _asked(self, ok: bool) -> None:
        if ok and self._node.sleeper is not None:
            self._node.sleeper.start()

    def _silent(self, offer: _Offer) -> None:
        if self._secured:
            self._secured = False
            self._ask(offer)
        else:
            self._give_up("no answer to the rejoin request")

    def answered(self, record: Record, *, secured: bool) -> None:
        """The answer has come. Spec: ZigBee 3.4.7."""
        if self.state is not RejoinState.ASKING or secured is not self._secured:
            return
        if record.integer("status") != AssociationStatus.SUCCESS:
            self._give_up("the rejoin was refused")
            return
        self._node.mac.short_address = record.integer("short_address")
        self._node.network.addresses.learn(self._node.mac.short_address, self._node.eui64)
        if secured:
            self._back()
        else:
            self.state = RejoinState.AWAITING_KEY
            self._after(self._rules.key_s, lambda: self._give_up("no network key came"))

    def key_came(self, record: Record, key: KeyIdentifier | None) -> None:
        """The trust centre has sent the network key. Spec: ZigBee 4.4.3.3."""
        descriptor = record["descriptor"]
        if (
            self.state is not RejoinState.AWAITING_KEY
            or key is not KeyIdentifier.KEY_TRANSPORT
            or record.integer("key_type") != aps.KeyType.NETWORK
            or not isinstance(descriptor, Record)
            or descriptor["destination"] != self._node.eui64
        ):
            return
        settings = self._node.network.settings
        settings.offer(record.octets("key"), descriptor.integer("sequence"))
        settings.switch(settings.alternate_sequence)
        hub = descriptor["source"]
        if isinstance(hub, Eui64):
            self._node.network.addresses.learn(COORDINATOR_ADDRESS, hub)
        self._back()

    def _back(self) -> None:
        node = self._node
        self._cancel()
        self._home = None
        self._go_home()
        self.state = RejoinState.MEMBER
        node.home.record("DeviceBack", source=str(node.eui64), secured=self._secured)
        node.network.forget()
        node.returned()
