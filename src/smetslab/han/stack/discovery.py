"""The device profile on a device: it answers who asks for its addresses and endpoints, and asks others.

Spec: ZigBee 2.4.3.1, 2.4.4.2 (device and service discovery)
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from smetslab.errors import ZigbeeDecodeError
from smetslab.han.air.medium import Cancellable, Scheduler
from smetslab.han.limits import SMART_ENERGY_PROFILE
from smetslab.han.service import ClusterRole
from smetslab.han.stack.aps_entity import ApsData, ApsEntity
from smetslab.han.stack.binding import Binding, BindingTable
from smetslab.han.stack.network import COORDINATOR_ADDRESS
from smetslab.ids import Eui64
from smetslab.zigbee import nwk, zdo
from smetslab.zigbee.mac_layer import Capability
from smetslab.zigbee.rows import Row
from smetslab.zigbee.zcl.fields import FieldInput, Record
from smetslab.zigbee.zdo import ZdoStatus

ANSWER_TIMEOUT_S: Final = 10.0
"""How long an answer is waited for; a relay and a retry fit into it (unverified)."""
MANUFACTURER: Final = 0xFFFF
MAX_BUFFER: Final = 82
MAX_TRANSFER: Final = 1500
_BAND_2_4_GHZ, _BAND_SUB_GHZ = 0x08, 0x10
_DEVICE_ID = 0x0000
_LONG_ADDRESS = 3
"""Address mode of a binding to an endpoint. Spec: ZigBee 2.4.3.2.2."""
_MOST_BINDINGS, _MOST_NEIGHBOURS = 3, 3
"""So many fit into one frame."""
_COORDINATOR, _ROUTER, _END_DEVICE = 0, 1, 2
_RECEIVES, _CHILD, _SIBLING = 0x04, 0x10, 0x20
_UNKNOWN_PERMISSION = 2
"""Spec: ZigBee 2.4.4.4.2.2 (neighbour table list record)."""

Answered: TypeAlias = Callable[[Record | None], None]
"""Called with the fields of an answer, None when none has come."""


@dataclass(frozen=True, slots=True)
class EndpointCluster:
    """One cluster of one endpoint, as `ApsService.register` was told of it."""

    endpoint: int
    profile: int
    cluster: int
    role: ClusterRole


class DeviceProfile:
    """The device profile object of one device. `clusters` is what it has now."""

    def __init__(
        self,
        aps: ApsEntity,
        scheduler: Scheduler,
        rng: random.Random,
        *,
        clusters: Callable[[], list[EndpointCluster]],
        capability: Capability,
        announced: Callable[[Eui64, int, Eui64 | None], None],
        updated: Callable[[Record, int], list[int] | None],
        updated_page: Callable[[Record, int, int], list[int] | None],
        left: Callable[[], None],
        changed: Callable[[], None],
    ) -> None:
        """`announced`: a device has said its addresses, and who has passed that on last; `updated`: somebody
        wants a change or a scan, whose energies are the answer, `updated_page`: the same on a page, by its
        mask; `left`: this one is told to leave; `changed`: its bindings are others.
        """
        self._aps = aps
        self._scheduler = scheduler
        self._clusters = clusters
        self._capability = capability
        self._announced = announced
        self._updated = updated
        self._updated_page = updated_page
        self._left = left
        self._changed = changed
        self.bindings = BindingTable()
        self._sequence = rng.randrange(256)
        self._asked: dict[tuple[int, int], tuple[Answered, Cancellable]] = {}
        self._named: dict[int, None] = {}
        """Short addresses whose devices are being asked for their own."""

    def forget(self) -> None:
        """The power goes."""
        for _, timer in self._asked.values():
            timer.cancel()
        self._asked.clear()
        self._named.clear()

    # ---------------------------------------------------------------------------- asking

    def ask(self, row: Row, destination: int, answered: Answered, /, **values: FieldInput) -> None:
        """Send a request to one device, or to everybody; `answered` is called once."""
        self._sequence = self._sequence + 1 & 0xFF
        index = (row.id | zdo.RESPONSE, self._sequence)
        deadline = self._scheduler.time() + ANSWER_TIMEOUT_S
        timer = self._scheduler.call_at(deadline, self._silent, index)
        former = self._asked.pop(index, None)
        self._asked[index] = (answered, timer)
        if former is not None:
            former[1].cancel()
            former[0](None)
        self._send(row, destination, self._sequence, values)

    def tell(self, row: Row, destination: int, /, **values: FieldInput) -> None:
        """Send a message that has no answer."""
        self._sequence = self._sequence + 1 & 0xFF
        self._send(row, destination, self._sequence, values)

    def announce(self) -> None:
        """Say this device's addresses to everybody. Spec: ZigBee 2.4.3.1.11."""
        self.tell(
            zdo.DEVICE_ANNOUNCE,
            nwk.BROADCAST_AWAKE,
            short_address=self._aps.network.short_address,
            ieee_address=self._aps.network.eui64,
            capability=int(self._capability),
        )

    def find_server(self, cluster: int, found: Callable[[list[int] | None], None]) -> None:
        """Ask the hub on which endpoints it serves a cluster; `found` is called once, with None when it does
        not answer. Spec: ZigBee 2.4.3.1.7.
        """
        self.ask(
            zdo.MATCH_DESCRIPTOR_REQUEST,
            COORDINATOR_ADDRESS,
            lambda answer: found(None if answer is None else numbers(answer, "endpoints")),
            short_address=COORDINATOR_ADDRESS,
            profile=SMART_ENERGY_PROFILE,
            input_clusters=(cluster,),
            output_clusters=(),
        )

    def find_name(self, short_address: int) -> None:
        """Ask a device that is not known for its EUI-64: a message of its cannot be opened without. Spec:
        ZigBee 2.4.3.1.2.
        """
        if short_address in self._named or short_address >= nwk.BROADCAST_ROUTERS:
            return
        self._named[short_address] = None

        def answered(record: Record | None) -> None:
            self._named.pop(short_address, None)
            eui64 = None if record is None else record["ieee_address"]
            if (
                record is not None
                and record.integer("status") == ZdoStatus.SUCCESS
                and isinstance(eui64, Eui64)
            ):
                self._aps.network.addresses.learn(short_address, eui64)

        self.ask(
            zdo.IEEE_ADDRESS_REQUEST,
            short_address,
            answered,
            short_address=short_address,
            request_type=0,
            start_index=0,
        )

    def _silent(self, index: tuple[int, int]) -> None:
        asked = self._asked.pop(index, None)
        if asked is not None:
            asked[0](None)

    def _send(self, row: Row, destination: int, sequence: int, values: dict[str, FieldInput]) -> None:
        data = ApsData(
            peer=destination,
            cluster=row.id,
            profile=zdo.PROFILE,
            source_endpoint=zdo.ENDPOINT,
            destination_endpoint=zdo.ENDPOINT,
            payload=bytes((sequence,)) + row.encode(**values),
        )
        if destination >= nwk.BROADCAST_ROUTERS:
            self._aps.broadcast(data, destination)
        else:
            self._aps.send(data)

    # ---------------------------------------------------------------------------- answering

    def take(self, data: ApsData) -> None:
        """A message of the device profile has come. One that cannot be read is passed over."""
        try:
            row, sequence, record = zdo.decode_zdo(data.cluster, data.payload)
        except ZigbeeDecodeError:
            self._aps.counts.malformed += 1
            return
        if data.cluster & zdo.RESPONSE:
            asked = self._asked.pop((data.cluster, sequence), None)
            if asked is not None:
                asked[1].cancel()
                asked[0](record)
            return
        answer = _ANSWERS.get(row.id)
        if answer is not None:
            answer(self, record, data, sequence)
        elif not data.broadcast:
            self._refuse(row.id, data, sequence)

    def _refuse(self, cluster: int, data: ApsData, sequence: int) -> None:
        """Say that a request is not served here. Spec: ZigBee 2.4.2.5, 2.4.5 (NOT_SUPPORTED)."""
        self._aps.send(
            ApsData(
                peer=data.peer,
                cluster=cluster | zdo.RESPONSE,
                profile=zdo.PROFILE,
                source_endpoint=zdo.ENDPOINT,
                destination_endpoint=zdo.ENDPOINT,
                payload=bytes((sequence, ZdoStatus.NOT_SUPPORTED)),
            )
        )

    def _answer(self, row: Row, data: ApsData, sequence: int, /, **values: FieldInput) -> None:
        self._send(row, data.peer, sequence, values)

    def _is_own(self, record: Record) -> bool:
        return record.integer("short_address") == self._aps.network.short_address

    def _answer_nwk_address(self, record: Record, data: ApsData, sequence: int) -> None:
        network = self._aps.network
        wanted = record["ieee_address"]
        if wanted == network.eui64:
            found: int | None = network.short_address
        elif data.broadcast or not isinstance(wanted, Eui64):
            return  # only the device itself answers a broadcast
        else:
            found = network.addresses.short_address(wanted)
        self._answer_address(zdo.NWK_ADDRESS_RESPONSE, data, sequence, wanted, found)

    def _answer_ieee_address(self, record: Record, data: ApsData, sequence: int) -> None:
        network = self._aps.network
        short_address = record.integer("short_address")
        eui64 = network.eui64 if self._is_own(record) else network.addresses.eui64(short_address)
        found = None if eui64 is None else short_address
        self._answer_address(zdo.IEEE_ADDRESS_RESPONSE, data, sequence, eui64, found)

    def _answer_address(
        self, row: Row, data: ApsData, sequence: int, eui64: object, short_address: int | None
    ) -> None:
        status = ZdoStatus.DEVICE_NOT_FOUND if short_address is None else ZdoStatus.SUCCESS
        self._answer(
            row,
            data,
            sequence,
            status=status,
            ieee_address=eui64 if isinstance(eui64, Eui64) else Eui64(bytes(8)),
            short_address=0xFFFF if short_address is None else short_address,
            associated_devices=(),
        )

    def _answer_node_descriptor(self, record: Record, data: ApsData, sequence: int) -> None:
        own = self._aps.network.short_address
        if not self._is_own(record):
            status = ZdoStatus.DEVICE_NOT_FOUND
            self._answer(
                zdo.NODE_DESCRIPTOR_RESPONSE, data, sequence, status=status, short_address=own, found=b""
            )
            return
        full = bool(self._capability & Capability.FULL_FUNCTION)
        sub_ghz = self._aps.network.settings.channel.page != 0
        descriptor: dict[str, FieldInput] = {
            "kind": 0 if own == 0 else 1 if full else 2,
            "frequency_band": (_BAND_SUB_GHZ if sub_ghz else _BAND_2_4_GHZ) << 3,
            "mac_capability": int(self._capability),
            "manufacturer": MANUFACTURER,
            "maximum_buffer_size": MAX_BUFFER,
            "maximum_incoming_transfer_size": MAX_TRANSFER,
            "server_mask": 1 if own == 0 else 0,
            "maximum_outgoing_transfer_size": MAX_TRANSFER,
            "descriptor_capability": 0,
        }
        self._answer(
            zdo.NODE_DESCRIPTOR_RESPONSE,
            data,
            sequence,
            status=ZdoStatus.SUCCESS,
            short_address=own,
            found={"descriptor": descriptor},
        )

    def _answer_simple_descriptor(self, record: Record, data: ApsData, sequence: int) -> None:
        own = self._aps.network.short_address
        endpoint = record.integer("endpoint")
        here = [one for one in self._clusters() if one.endpoint == endpoint]
        if not self._is_own(record) or not here:
            status = ZdoStatus.NOT_ACTIVE if self._is_own(record) else ZdoStatus.DEVICE_NOT_FOUND
            self._answer(
                zdo.SIMPLE_DESCRIPTOR_RESPONSE,
                data,
                sequence,
                status=status,
                short_address=own,
                found=b"\x00",
            )
            return
        servers = [one.cluster for one in here if ClusterRole.SERVER in one.role]
        clients = [one.cluster for one in here if ClusterRole.CLIENT in one.role]
        self._answer(
            zdo.SIMPLE_DESCRIPTOR_RESPONSE,
            data,
            sequence,
            status=ZdoStatus.SUCCESS,
            short_address=own,
            found={
                "length": 8 + 2 * (len(servers) + len(clients)),
                "descriptor": {
                    "endpoint": endpoint,
                    "profile": here[0].profile,
                    "device_id": _DEVICE_ID,
                    "device_version": 0,
                    "input_clusters": servers,
                    "output_clusters": clients,
                },
            },
        )

    def _answer_active_endpoints(self, record: Record, data: ApsData, sequence: int) -> None:
        own = self._is_own(record)
        endpoints = sorted({one.endpoint for one in self._clusters()}) if own else []
        self._answer(
            zdo.ACTIVE_ENDPOINTS_RESPONSE,
            data,
            sequence,
            status=ZdoStatus.SUCCESS if own else ZdoStatus.DEVICE_NOT_FOUND,
            short_address=record.integer("short_address"),
            endpoints=endpoints,
        )

    def _answer_match_descriptor(self, record: Record, data: ApsData, sequence: int) -> None:
        """Endpoints with one of the clusters asked for, on the side asked for. Spec: ZigBee 2.4.3.1.7."""
        wanted = [(number, ClusterRole.SERVER) for number in numbers(record, "input_clusters")]
        wanted += [(number, ClusterRole.CLIENT) for number in numbers(record, "output_clusters")]
        profile = record.integer("profile")
        endpoints = sorted(
            {
                one.endpoint
                for one in self._clusters()
                for number, role in wanted
                if one.profile == profile and one.cluster == number and role in one.role
            }
        )
        if not endpoints and data.broadcast:
            return
        self._answer(
            zdo.MATCH_DESCRIPTOR_RESPONSE,
            data,
            sequence,
            status=ZdoStatus.SUCCESS if endpoints else ZdoStatus.NO_MATCH,
            short_address=self._aps.network.short_address,
            endpoints=endpoints,
        )

    def _take_announce(self, record: Record, data: ApsData, sequence: int) -> None:
        del sequence
        eui64 = record["ieee_address"]
        if isinstance(eui64, Eui64):
            self._announced(eui64, record.integer("short_address"), data.sender)

    def _take_update(self, record: Record, data: ApsData, sequence: int) -> None:
        """A change of the channel, or a scan of the channels asked for. Spec: ZigBee 2.4.3.3.9."""
        energies = self._updated(record, data.peer)
        if energies is not None and not data.broadcast:
            self._answer(
                zdo.NWK_UPDATE_NOTIFY,
                data,
                sequence,
                status=ZdoStatus.SUCCESS,
                scanned_channels=record.integer("channels"),
                total_transmissions=self._aps.network.mac.counts.sent & 0xFFFF,
                transmission_failures=self._aps.network.mac.counts.no_acknowledgement & 0xFFFF,
                energies=energies,
            )

    def _take_enhanced_update(self, record: Record, data: ApsData, sequence: int) -> None:
        """The same for channels of pages: an answer for each page. Spec: ZigBee 2.4.3.3.10 (unverified)."""
        for mask in numbers(record, "channels"):
            energies = self._updated_page(record, mask, data.peer)
            if energies is not None:
                self._answer(
                    zdo.NWK_ENHANCED_UPDATE_NOTIFY,
                    data,
                    sequence,
                    status=ZdoStatus.SUCCESS,
                    scanned_channels=mask,
                    total_transmissions=self._aps.network.mac.counts.sent & 0xFFFF,
                    transmission_failures=self._aps.network.mac.counts.no_acknowledgement & 0xFFFF,
                    energies=energies,
                )

    def _take_leave(self, record: Record, data: ApsData, sequence: int) -> None:
        wanted = record["device"]
        own = self._aps.network.eui64
        status = ZdoStatus.SUCCESS if wanted in {own, Eui64(bytes(8))} else ZdoStatus.DEVICE_NOT_FOUND
        if data.peer != COORDINATOR_ADDRESS:
            status = ZdoStatus.NOT_AUTHORISED  # the hub alone sends devices away. Spec: GBCS use case CCS02
        self._answer(zdo.LEAVE_RESPONSE, data, sequence, status=status)
        if status is ZdoStatus.SUCCESS:
            self._left()

    # ---------------------------------------------------------------------------- tables

    def _change_bindings(self, row: Row, record: Record, data: ApsData, sequence: int) -> None:
        """Spec: ZigBee 2.4.3.2.2, 2.4.3.2.3, 2.4.4.3.2."""
        destination = record["destination"]
        status = ZdoStatus.NOT_SUPPORTED  # for another device, or for a group
        if (
            record["source"] == self._aps.network.eui64
            and isinstance(destination, Record)
            and isinstance(destination["address"], Eui64)
        ):
            endpoint, cluster = record.integer("source_endpoint"), record.integer("cluster")
            binding = Binding(endpoint, cluster, destination["address"], destination.integer("endpoint"))
            if not any(one.endpoint == endpoint for one in self._clusters()):
                status = ZdoStatus.INVALID_ENDPOINT
            elif row is zdo.BIND_REQUEST:
                status = self.bindings.bind(binding)
            else:
                status = self.bindings.unbind(binding)
        answer = zdo.BIND_RESPONSE if row is zdo.BIND_REQUEST else zdo.UNBIND_RESPONSE
        self._answer(answer, data, sequence, status=status)
        if status is ZdoStatus.SUCCESS:
            self._changed()

    def _take_bind(self, record: Record, data: ApsData, sequence: int) -> None:
        self._change_bindings(zdo.BIND_REQUEST, record, data, sequence)

    def _take_unbind(self, record: Record, data: ApsData, sequence: int) -> None:
        self._change_bindings(zdo.UNBIND_REQUEST, record, data, sequence)

    def _answer_binding_table(self, record: Record, data: ApsData, sequence: int) -> None:
        """Spec: ZigBee 2.4.4.4.4."""
        start, entries = record.integer("start_index"), self.bindings.entries()
        self._answer(
            zdo.BINDING_TABLE_RESPONSE,
            data,
            sequence,
            status=ZdoStatus.SUCCESS,
            found={
                "entries": len(entries),
                "start_index": start,
                "bindings": [
                    {
                        "source": self._aps.network.eui64,
                        "source_endpoint": one.endpoint,
                        "cluster": one.cluster,
                        "address_mode": _LONG_ADDRESS,
                        "destination": {"address": one.peer, "endpoint": one.peer_endpoint},
                    }
                    for one in entries[start : start + _MOST_BINDINGS]
                ],
            },
        )

    def _answer_neighbour_table(self, record: Record, data: ApsData, sequence: int) -> None:
        """Spec: ZigBee 2.4.4.4.2 (kind: type, receiver and relationship, in bits)."""
        network = self._aps.network
        found: list[dict[str, FieldInput]] = []
        for address, eui64 in network.addresses.items():
            asleep, awake = address in network.sleepers, address in network.end_devices
            if address == network.short_address or not (asleep or awake or address in network.neighbours):
                continue
            kind = _COORDINATOR if not address else _END_DEVICE if asleep or awake else _ROUTER
            relation = _CHILD if asleep or awake else _SIBLING
            found.append(
                {
                    "extended_pan": network.settings.extended_pan,
                    "ieee_address": eui64,
                    "short_address": address,
                    "kind": kind | (0 if asleep else _RECEIVES) | relation,
                    "permit_joining": _UNKNOWN_PERMISSION,
                    "depth": 0 if not address else 1,
                    "link_quality": network.neighbours.get(address, 0),
                }
            )
        start = record.integer("start_index")
        self._answer(
            zdo.NEIGHBOUR_TABLE_RESPONSE,
            data,
            sequence,
            status=ZdoStatus.SUCCESS,
            found={
                "entries": len(found),
                "start_index": start,
                "neighbours": found[start : start + _MOST_NEIGHBOURS],
            },
        )

    def _refuse_joining(self, record: Record, data: ApsData, sequence: int) -> None:
        """Joining is opened by CCS01 alone. Spec: GBCS use case CCS01; the status is unverified."""
        del record
        if not data.broadcast:
            self._answer(zdo.PERMIT_JOINING_RESPONSE, data, sequence, status=ZdoStatus.NOT_PERMITTED)


def numbers(record: Record, name: str) -> list[int]:
    """The numbers of a list in a message."""
    value = record[name]
    return [number for number in value if isinstance(number, int)] if isinstance(value, tuple) else []


_ANSWERS: Final[dict[int, Callable[[DeviceProfile, Record, ApsData, int], None]]] = {
    zdo.NWK_ADDRESS_REQUEST.id: DeviceProfile._answer_nwk_address,
    zdo.IEEE_ADDRESS_REQUEST.id: DeviceProfile._answer_ieee_address,
    zdo.NODE_DESCRIPTOR_REQUEST.id: DeviceProfile._answer_node_descriptor,
    zdo.SIMPLE_DESCRIPTOR_REQUEST.id: DeviceProfile._answer_simple_descriptor,
    zdo.ACTIVE_ENDPOINTS_REQUEST.id: DeviceProfile._answer_active_endpoints,
    zdo.MATCH_DESCRIPTOR_REQUEST.id: DeviceProfile._answer_match_descriptor,
    zdo.DEVICE_ANNOUNCE.id: DeviceProfile._take_announce,
    zdo.BIND_REQUEST.id: DeviceProfile._take_bind,
    zdo.UNBIND_REQUEST.id: DeviceProfile._take_unbind,
    zdo.NEIGHBOUR_TABLE_REQUEST.id: DeviceProfile._answer_neighbour_table,
    zdo.BINDING_TABLE_REQUEST.id: DeviceProfile._answer_binding_table,
    zdo.PERMIT_JOINING_REQUEST.id: DeviceProfile._refuse_joining,
    zdo.LEAVE_REQUEST.id: DeviceProfile._take_leave,
    zdo.NWK_UPDATE_REQUEST.id: DeviceProfile._take_update,
    zdo.NWK_ENHANCED_UPDATE_REQUEST.id: DeviceProfile._take_enhanced_update,
}
"""What is done with each request; the others are refused."""
