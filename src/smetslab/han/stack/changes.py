"""What a hub changes in its network while it runs: the network key, the channel, the PAN identifier.

A new key goes to every device under its own link key, so that who was removed does not learn it; when all
have it, or the longest time is over, the hub says that it is used from now on. Who has missed it comes back
by a trust centre rejoin. Who has missed a change of channel or PAN finds the network by its extended PAN
identifier.

Spec: ZigBee 4.6.3.4 (network key update), 4.4.8 (switch key), 3.4.10 (network update), 2.4.3.3.9 (channel
change); GBCS 10
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from smetslab.errors import LocalProtocolError
from smetslab.han.air.bands import CHANNELS_2_4_GHZ, Channel, channel_mask, channels_of_mask
from smetslab.han.air.mac_entity import Reception
from smetslab.han.air.medium import Cancellable, Scheduler
from smetslab.han.stack.network import COORDINATOR_ADDRESS, NodeKind
from smetslab.han.stack.rules import UpkeepRules
from smetslab.ids import Eui64
from smetslab.zigbee import aps, nwk, zdo
from smetslab.zigbee.mac_layer import decode_beacon
from smetslab.zigbee.security import KeyIdentifier
from smetslab.zigbee.zcl.fields import Record

if TYPE_CHECKING:
    from smetslab.han.stack.node import RadioNode

CHANNEL_CHANGE: Final = 0xFE
"""Scan duration that means: go to the channel. Spec: ZigBee 2.4.3.3.9.2."""
_LAST_SCAN: Final = 5
_ONE_PAN: Final = 0x01
"""Options of a network update: one PAN identifier, in the place of the present one. Spec: ZigBee 3.4.10."""


class NetworkChanges:
    """The changes of one network: begun on the hub, followed on every device."""

    def __init__(self, node: RadioNode, scheduler: Scheduler, rng: random.Random, rules: UpkeepRules) -> None:
        self._node = node
        self._scheduler = scheduler
        self._rng = rng
        self._rules = rules
        self._timers: list[Cancellable] = []
        self._owed: dict[Eui64, None] = {}
        """Devices that do not have the new network key yet."""
        self._switching = False
        self._renaming = False
        self._untold: dict[Eui64, None] = {}
        """Sleepers on sub-GHz that do not know yet where their hub goes."""
        self._moved: Callable[[], None] = lambda: None

    def stop(self) -> None:
        """The power goes: what was planned is not done."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        self._owed.clear()
        self._untold.clear()
        self._switching = self._renaming = False

    def _after(self, seconds: float, then: Callable[..., None], *given: object) -> None:
        now = self._scheduler.time()
        self._timers = self._timers[-32:]
        self._timers.append(self._scheduler.call_at(now + seconds, then, *given))

    # ---------------------------------------------------------------------------- the network key

    def change_key(self) -> None:
        """Give every device a new network key. Raises LocalProtocolError while that is under way already."""
        if self._owed or self._switching:
            raise LocalProtocolError("the network key is being changed already")
        node = self._node
        settings = node.network.settings
        settings.offer(self._rng.randbytes(16), settings.key_sequence + 1 & 0xFF)
        node.remember()
        self._owed = {one: None for one in node.aps.link_keys if node.may_rejoin(one)}
        node.home.record("NetworkKeyOffered", source=str(node.eui64), sequence=settings.alternate_sequence)
        self._switching = True
        for device in list(self._owed):
            self._offer(device)
        self._after(self._rules.key_switch_s, self._switch)
        self._check()

    def _offer(self, device: Eui64) -> None:
        node = self._node
        settings = node.network.settings
        address = node.network.addresses.short_address(device)
        link_key = node.aps.link_keys.get(device)
        if device not in self._owed or settings.alternate_key is None:
            return
        if address is None or link_key is None:
            del self._owed[device]
            return
        node.aps.command(
            aps.TRANSPORT_KEY,
            address,
            lambda ok: self._offered(device, ok=ok),
            protection=KeyIdentifier.KEY_TRANSPORT,
            link_key=link_key,
            key_type=aps.KeyType.NETWORK,
            key=settings.alternate_key,
            descriptor={
                "sequence": settings.alternate_sequence,
                "destination": device,
                "source": node.eui64,
            },
        )

    def _offered(self, device: Eui64, *, ok: bool) -> None:
        if device not in self._owed:
            return
        if ok:
            del self._owed[device]
            self._check()
        else:
            self._after(self._rules.key_retry_s, self._offer, device)

    def child_polled(self, device: Eui64) -> None:
        """A sleeper is awake: it is given what it is owed."""
        if device in self._owed:
            self._offer(device)
        if device in self._untold:
            self._tell_channel(device)

    def _check(self) -> None:
        if self._switching and not self._owed:
            self._switch()

    def _switch(self) -> None:
        """Everybody is to use the new key. Spec: ZigBee 4.4.8."""
        if not self._switching:
            return
        self._switching = False
        self._owed.clear()
        settings = self._node.network.settings
        self._node.aps.broadcast_command(aps.SWITCH_KEY, sequence=settings.alternate_sequence)
        self._after(self._rules.switch_delay_s, self._switched, settings.alternate_sequence)

    def _switched(self, sequence: int) -> None:
        if self._node.network.settings.switch(sequence):
            self.key_switched()

    def key_switched(self) -> None:
        """The network key in use is another now."""
        node = self._node
        node.home.record(
            "NetworkKeySwitched", source=str(node.eui64), sequence=node.network.settings.key_sequence
        )
        node.remember()

    def key_came(self, record: Record, key: KeyIdentifier | None) -> None:
        """The hub has sent the key to switch to. Spec: ZigBee 4.4.3.3."""
        descriptor = record["descriptor"]
        if (
            key is KeyIdentifier.KEY_TRANSPORT
            and record.integer("key_type") == aps.KeyType.NETWORK
            and isinstance(descriptor, Record)
            and descriptor["destination"] == self._node.eui64
            and descriptor.integer("sequence") != self._node.network.settings.key_sequence
        ):
            self._node.network.settings.offer(record.octets("key"), descriptor.integer("sequence"))
            self._node.remember()

    def switch_came(self, record: Record) -> None:
        """The hub has said which key is used from now on."""
        self._switched(record.integer("sequence"))

    # ---------------------------------------------------------------------------- channel and PAN

    def change_channel(self, channel: Channel) -> None:
        """Take the upper band of the network to another channel. Raises LocalProtocolError for another
        band.
        """
        node = self._node
        settings = node.network.settings
        if channel.page or settings.channel.page:
            raise LocalProtocolError("a network changes its channel within 2.4 GHz")
        settings.update_id = settings.update_id + 1 & 0xFF
        node.profile.tell(
            zdo.NWK_UPDATE_REQUEST,
            nwk.BROADCAST_AWAKE,
            channels=1 << channel.number,
            scan_duration=CHANNEL_CHANGE,
            scan_count_or_update_id=settings.update_id,
        )
        self._after(self._rules.switch_delay_s, self._tune, channel)

    def change_sub_ghz_channel(self, channel: Channel, moved: Callable[[], None]) -> None:
        """Take the lower band of the network to another channel, when who sleeps there knows or the longest
        time is over; `moved` is called then. Raises LocalProtocolError where there is none, for another band,
        and while it is on its way already.
        """
        node = self._node
        server = node.sub_ghz_server
        if server is None or not channel.page:
            raise LocalProtocolError(f"there is no lower band that could go to {channel}")
        if server.announced is not None:
            raise LocalProtocolError(f"the lower band goes to {server.announced} already")
        server.announced, self._moved = channel, moved
        settings = node.network.settings
        settings.update_id = settings.update_id + 1 & 0xFF
        sleepers = node.network.sleepers
        for device in server.devices():
            address = node.network.addresses.short_address(device)
            if address in sleepers:
                self._untold[device] = None
            elif address is not None:
                self._tell_channel(device)
        self._after(self._rules.key_switch_s, self._move, channel)
        self._check_told(channel)

    def _tell_channel(self, device: Eui64) -> None:
        node = self._node
        address = node.network.addresses.short_address(device)
        server = node.sub_ghz_server
        if address is None or server is None or server.announced is None:
            return
        node.profile.tell(
            zdo.NWK_ENHANCED_UPDATE_REQUEST,
            address,
            channels=(channel_mask([server.announced]),),
            scan_duration=CHANNEL_CHANGE,
            scan_count_or_update_id=node.network.settings.update_id,
        )
        if device in self._untold:
            del self._untold[device]
            self._check_told(server.announced)

    def _check_told(self, channel: Channel) -> None:
        if not self._untold:
            self._after(self._rules.switch_delay_s, self._move, channel)

    def _move(self, channel: Channel) -> None:
        """The hub's lower radio goes to its new channel."""
        node = self._node
        server = node.sub_ghz_server
        if server is None or server.announced != channel:
            return
        server.announced = None
        self._untold.clear()
        node.network.settings.sub_ghz = channel
        node.mac.tune(channel)
        node.home.record("NetworkMoved", source=str(node.eui64), what="sub-GHz channel", value=str(channel))
        node.remember()
        self._moved()

    def page_update_asked(self, record: Record, mask: int, peer: int) -> list[int] | None:
        """The hub goes to another channel of a page, or somebody wants to know how noisy channels are."""
        duration, channels = record.integer("scan_duration"), channels_of_mask(mask)
        node = self._node
        own = node.mac.channel
        if duration == CHANNEL_CHANGE and len(channels) == 1 and peer == COORDINATOR_ADDRESS and own.page:
            # Who sleeps does not know when; it looks there as well when the hub is silent.
            node.network.settings.next_channel = channels[0]
            if not node.kind.sleeps:
                self._after(self._rules.switch_delay_s, self._tune_page, channels[0])
        if duration > _LAST_SCAN:
            return None
        return [node.mac.energy(channel) for channel in channels]

    def _tune_page(self, channel: Channel) -> None:
        self._node.network.settings.channel = channel
        self._node.mac.tune(channel)
        self._node.remember()

    def change_pan(self, pan: int) -> None:
        """Give the network another PAN identifier: another network has the same. Spec: ZigBee 3.6.1.13."""
        node = self._node
        settings = node.network.settings
        self._renaming = True
        settings.update_id = settings.update_id + 1 & 0xFF
        node.network.broadcast_command(
            nwk.NETWORK_UPDATE,
            nwk.BROADCAST_ALL,
            options=_ONE_PAN,
            extended_pan=settings.extended_pan,
            update_id=settings.update_id,
            pan=pan,
        )
        self._after(self._rules.switch_delay_s, self._rename, pan)

    def beacon_heard(self, reception: Reception) -> None:
        """Another network shows itself: if it has the identifier of this one, this one takes another.

        Spec: ZigBee 3.6.1.13 (PAN identifier conflicts)
        """
        settings = self._node.network.settings
        beacon = decode_beacon(reception.frame.payload)
        if self._renaming:
            return
        if reception.frame.source_pan == settings.pan and beacon.extended_pan != settings.extended_pan:
            self._node.home.record("PanConflict", source=str(self._node.eui64), pan=settings.pan)
            self.change_pan(self._rng.randrange(1, 0xFFF0))

    def update_asked(self, record: Record, peer: int) -> list[int] | None:
        """The hub wants another channel, or somebody wants to know how noisy channels are: 0 to 255 each."""
        duration, channels = record.integer("scan_duration"), record.integer("channels")
        numbers = [number for number in CHANNELS_2_4_GHZ if channels >> number & 1]
        if duration == CHANNEL_CHANGE and len(numbers) == 1 and peer == COORDINATOR_ADDRESS:
            self._after(self._rules.switch_delay_s, self._tune, Channel(numbers[0]))
        if duration > _LAST_SCAN:
            return None
        return [self._node.mac.energy(Channel(number)) for number in numbers]

    def network_update(self, record: Record) -> None:
        """The hub has another PAN identifier. Spec: ZigBee 3.4.10, 3.6.1.13.2."""
        settings = self._node.network.settings
        if record["extended_pan"] == settings.extended_pan and record.integer("options") == _ONE_PAN:
            self._after(self._rules.switch_delay_s, self._rename, record.integer("pan"))

    def _tune(self, channel: Channel) -> None:
        node = self._node
        if node.network.settings.channel.page:
            return
        node.network.settings.channel = channel
        node.mac.tune(channel)
        self._changed("channel", channel.number)

    def _rename(self, pan: int) -> None:
        self._renaming = False
        self._node.network.settings.pan = self._node.mac.pan = pan
        self._changed("pan", pan)

    def _changed(self, what: str, value: int) -> None:
        node = self._node
        if node.kind is NodeKind.COORDINATOR:
            node.home.record("NetworkMoved", source=str(node.eui64), what=what, value=value)
        node.remember()
