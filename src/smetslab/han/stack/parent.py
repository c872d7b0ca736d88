"""What a router or the hub is to the devices around it: it shows its network, takes back who has lost it,
keeps its sleepers' frames, and forgets children and neighbours that it does not hear of any more.

A device that has the network key comes back with it (secured rejoin). One that has missed a key change is
given the key by the trust centre, under its link key, through the parent that it has found.

Spec: ZigBee 3.6.1.4.2 (rejoining, parent), 3.6.10 (end device timeout), 3.6.3.4 (link status), 4.4.4, 4.6.3.3
(trust centre)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from smetslab.han.air.medium import Cancellable, Scheduler
from smetslab.han.stack.network import COORDINATOR_ADDRESS, NodeKind
from smetslab.han.stack.nwk_entity import NwkData, link_cost
from smetslab.han.stack.rules import END_DEVICE_TIMEOUTS_S, UpkeepRules
from smetslab.ids import Eui64
from smetslab.zigbee import aps, mac_layer, nwk
from smetslab.zigbee.mac_layer import (
    BROADCAST,
    Address,
    AssociationStatus,
    Capability,
    MacFrame,
    MacFrameType,
    ZigbeeBeacon,
)
from smetslab.zigbee.security import KeyIdentifier
from smetslab.zigbee.zcl.fields import Record

if TYPE_CHECKING:
    from smetslab.han.stack.node import RadioNode

MAX_LINKS: Final = 20
"""Neighbours in one link status: they fit into a frame. Spec: ZigBee 3.4.8.3."""
_FIRST_AND_LAST: Final = 0x60
_POLLS_KEEP_ALIVE: Final = 0x01
"""Parent information: asking for frames keeps a child alive. Spec: ZigBee 3.4.12.3.2."""
_BAD_TIMEOUT: Final = 1


@dataclass(slots=True)
class Child:
    """An end device of this parent. `timer` runs out when nothing is heard of one that is asleep; one that is
    awake asks its hub for a sign of life itself.
    """

    eui64: Eui64
    short_address: int
    timeout_s: float
    asleep: bool = True
    timer: Cancellable | None = None


class Parent:
    """One router's, or the hub's, part in keeping the network up."""

    def __init__(
        self,
        node: RadioNode,
        scheduler: Scheduler,
        rules: UpkeepRules,
        *,
        short_address: Callable[[Eui64], int],
    ) -> None:
        """`short_address`: draws an address that nobody has."""
        self.children: dict[int, Child] = {}
        self.permits: Callable[[], bool] = lambda: False
        """Whether devices may join by association: what beacons say."""
        self._node = node
        self._scheduler = scheduler
        self._rules = rules
        self._draw = short_address
        self._link_status: Cancellable | None = None
        node.mac.asked = self.polled
        node.network.child_moved = self._moved

    @property
    def _is_hub(self) -> bool:
        return self._node.kind is NodeKind.COORDINATOR

    # ---------------------------------------------------------------------------- power

    def start(self) -> None:
        """The power is there: children are given their time anew."""
        for child in list(self.children.values()):
            self._alive(child)
        if self._rules.link_status_s:
            self._link_status = self._after(self._rules.link_status_s, self._say_links)

    def stop(self) -> None:
        """The power goes. The table of children is kept. Spec: ZigBee 3.6.8 (persistent data)."""
        for child in self.children.values():
            if child.timer is not None:
                child.timer.cancel()
                child.timer = None
        if self._link_status is not None:
            self._link_status.cancel()
            self._link_status = None

    def _after(self, seconds: float, then: Callable[..., None], *given: object) -> Cancellable:
        return self._scheduler.call_at(self._scheduler.time() + seconds, then, *given)

    # ---------------------------------------------------------------------------- children

    def adopt(
        self, eui64: Eui64, short_address: int, timeout_s: float | None = None, *, asleep: bool = True
    ) -> None:
        """An end device is a child of this device from now on."""
        self.disown(eui64)
        if timeout_s is None:
            timeout_s = END_DEVICE_TIMEOUTS_S[self._rules.end_device_timeout]
        child = self.children[short_address] = Child(eui64, short_address, timeout_s, asleep)
        network = self._node.network
        (network.sleepers if asleep else network.end_devices)[short_address] = None
        network.neighbours.pop(short_address, None)
        if self._node.on_air:
            self._alive(child)

    def disown(self, eui64: Eui64) -> None:
        """A device is nobody's child, or another's."""
        for child in [one for one in self.children.values() if one.eui64 == eui64]:
            if child.timer is not None:
                child.timer.cancel()
            del self.children[child.short_address]
            self._node.network.sleepers.pop(child.short_address, None)
            self._node.network.end_devices.pop(child.short_address, None)

    def _moved(self, short_address: int) -> None:
        """A frame of a child comes through another parent: it has that now."""
        child = self.children.get(short_address)
        if child is not None:
            self.disown(child.eui64)
            self._node.remember()

    def polled(self, address: Address) -> None:
        """Somebody asks for the frames that are kept for it: a child lives, a stranger is told to come back.

        Spec: ZigBee 3.6.10.4
        """
        if not isinstance(address, int):
            return
        child = self.children.get(address)
        if child is not None:
            self._alive(child)
            self._node.child_polled(child.eui64)
        else:
            options = nwk.LEAVE_REQUEST | nwk.LEAVE_REJOIN
            self._node.network.neighbour_command(nwk.LEAVE, address, asleep=True, options=options)

    def _alive(self, child: Child) -> None:
        if child.timer is not None:
            child.timer.cancel()
        if child.asleep:
            child.timer = self._after(child.timeout_s, self._aged, child)

    def _aged(self, child: Child) -> None:
        child.timer = None
        self._node.home.record("ChildAgedOut", source=str(child.eui64), target=str(self._node.eui64))
        self.disown(child.eui64)
        self._node.remember()

    def orphan_asked(self, device: Eui64) -> None:
        """A device has lost its parent: if it is this one, it is told so. Spec: IEEE 802.15.4 7.5.2.3.4."""
        child = next((one for one in self.children.values() if one.eui64 == device), None)
        if child is None:
            return
        node = self._node
        channel = node.network.settings.channel
        if node.mac.is_on_sub_ghz(device) and node.network.settings.sub_ghz is not None:
            channel = node.network.settings.sub_ghz
        node.home.record("ChildRealigned", source=str(device), target=str(node.eui64))
        payload = mac_layer.COORDINATOR_REALIGNMENT.encode(
            pan=node.mac.pan,
            coordinator_short_address=node.network.short_address,
            channel=channel.number,
            short_address=child.short_address,
        )
        node.mac.send(
            MacFrame(
                kind=MacFrameType.COMMAND,
                sequence=0,
                destination_pan=BROADCAST,
                destination=device,
                source_pan=node.mac.pan,
                source=node.eui64,
                ack_request=True,
                payload=bytes((mac_layer.COORDINATOR_REALIGNMENT.id,)) + payload,
            )
        )
        self._alive(child)

    def timeout_asked(self, record: Record, data: NwkData) -> None:
        """A child says how long it may be silent. Spec: ZigBee 3.4.11, 3.6.10.2."""
        child = self.children.get(data.source)
        number = record.integer("timeout")
        fits = child is not None and number < len(END_DEVICE_TIMEOUTS_S)
        if child is not None and fits:
            child.timeout_s = END_DEVICE_TIMEOUTS_S[number]
            self._alive(child)
            self._node.remember()
        self._node.network.neighbour_command(
            nwk.END_DEVICE_TIMEOUT_RESPONSE,
            data.source,
            asleep=child is not None and child.asleep,
            status=0 if fits else _BAD_TIMEOUT,
            parent_information=_POLLS_KEEP_ALIVE,
        )

    # ---------------------------------------------------------------------------- beacons

    def beacon(self) -> None:
        """Show the network to who looks for one. Spec: ZigBee 3.6.7."""
        node = self._node
        settings = node.network.settings
        beacon = ZigbeeBeacon(
            extended_pan=settings.extended_pan,
            permit_joining=self.permits(),
            coordinator=self._is_hub,
            depth=0 if self._is_hub else 1,
            update_id=settings.update_id,
        )
        node.mac.send(
            MacFrame(
                kind=MacFrameType.BEACON,
                sequence=0,
                source_pan=settings.pan,
                source=node.network.short_address,
                payload=beacon.encode(),
            )
        )

    # ---------------------------------------------------------------------------- rejoining

    def rejoin_asked(self, record: Record, data: NwkData) -> None:
        """A device wants to come back. Spec: ZigBee 3.6.1.4.2.2."""
        device = data.sender if data.secured else data.source_ieee
        if device is None:
            return
        node = self._node
        capability = Capability(record.integer("capability") & 0xFF)
        asleep = not capability & Capability.RECEIVER_ON_WHEN_IDLE
        if self._is_hub and not node.may_rejoin(device):
            node.home.record("RejoinRefused", source=str(device), target=str(node.eui64))
            self._answer(data, asleep=asleep, status=AssociationStatus.PAN_ACCESS_DENIED)
            return
        address = self._address(device, data.source)
        node.network.addresses.learn(data.source, device)
        if not capability & Capability.FULL_FUNCTION:
            self.adopt(device, data.source, asleep=asleep)
        else:
            self.disown(device)
            node.network.neighbours.setdefault(data.source, data.lqi)
        self._answer(
            data,
            asleep=asleep,
            status=AssociationStatus.SUCCESS,
            address=address,
            done=lambda ok: (
                self._answered(device, data.source, address, capability, secured=data.secured) if ok else None
            ),
        )

    def _address(self, device: Eui64, wanted: int) -> int:
        """The address that a device had, unless another has it now. Spec: ZigBee 3.6.1.9 (conflicts)."""
        holder = self._node.network.addresses.eui64(wanted)
        if wanted >= nwk.BROADCAST_ROUTERS or wanted == COORDINATOR_ADDRESS or holder not in {None, device}:
            return self._draw(device)
        return wanted

    def _answer(
        self,
        data: NwkData,
        *,
        asleep: bool,
        status: AssociationStatus,
        address: int = 0xFFFF,
        done: Callable[[bool], None] | None = None,
    ) -> None:
        self._node.network.neighbour_command(
            nwk.REJOIN_RESPONSE,
            data.source,
            done,
            secured=data.secured,
            asleep=asleep,
            short_address=address,
            status=status,
        )

    def _answered(
        self, device: Eui64, was: int, address: int, capability: Capability, *, secured: bool
    ) -> None:
        """The device has its answer: it is a child or a neighbour under its address, and the hub is told."""
        node = self._node
        node.network.addresses.learn(address, device)
        node.mac.assigned(was, address)
        if not capability & Capability.FULL_FUNCTION and address != was:
            asleep = not capability & Capability.RECEIVER_ON_WHEN_IDLE
            self.adopt(device, address, asleep=asleep)
        node.home.record("DeviceRejoined", source=str(device), target=str(node.eui64), secured=secured)
        node.remember()
        status = aps.DeviceStatus.SECURED_REJOIN if secured else aps.DeviceStatus.UNSECURED_REJOIN
        if self._is_hub:
            self.updated(device, address, status, through=None)
            return
        hub = node.network.addresses.eui64(COORDINATOR_ADDRESS)
        link_key = None if hub is None else node.aps.link_keys.get(hub)
        if link_key is not None:
            node.aps.command(
                aps.UPDATE_DEVICE,
                COORDINATOR_ADDRESS,
                protection=KeyIdentifier.DATA,
                link_key=link_key,
                device=device,
                short_address=address,
                status=status,
            )

    # ---------------------------------------------------------------------------- the trust centre

    def updated(
        self, device: Eui64, address: int, status: aps.DeviceStatus, *, through: Eui64 | None
    ) -> None:
        """A device has come to this hub, or to a router that tells it so: who has no key is given it.

        Spec: ZigBee 4.6.3.3 (trust centre operation)
        """
        node = self._node
        if through is not None:
            self.disown(device)
            node.network.forget_neighbour(address)
        link_key = node.aps.link_keys.get(device)
        router = None if through is None else node.network.addresses.short_address(through)
        if link_key is None or not node.may_rejoin(device):
            node.home.record("RejoinRefused", source=str(device), target=str(node.eui64))
            through_key = None if through is None else node.aps.link_keys.get(through)
            if router is not None and through_key is not None:
                node.aps.command(
                    aps.REMOVE_DEVICE,
                    router,
                    protection=KeyIdentifier.DATA,
                    link_key=through_key,
                    device=device,
                )
            return
        node.network.addresses.learn(address, device)
        node.remember()
        if status is not aps.DeviceStatus.UNSECURED_REJOIN:
            return
        settings = node.network.settings
        sealed = node.aps.sealed_command(
            aps.TRANSPORT_KEY,
            KeyIdentifier.KEY_TRANSPORT,
            link_key,
            key_type=aps.KeyType.NETWORK,
            key=settings.key,
            descriptor={"sequence": settings.key_sequence, "destination": device, "source": node.eui64},
        )
        if through is None:
            node.network.unicast(address, sealed, secured=False)
        elif router is not None:
            node.aps.command(aps.TUNNEL, router, destination=device, frame=sealed)

    def removed(self, device: Eui64) -> None:
        """The hub does not want a device that this router has taken. Spec: ZigBee 4.4.5.3."""
        address = self._node.network.addresses.short_address(device)
        self.disown(device)
        if address is not None:
            self._node.network.command(nwk.LEAVE, address, options=nwk.LEAVE_REQUEST)
            self._node.network.forget_device(device)

    # ---------------------------------------------------------------------------- link status

    def _say_links(self) -> None:
        """Say whom this device hears, and forget who was silent. Spec: ZigBee 3.6.3.4."""
        network = self._node.network
        oldest = self._scheduler.time() - self._rules.router_age_limit * self._rules.link_status_s
        for address in [one for one in network.neighbours if network.heard_s.get(one, oldest) < oldest]:
            network.forget_neighbour(address)
            self._node.home.record("NeighbourAgedOut", source=f"{address:04X}", target=str(self._node.eui64))
        links = sorted(network.neighbours.items())[:MAX_LINKS]
        network.broadcast_command(
            nwk.LINK_STATUS,
            nwk.BROADCAST_ROUTERS,
            radius=1,
            options=_FIRST_AND_LAST | len(links),
            links=[
                {"neighbour": address, "costs": link_cost(lqi) | link_cost(lqi) << 4}
                for address, lqi in links
            ],
        )
        self._link_status = self._after(self._rules.link_status_s, self._say_links)
