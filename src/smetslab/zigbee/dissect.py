"""Reading a ZigBee network from outside: frames as they come, opened with the keys that are known.

It learns on the way: addresses from what devices say, keys that are transported under keys it has, and
messages from their fragments. Nothing here answers or decides; what cannot be opened is said to be so.

Spec: ZigBee 4.3, 4.4 (security), 2.2.8.4.5 (fragments)
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from smetslab.crypto import CcmStar
from smetslab.errors import CodecError, SecurityError, ZigbeeDecodeError
from smetslab.ids import Eui64
from smetslab.zigbee import aps, mac_layer, nwk, zdo
from smetslab.zigbee.aps import ApsFrame, ApsFrameType, FragmentKind, decode_aps, decode_aps_command, open_aps
from smetslab.zigbee.fragment import FragmentRules, Reassembler
from smetslab.zigbee.mac_layer import (
    FCS_BYTES,
    MacFrame,
    MacFrameType,
    decode_beacon,
    decode_mac,
    decode_mac_command,
    frame_check_sequence,
)
from smetslab.zigbee.nwk import NwkFrame, NwkFrameType, decode_nwk, decode_nwk_command, open_nwk
from smetslab.zigbee.rows import Row
from smetslab.zigbee.security import AuxiliaryHeader, KeyIdentifier, key_load_key, key_transport_key
from smetslab.zigbee.zcl.fields import Record

MAX_KEYS: Final = 4096
"""Keys that are tried; more that a capture transports are not learnt."""
MAX_REASSEMBLERS: Final = 4096
"""Pairs of devices whose fragments are kept at a time; of more, those silent for longest are not."""


@dataclass(slots=True, kw_only=True)
class Dissection:
    """One frame, as far as it could be read. `problem`: why not further, empty when there is nothing more.

    `command`: the row and fields of a command of the MAC, network or APS layer, or of the device profile;
    `message`: the whole payload of APS data, once its last fragment has come.
    """

    mac: MacFrame | None = None
    beacon: mac_layer.ZigbeeBeacon | None = None
    nwk: NwkFrame | None = None
    aps: ApsFrame | None = None
    command: tuple[Row, Record] | None = None
    message: bytes | None = None
    source: Eui64 | None = None
    destination: Eui64 | None = None
    problem: str = ""


class Dissector:
    """Reads frame after frame of one capture."""

    def __init__(self, keys: Iterable[bytes]) -> None:
        """`keys`: network and link keys, 16 octets each, in any order."""
        self._keys: dict[bytes, CcmStar] = {}
        self._derived: dict[tuple[bytes, KeyIdentifier], CcmStar] = {}
        self._network: dict[tuple[int | None, int], bytes] = {}
        self._links: dict[tuple[Eui64, KeyIdentifier], bytes] = {}
        self._addresses: dict[tuple[int | None, int], Eui64] = {}
        self._reassemblers: OrderedDict[tuple[int | None, int, int], Reassembler] = OrderedDict()
        self._now = 0.0
        self._rules = FragmentRules(window=1, reassembly_timeout_s=60.0)
        for key in keys:
            self._learn(key)

    def _learn(self, key: bytes) -> None:
        if key not in self._keys and len(self._keys) < MAX_KEYS:
            self._keys[key] = CcmStar(key)

    def dissect(self, octets: bytes, *, fcs: bool, time_s: float = 0.0) -> Dissection:
        """Read one frame. `fcs`: it ends with its check sequence."""
        found = Dissection()
        try:
            self._now = time_s
            self._read(octets, found, fcs=fcs)
        except CodecError as error:
            found.problem = str(error)
        return found

    def _read(self, octets: bytes, found: Dissection, *, fcs: bool) -> None:
        if fcs:
            body, check = octets[:-FCS_BYTES], octets[-FCS_BYTES:]
            if len(octets) < 5 or frame_check_sequence(body) != check:
                raise ZigbeeDecodeError(
                    "wrong check sequence", offset=max(0, len(octets) - 2), path="MAC frame"
                )
            octets = body
        frame = found.mac = decode_mac(octets)
        if frame.kind is MacFrameType.BEACON:
            found.beacon = decode_beacon(frame.payload)
        elif frame.kind is MacFrameType.COMMAND:
            found.command = decode_mac_command(frame.payload)
        elif frame.kind is MacFrameType.DATA:
            self._read_nwk(frame, found)

    # ---------------------------------------------------------------------------- network layer

    def _read_nwk(self, mac: MacFrame, found: Dissection) -> None:
        frame = found.nwk = decode_nwk(mac.payload)
        pan = mac.destination_pan
        payload: bytes | None = frame.payload
        if frame.security is not None:
            payload = self._open_nwk(pan, frame)
            sender = frame.security.source
            if payload is not None and sender is not None and isinstance(mac.source, int):
                self._addresses[pan, mac.source] = sender
        found.source = self._addresses.get((pan, frame.source)) or frame.source_ieee
        found.destination = self._addresses.get((pan, frame.destination)) or frame.destination_ieee
        if payload is None:
            found.problem = "no key opens the network layer"
        elif frame.kind is NwkFrameType.COMMAND:
            found.command = decode_nwk_command(payload)
        elif frame.kind is NwkFrameType.DATA:
            self._read_aps(pan, frame, payload, found)
        else:
            found.problem = "an inter-PAN frame"

    def _open_nwk(self, pan: int | None, frame: NwkFrame) -> bytes | None:
        sequence = 0 if frame.security is None else frame.security.key_sequence
        known = self._network.get((pan, sequence))
        for key in ([known] if known is not None else []) + [key for key in self._keys if key != known]:
            try:
                payload = open_nwk(frame, self._keys[key])
            except SecurityError:
                continue
            self._network[pan, sequence] = key
            return payload
        return None

    # ---------------------------------------------------------------------------- application support

    def _read_aps(self, pan: int | None, network: NwkFrame, octets: bytes, found: Dissection) -> None:
        frame = found.aps = decode_aps(octets)
        payload: bytes | None = frame.payload
        if frame.security is not None:
            payload = self._open_aps(frame, frame.security, found.source)
        if payload is None:
            found.problem = "no key opens the APS layer"
        elif frame.kind is ApsFrameType.COMMAND:
            found.command = decode_aps_command(payload)
            self._take_key(found.command)
        elif frame.kind is ApsFrameType.DATA:
            self._read_data(pan, network, frame, payload, found)

    def _open_aps(self, frame: ApsFrame, auxiliary: AuxiliaryHeader, sender: Eui64 | None) -> bytes | None:
        source = auxiliary.source or sender
        if source is None:
            return None
        known = self._links.get((source, auxiliary.key))
        for key in ([known] if known is not None else []) + [key for key in self._keys if key != known]:
            try:
                payload = open_aps(frame, self._cipher(key, auxiliary.key), source)
            except SecurityError:
                continue
            self._links[source, auxiliary.key] = key
            return payload
        return None

    def _cipher(self, key: bytes, identifier: KeyIdentifier) -> CcmStar:
        if identifier is KeyIdentifier.KEY_TRANSPORT:
            derive = key_transport_key
        elif identifier is KeyIdentifier.KEY_LOAD:
            derive = key_load_key
        else:
            return self._keys[key]
        cipher = self._derived.get((key, identifier))
        if cipher is None:
            cipher = self._derived[key, identifier] = CcmStar(derive(key))
        return cipher

    def _take_key(self, command: tuple[Row, Record]) -> None:
        row, record = command
        if row is aps.TRANSPORT_KEY:
            self._learn(record.octets("key"))

    def _read_data(
        self,
        pan: int | None,
        network: NwkFrame,
        frame: ApsFrame,
        payload: bytes,
        found: Dissection,
    ) -> None:
        extended = frame.extended
        if extended is None or extended.kind is FragmentKind.WHOLE:
            found.message = payload
        else:
            index = (pan, network.source, network.destination)
            found.message = (
                self._reassembler(index).receive(frame.counter, extended, payload, self._now).message
            )
            if found.message is None:
                return
        if frame.profile == zdo.PROFILE and frame.cluster is not None:
            row, _, record = zdo.decode_zdo(frame.cluster, found.message)
            found.command = row, record
            if row is zdo.DEVICE_ANNOUNCE and isinstance(eui64 := record["ieee_address"], Eui64):
                self._addresses[pan, record.integer("short_address")] = eui64

    def _reassembler(self, index: tuple[int | None, int, int]) -> Reassembler:
        found = self._reassemblers.pop(index, None)
        if found is None:
            found = Reassembler(self._rules)
            if len(self._reassemblers) >= MAX_REASSEMBLERS:
                self._reassemblers.popitem(last=False)
        self._reassemblers[index] = found
        return found


def destination_name(address: int) -> str:
    """What a short address of the network layer means when it is no device's."""
    return {
        nwk.BROADCAST_ALL: "everybody",
        nwk.BROADCAST_AWAKE: "everybody awake",
        nwk.BROADCAST_ROUTERS: "all routers",
    }.get(address, f"{address:04X}")
