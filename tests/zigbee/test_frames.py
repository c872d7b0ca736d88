"""Frames of the layers below ZCL: known octets, round trips, and octets that are no frame."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smetslab.crypto import CcmStar
from smetslab.errors import RegistryError, ZigbeeDecodeError, ZigbeeEncodeError
from smetslab.ids import Eui64
from smetslab.zigbee import aps, mac_layer, nwk, zdo
from smetslab.zigbee.aps import ApsFrame, ApsFrameType, ExtendedHeader, FragmentKind, decode_aps
from smetslab.zigbee.mac_layer import (
    MacFrame,
    MacFrameType,
    ZigbeeBeacon,
    decode_beacon,
    decode_mac,
    frame_check_sequence,
    is_intact,
)
from smetslab.zigbee.nwk import NwkFrame, NwkFrameType, decode_nwk, open_nwk
from smetslab.zigbee.rows import Row, table
from smetslab.zigbee.security import AuxiliaryHeader, KeyIdentifier
from smetslab.zigbee.zcl.fields import fields
from smetslab.zigbee.zcl.types import UInt8

EUI = Eui64.parse("00DB1234567890A2")
SHORT = st.integers(0, 0xFFFF)
EUIS = st.binary(min_size=8, max_size=8).map(Eui64)
OCTET = st.integers(0, 0xFF)


# -------------------------------------------------------------------------------- known octets


def test_a_data_frame_between_short_addresses() -> None:
    """Spec: ZigBee D.4: 0x8861 is data, acknowledgement wanted, one PAN id, short addresses."""
    frame = MacFrame(
        kind=MacFrameType.DATA,
        sequence=0x2A,
        destination_pan=0x1AAA,
        destination=0x0000,
        source=0x7D3B,
        ack_request=True,
        payload=b"\x01\x02",
    )
    assert frame.encode() == bytes.fromhex("61882AAA1A00003B7D0102")


def test_an_acknowledgement_has_five_octets() -> None:
    octets = MacFrame(kind=MacFrameType.ACKNOWLEDGEMENT, sequence=7, frame_pending=True).encode()
    assert octets == bytes.fromhex("120007")
    assert len(octets + frame_check_sequence(octets)) == 5


@given(st.binary(min_size=1, max_size=125), st.data())
def test_a_frame_is_intact_with_its_own_check_sequence_alone(octets: bytes, data: st.DataObject) -> None:
    whole = octets + frame_check_sequence(octets)
    assert is_intact(whole)
    place = data.draw(st.integers(0, 8 * len(whole) - 1))
    changed = bytearray(whole)
    changed[place // 8] ^= 1 << place % 8
    assert not is_intact(bytes(changed))


def test_the_check_sequence_is_crc_16_kermit() -> None:
    assert frame_check_sequence(b"123456789") == (0x2189).to_bytes(2, "little")


def test_secured_data_of_the_network_layer() -> None:
    frame = NwkFrame(
        kind=NwkFrameType.DATA,
        destination=0x0000,
        source=0x7D3B,
        sequence=0x11,
        payload=b"",
        discover_route=True,
        security=AuxiliaryHeader(KeyIdentifier.NETWORK, 1, EUI, 0),
    )
    assert frame.header() == bytes.fromhex("480200003B7D1E11")


def test_data_of_the_application_support_sublayer() -> None:
    frame = ApsFrame(
        kind=ApsFrameType.DATA,
        counter=9,
        destination_endpoint=1,
        source_endpoint=2,
        cluster=0x0702,
        profile=0x0109,
        ack_request=True,
        payload=b"z",
    )
    assert frame.encode() == bytes.fromhex("4001020709010209") + b"z"


# -------------------------------------------------------------------------------- round trips

ADDRESSES = st.none() | SHORT | EUIS


@st.composite
def mac_frames(draw: st.DrawFn) -> MacFrame:
    destination, source = draw(ADDRESSES), draw(ADDRESSES)
    compressed = source is not None and destination is not None and draw(st.booleans())
    return MacFrame(
        kind=draw(st.sampled_from(MacFrameType)),
        sequence=draw(OCTET),
        payload=draw(st.binary(max_size=80)),
        destination_pan=None if destination is None else draw(SHORT),
        destination=destination,
        source_pan=None if source is None or compressed else draw(SHORT),
        source=source,
        ack_request=draw(st.booleans()),
        frame_pending=draw(st.booleans()),
        version=draw(st.integers(0, 2)),
    )


@given(mac_frames())
def test_mac_frames_are_read_as_they_were_written(frame: MacFrame) -> None:
    assert decode_mac(frame.encode()) == frame


SECURITY = st.none() | st.builds(
    AuxiliaryHeader, st.just(KeyIdentifier.NETWORK), st.integers(0, 2**32 - 1), EUIS, OCTET
)
NWK_FRAMES = st.builds(
    NwkFrame,
    kind=st.sampled_from(NwkFrameType),
    destination=SHORT,
    source=SHORT,
    sequence=OCTET,
    payload=st.binary(max_size=80),
    radius=OCTET,
    discover_route=st.booleans(),
    destination_ieee=st.none() | EUIS,
    source_ieee=st.none() | EUIS,
    source_route=st.none() | st.tuples(st.lists(SHORT, max_size=5).map(tuple), OCTET),
    end_device_initiator=st.booleans(),
    security=SECURITY,
)


@given(NWK_FRAMES)
def test_nwk_frames_are_read_as_they_were_written(frame: NwkFrame) -> None:
    if frame.security is None:
        assert decode_nwk(frame.encode()) == frame
        return
    cipher = CcmStar(bytes(range(16)))
    read = decode_nwk(frame.seal(cipher))
    assert open_nwk(read, cipher) == frame.payload
    assert read.header() == frame.header()
    assert read.security == frame.security
    with pytest.raises(ZigbeeEncodeError, match="sealed"):
        frame.encode()


@st.composite
def aps_frames(draw: st.DrawFn) -> ApsFrame:
    kind = draw(st.sampled_from(ApsFrameType))
    cluster = draw(SHORT)
    if kind is ApsFrameType.COMMAND or (kind is ApsFrameType.ACKNOWLEDGEMENT and draw(st.booleans())):
        addressing = {}
    else:
        addressing = {
            "cluster": cluster,
            "destination_endpoint": draw(OCTET),
            "source_endpoint": draw(OCTET),
            "profile": draw(SHORT),
        }
    fragment = draw(st.none() | st.sampled_from(FragmentKind))
    extended = None
    if fragment is FragmentKind.WHOLE:
        extended = ExtendedHeader(fragment)
    elif fragment is not None:
        received = draw(OCTET) if kind is ApsFrameType.ACKNOWLEDGEMENT else None
        extended = ExtendedHeader(fragment, draw(OCTET), received)
    return ApsFrame(
        kind=kind,
        counter=draw(OCTET),
        payload=draw(st.binary(max_size=80)),
        delivery=draw(st.sampled_from(aps.ApsDelivery)),
        ack_request=draw(st.booleans()),
        extended=extended,
        **addressing,
    )


@given(aps_frames())
def test_aps_frames_are_read_as_they_were_written(frame: ApsFrame) -> None:
    assert decode_aps(frame.encode()) == frame


@given(
    st.builds(
        ZigbeeBeacon,
        extended_pan=EUIS,
        permit_joining=st.booleans(),
        coordinator=st.booleans(),
        depth=st.integers(0, 15),
        router_capacity=st.booleans(),
        end_device_capacity=st.booleans(),
        stack_profile=st.integers(0, 15),
        protocol_version=st.integers(0, 15),
        update_id=OCTET,
    )
)
def test_beacons_are_read_as_they_were_written(beacon: ZigbeeBeacon) -> None:
    assert decode_beacon(beacon.encode()) == beacon


# -------------------------------------------------------------------------------- commands

TABLES = pytest.mark.parametrize(
    ("rows", "count"),
    [
        (mac_layer.MAC_COMMANDS, 8),
        (nwk.NWK_COMMANDS, 12),
        (aps.APS_COMMANDS, 8),
        (zdo.ZDO_MESSAGES, 31),
    ],
    ids=["mac", "nwk", "aps", "zdo"],
)


@TABLES
def test_every_command_is_declared(rows: Mapping[int, Row], count: int) -> None:
    assert len(rows) == count


@TABLES
@given(octets=st.binary(max_size=60))
def test_what_a_row_reads_it_writes_again(rows: Mapping[int, Row], count: int, octets: bytes) -> None:
    for row in rows.values():
        try:
            record = row.decode(octets)
        except ZigbeeDecodeError as error:
            assert error.path.startswith(row.name)
            continue
        out = bytearray()
        record.shape.encode(record, out)
        assert bytes(out) == octets


def test_a_transport_key_command_of_each_kind() -> None:
    key = bytes(range(16))
    network = aps.TRANSPORT_KEY.encode(
        key_type=aps.KeyType.NETWORK,
        key=key,
        descriptor={"sequence": 3, "destination": EUI, "source": EUI},
    )
    assert network == b"\x01" + key + b"\x03" + 2 * EUI.raw[::-1]
    partner = aps.TRANSPORT_KEY.encode(
        key_type=aps.KeyType.APPLICATION_LINK, key=key, descriptor={"partner": EUI, "initiator": 1}
    )
    assert partner == b"\x03" + key + EUI.raw[::-1] + b"\x01"
    row, record = aps.decode_aps_command(b"\x05" + partner)
    assert (row, record.octets("key")) == (aps.TRANSPORT_KEY, key)


def test_a_descriptor_comes_only_with_success() -> None:
    assert zdo.NODE_DESCRIPTOR_RESPONSE.encode(status=0x81, short_address=1, found=b"") == b"\x81\x01\x00"
    row, sequence, record = zdo.decode_zdo(0x8006, bytes.fromhex("0500000002010B"))
    assert (row, sequence, record["endpoints"]) == (zdo.MATCH_DESCRIPTOR_RESPONSE, 5, (1, 11))


def test_a_value_that_does_not_fit_names_command_and_field() -> None:
    with pytest.raises(ZigbeeEncodeError, match=r"leave\.options") as caught:
        nwk.LEAVE.encode(options=256)
    assert caught.value.spec == "ZigBee 3.4.4"


def test_a_message_cannot_be_declared_twice() -> None:
    row = Row(1, "one", fields(a=UInt8), "none")
    with pytest.raises(RegistryError, match="twice"):
        table((row, Row(1, "other", fields(a=UInt8), "none")))
    with pytest.raises(RegistryError, match="twice"):
        table((row, Row(2, "one", fields(a=UInt8), "none")))


# -------------------------------------------------------------------------------- octets that are no frame


@given(st.binary(max_size=130))
def test_any_octets_are_a_frame_or_an_error_with_its_place(octets: bytes) -> None:
    for decode in (
        decode_mac,
        decode_nwk,
        decode_aps,
        decode_beacon,
        mac_layer.decode_mac_command,
        nwk.decode_nwk_command,
        aps.decode_aps_command,
        lambda data: zdo.decode_zdo(0x0013, data),
    ):
        try:
            decode(octets)
        except ZigbeeDecodeError as error:
            assert error.offset is not None
            assert error.offset <= len(octets)


@pytest.mark.parametrize(
    ("frame", "match"),
    [
        (
            MacFrame(
                kind=MacFrameType.DATA, sequence=0, destination_pan=1, destination=2, payload=bytes(119)
            ),
            "too long",
        ),
        (MacFrame(kind=MacFrameType.DATA, sequence=0, source=2), "no PAN id"),
    ],
)
def test_a_mac_frame_that_cannot_be_sent_is_refused(frame: MacFrame, match: str) -> None:
    with pytest.raises(ZigbeeEncodeError, match=match):
        frame.encode()


def test_a_frame_without_a_cluster_is_refused() -> None:
    with pytest.raises(ZigbeeEncodeError, match="no cluster"):
        ApsFrame(kind=ApsFrameType.DATA, counter=0).encode()
    with pytest.raises(ZigbeeEncodeError, match="no cluster"):
        ApsFrame(kind=ApsFrameType.COMMAND, counter=0, cluster=1).encode()


@pytest.mark.parametrize("control", ["0900", "0104", "0140", "0700"])
def test_frame_controls_that_zigbee_does_not_use_are_refused(control: str) -> None:
    """MAC security, reserved addressing modes, a reserved type."""
    with pytest.raises(ZigbeeDecodeError, match="MAC frame control"):
        decode_mac(bytes.fromhex(control) + bytes(2))
