"""Wireshark reads a capture of ours: all layers below ZCL, sealed and fragmented, and a key establishment."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from smetslab.crypto import CcmStar
from smetslab.ids import Eui64
from smetslab.zigbee import aps, mac_layer, nwk, zdo
from smetslab.zigbee.aps import ApsFrame, ApsFrameType
from smetslab.zigbee.capture.file import Interface, Packet, file_header, packet_block
from smetslab.zigbee.capture.keys import CaptureKey, key_file
from smetslab.zigbee.capture.tap import LINK_TYPE, Reception, encode_tap
from smetslab.zigbee.cbke.certificate import CertificateAuthority
from smetslab.zigbee.cbke.curve import SECT283K1
from smetslab.zigbee.cbke.exchange import Established, KeyExchange, Send
from smetslab.zigbee.fragment import FragmentRules, FragmentSender
from smetslab.zigbee.mac_layer import MacFrame, MacFrameType, ZigbeeBeacon
from smetslab.zigbee.nwk import NwkFrame, NwkFrameType
from smetslab.zigbee.security import AuxiliaryHeader, KeyIdentifier, install_code_key, key_transport_key
from smetslab.zigbee.zcl import CLIENT_TO_SERVER
from smetslab.zigbee.zcl.clusters.key_establishment import KeyEstablishment
from smetslab.zigbee.zcl.clusters.tunnelling import Tunnelling

HUB, METER = Eui64.parse("00DB1234567890A2"), Eui64.parse("00DB1234567890A0")
HUB_SHORT, METER_SHORT, PAN = 0x0000, 0x7D3B, 0x1AAA
NETWORK_KEY = bytes(range(1, 17))
LINK_KEY = install_code_key(bytes.fromhex("83FED3407A939723A5C639B26916D505"))
SMART_ENERGY = 0x0109
AUTHORITY = CertificateAuthority(name=Eui64(b"TESTSECA"), curve=SECT283K1, private=7**90)


class Air:
    """Writes down frames as the two devices would send them."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self._counter = 0
        self._network = CcmStar(NETWORK_KEY)

    def mac(self, frame: MacFrame) -> None:
        octets = replace(frame, sequence=len(self.frames) & 0xFF).encode()
        self.frames.append(octets + mac_layer.frame_check_sequence(octets))

    def nwk(self, source: Eui64, kind: NwkFrameType, payload: bytes, *, secured: bool = True) -> None:
        self._counter += 1
        from_short, to_short = (HUB_SHORT, METER_SHORT) if source == HUB else (METER_SHORT, HUB_SHORT)
        auxiliary = AuxiliaryHeader(KeyIdentifier.NETWORK, self._counter, source, 0)
        frame = NwkFrame(
            kind=kind,
            destination=to_short,
            source=from_short,
            sequence=self._counter & 0xFF,
            payload=payload,
            security=auxiliary if secured else None,
        )
        octets = frame.seal(self._network) if secured else frame.encode()
        self.mac(
            MacFrame(
                kind=MacFrameType.DATA,
                sequence=0,
                destination_pan=PAN,
                destination=to_short,
                source=from_short,
                ack_request=True,
                payload=octets,
            )
        )

    def aps(self, source: Eui64, frame: ApsFrame, key: bytes | None = None) -> None:
        if key is None:
            self.nwk(source, NwkFrameType.DATA, frame.encode())
            return
        self._counter += 1
        secured = replace(frame, security=AuxiliaryHeader(KeyIdentifier.DATA, self._counter, source))
        self.nwk(source, NwkFrameType.DATA, secured.seal(CcmStar(key), source))


def data(cluster: int, payload: bytes, counter: int, profile: int = SMART_ENERGY) -> ApsFrame:
    endpoint = 0 if profile == zdo.PROFILE else 1
    return ApsFrame(
        kind=ApsFrameType.DATA,
        counter=counter,
        cluster=cluster,
        profile=profile,
        destination_endpoint=endpoint,
        source_endpoint=endpoint,
        ack_request=True,
        payload=payload,
    )


def join(air: Air) -> None:
    """Beacon, association, network key, announcement."""
    plain = {"sequence": 0, "destination_pan": PAN, "ack_request": True}
    command = MacFrameType.COMMAND
    air.mac(
        MacFrame(kind=command, sequence=0, destination_pan=0xFFFF, destination=0xFFFF, payload=bytes((0x07,)))
    )
    beacon = ZigbeeBeacon(extended_pan=HUB, permit_joining=True, coordinator=True)
    air.mac(
        MacFrame(
            kind=MacFrameType.BEACON, sequence=0, source_pan=PAN, source=HUB_SHORT, payload=beacon.encode()
        )
    )
    request = bytes((0x01,)) + mac_layer.ASSOCIATION_REQUEST.encode(capability=int(mac_layer.ROUTER))
    air.mac(
        MacFrame(
            kind=command, destination=HUB_SHORT, source_pan=0xFFFF, source=METER, payload=request, **plain
        )
    )
    air.mac(MacFrame(kind=MacFrameType.ACKNOWLEDGEMENT, sequence=0))
    air.mac(MacFrame(kind=command, destination=HUB_SHORT, source=METER, payload=bytes((0x04,)), **plain))
    response = mac_layer.ASSOCIATION_RESPONSE.encode(short_address=METER_SHORT, status=0)
    air.mac(MacFrame(kind=command, destination=METER, source=HUB, payload=bytes((0x02,)) + response, **plain))
    transport = aps.TRANSPORT_KEY.encode(
        key_type=aps.KeyType.NETWORK,
        key=NETWORK_KEY,
        descriptor={"sequence": 0, "destination": METER, "source": HUB},
    )
    frame = ApsFrame(
        kind=ApsFrameType.COMMAND,
        counter=1,
        payload=bytes((0x05,)) + transport,
        security=AuxiliaryHeader(KeyIdentifier.KEY_TRANSPORT, 1, HUB),
    )
    sealed = frame.seal(CcmStar(key_transport_key(LINK_KEY)), HUB)
    air.nwk(HUB, NwkFrameType.DATA, sealed, secured=False)
    announce = zdo.DEVICE_ANNOUNCE.encode(short_address=METER_SHORT, ieee_address=METER, capability=0x8E)
    air.aps(METER, data(zdo.DEVICE_ANNOUNCE.id, b"\x01" + announce, 2, zdo.PROFILE))
    air.nwk(
        METER,
        NwkFrameType.COMMAND,
        b"\x0b" + nwk.END_DEVICE_TIMEOUT_REQUEST.encode(timeout=8, configuration=0),
    )


def establish(air: Air) -> bytes:
    """A key establishment between the two; the link key."""
    scalars = {"device_scalar": 11**80, "authority_scalar": 13**80, "valid_from_s": 1_400_000_000}
    own = AUTHORITY.issue_suite_2(METER, serial=METER.raw, **scalars)
    hub = AUTHORITY.issue_suite_2(HUB, serial=HUB.raw, **scalars)
    sides = {
        METER: KeyExchange(own, HUB, initiator=True, ephemeral_scalar=17**70),
        HUB: KeyExchange(hub, METER, initiator=False, ephemeral_scalar=19**70),
    }
    key = b""
    waiting = [(METER, action) for action in sides[METER].start(0.0)]
    while waiting:
        source, action = waiting.pop(0)
        if isinstance(action, Established):
            key = action.link_key
            continue
        assert isinstance(action, Send)
        payload = action.command.encode(action.record)
        frame = action.command.frame(action.record, sequence=len(air.frames) & 0xFF)
        air.aps(source, data(KeyEstablishment.id, frame.encode(), len(air.frames) & 0xFF))
        peer = HUB if source == METER else METER
        waiting += [(peer, reply) for reply in sides[peer].receive(action.command.id, payload, 1.0)]
    return key


def transfer(air: Air, link_key: bytes) -> bytes:
    """A long tunnel transfer in fragments under the link key; what went through the tunnel."""
    octets = bytes(range(256))
    command = Tunnelling.transfer_data_to_server
    frame = command.frame(command.record(tunnel_id=1, data=octets), sequence=9).encode()
    for block in FragmentSender(frame, FragmentRules(window=8)).start(0.0):
        part = replace(data(Tunnelling.id, block.octets, 200), extended=block.extended)
        air.aps(HUB, part, link_key)
    return octets


def every_command(air: Air) -> Iterator[str]:
    """One frame of each NWK command; their names."""
    samples = {
        nwk.ROUTE_REQUEST: {
            "options": 0,
            "identifier": 1,
            "destination": 5,
            "path_cost": 0,
            "destination_ieee": (),
        },
        nwk.ROUTE_REPLY: {
            "options": 0,
            "identifier": 1,
            "originator": 5,
            "responder": 6,
            "path_cost": 3,
            "addresses_ieee": (),
        },
        nwk.NETWORK_STATUS: {"status": 0, "destination": 0x1234},
        nwk.LEAVE: {"options": nwk.LEAVE_REQUEST},
        nwk.ROUTE_RECORD: {"relays": (1, 2)},
        nwk.REJOIN_REQUEST: {"capability": 0x80},
        nwk.REJOIN_RESPONSE: {"short_address": 7, "status": 0},
        nwk.LINK_STATUS: {"options": 0x61, "links": ({"neighbour": 9, "costs": 0x11},)},
        nwk.NETWORK_UPDATE: {"options": 1, "extended_pan": HUB, "update_id": 1, "pan": 0x1234},
        nwk.END_DEVICE_TIMEOUT_RESPONSE: {"status": 0, "parent_information": 3},
    }
    for row, values in samples.items():
        air.nwk(HUB, NwkFrameType.COMMAND, bytes((row.id,)) + row.encode(**values))
        yield row.name


@pytest.fixture(scope="module")
def conversation() -> tuple[Air, bytes, bytes]:
    air = Air()
    join(air)
    key = establish(air)
    tunnelled = transfer(air, key)
    assert len(list(every_command(air))) == 10
    return air, key, tunnelled


@pytest.fixture(scope="module")
def packets(conversation, tshark, tmp_path_factory) -> list[dict[str, object]]:
    air, key, _ = conversation
    folder: Path = tmp_path_factory.mktemp("air")
    capture = folder / "air.pcapng"
    octets = file_header([Interface(LINK_TYPE, "2.4 GHz")], application="smetslab")
    reception = Reception(channel=11, rssi_dbm=-60.0, fcs=True)
    for number, frame in enumerate(air.frames):
        packet = Packet(number * 1000, 0, LINK_TYPE, encode_tap(reception, frame), f"frame {number}")
        octets += packet_block(packet)
    capture.write_bytes(octets)
    keys = [CaptureKey(NETWORK_KEY, "network"), CaptureKey(LINK_KEY, "join"), CaptureKey(key, "link")]
    options: list[str] = []
    for line in key_file(keys).splitlines()[1:]:
        options += ["-o", f"uat:zigbee_pc_keys:{line}"]
    layers = tshark(capture, *options)
    assert len(layers) == len(air.frames)
    return layers


def test_nothing_is_malformed_or_left_sealed(packets) -> None:
    for layers in packets:
        # A comment of ours is an expert's remark too.
        text = json.dumps({name: layer for name, layer in layers.items() if name != "pkt_comment"})
        assert "_ws.malformed" not in text, text
        assert "_ws.expert" not in text, text
        assert "Encrypted Payload" not in text, text
        assert layers["wpan"]["wpan.fcs_ok"] == "1", text
        assert '"wpan-tap.ch_num": "11"' in text


def test_every_nwk_command_is_known_by_its_number(packets) -> None:
    numbers = [
        _find(layers, "zbee_nwk.cmd.id") for layers in packets if "zbee_nwk.cmd.id" in json.dumps(layers)
    ]
    assert numbers == [11, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12]


def _find(node: object, field: str) -> int:
    text = json.dumps(node)
    start = text.index(f'"{field}": "') + len(field) + 5
    return int(text[start : text.index('"', start)], 0)


def test_the_join_reads_as_it_was_meant(packets) -> None:
    joined = json.dumps(packets[:9])
    for shown in (
        '"zbee_beacon.ext_panid": "00:db:12:34:56:78:90:a2"',
        f'"wpan.asoc.addr": "0x{METER_SHORT:04x}"',
        '"zbee_zdp.ext_addr": "00:db:12:34:56:78:90:a0"',
        f'"zbee_aps.cmd.key": "{NETWORK_KEY.hex(":")}"',
    ):
        assert shown in joined, shown


def test_the_key_establishment_reads_as_it_was_meant(packets) -> None:
    found = [layers for layers in packets if "zbee_zcl_se.ke" in json.dumps(layers)]
    assert [_find(layers, "zbee_zcl.dir") for layers in found] == [int(CLIENT_TO_SERVER), 1] * 3
    for layers, subject in zip(found[:2], (METER, HUB), strict=True):
        text = json.dumps(layers)
        assert f'"zbee_zcl_se.ke.cert.subject": "{subject.raw.hex(":")}"' in text
        assert f'"zbee_zcl_se.ke.cert.issuer": "{AUTHORITY.name.raw.hex(":")}"' in text


def test_fragments_are_put_together_to_what_went_into_the_tunnel(packets, conversation) -> None:
    _, _, octets = conversation
    whole = [json.dumps(layers) for layers in packets if "zbee_zcl_se.tun" in json.dumps(layers)]
    assert len(whole) == 1
    assert octets.hex(":") in whole[0]
