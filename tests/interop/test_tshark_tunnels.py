"""Wireshark reads what our hub and meter really said to each other, from tunnels down to GBCS messages.

Its dissectors share nothing with our codecs, so every value that both of them give is confirmed by the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from smetslab.clock import LoopClock, run_virtual
from smetslab.dcc.service_user import ServiceResponse
from smetslab.dcc.transform import Origin, build_command
from smetslab.gbcs.codes import Cra, KeyUsage
from smetslab.gbcs.gbt import Block, decode_block, is_block
from smetslab.gbcs.message import Message, decode_message, encode_message
from smetslab.gbcs.usecases.registry import USE_CASES, by_code
from smetslab.gbcs.values import Parameters, date_time_octets, utc_text
from smetslab.han import ApsFrame
from smetslab.ids import Eui64
from smetslab.lab.build import Lab
from smetslab.lab.config import load_lab
from smetslab.trace import Observation
from smetslab.zigbee.zcl import Record, decode_frame, find_command
from smetslab.zigbee.zcl.cluster import SERVER_TO_CLIENT, Command
from smetslab.zigbee.zcl.clusters.tunnelling import Tunnelling

TUNNEL = "zbee_zcl_se.tun"
GROUPING = "gbcs_message.grouping_header"
ROUTING = "gbcs_message.routing_header"
BLOCK = "gbcs_message.gbt_header"


@dataclass(frozen=True)
class Run:
    """What crossed the tunnels of a lab."""

    frames: tuple[ApsFrame, ...]
    supplier: Eui64
    esme: Eui64
    hub: Eui64
    broker: Eui64
    long_response: bytes
    """What the user got as the answer to the request that only blocks can carry."""


@pytest.fixture(scope="module")
def run() -> Run:
    """Reads, critical and future-dated commands, alerts, a third party, days in which tunnels are renewed."""
    config = load_lab()

    async def main(clock: LoopClock) -> Run:
        async with Lab(config) as lab:
            esme, supplier = config.premises[0].devices[0].eui64, lab.users["supplier"]

            async def ask(
                variant: str, elements: Parameters | None = None, execution: str | None = None
            ) -> ServiceResponse:
                response = await supplier.request(variant, esme, elements, execution=execution)
                assert response.code == "I0"
                return response

            await ask("4.1.1")
            await ask("7.2")
            await ask("2.2", {"UTRN": "73946144332040217315"})
            assert await lab.dcc.exchange_raw(_third_party_read(lab, esme), esme, 30) is not None
            limits = {
                "LoadLimitPeriod": 60,
                "LoadLimitPowerThreshold": 5000,
                "LoadLimitRestorationPeriod": 90,
            }
            moment = utc_text(lab.clock.now() + timedelta(hours=1))
            await ask("6.4.1", {**limits, "LoadLimitSupplyState": "Disable"}, execution=moment)
            start = utc_text(lab.clock.now() - timedelta(days=40))
            period = {"StartDateTime": start, "EndDateTime": utc_text(lab.clock.now())}
            long_response = (await ask("4.6.1", {"ReadLogPeriod": period})).response.gbcs
            assert long_response is not None
            await lab.clock.sleep(timedelta(days=2).total_seconds())
            await ask("7.4")
            sent = [_aps_frame(seen) for seen in lab.trace.find(layer="han", event="FrameSent")]
            frames = tuple(frame for frame in sent if frame.cluster == Tunnelling.id)
            parties = (supplier.party, esme, config.premises[0].hub.eui64, lab.dcc.broker.identity)
            return Run(frames, *parties, long_response)

    return run_virtual(main)


def _third_party_read(lab: Lab, esme: Eui64) -> bytes:
    """A read by the broker for a party that the meter does not know, with that party's certificate."""
    party = lab.users["second-supplier"].party
    origin = Origin(
        party=lab.dcc.broker.identity,
        counter=1_767_571_200_000,
        supplementary_party=party,
        supplementary_counter=77,
        key_agreement_certificate=lab.keystore.find(party, KeyUsage.KEY_AGREEMENT).certificate.der,
    )
    start, end = lab.clock.now() - timedelta(days=1), lab.clock.now()
    period = {"read_log_period": {"start_date_time": utc_text(start), "end_date_time": utc_text(end)}}
    command = build_command(USE_CASES["ECS22b"], period, origin, esme)
    return encode_message(lab.dcc.broker.protect(command))


def _aps_frame(seen: Observation) -> ApsFrame:
    number = {name: value for name, value in seen.detail.items() if isinstance(value, int)}
    return ApsFrame(
        source=Eui64.parse(seen.source),
        source_endpoint=number["source_endpoint"],
        destination=Eui64.parse(seen.target),
        destination_endpoint=number["target_endpoint"],
        profile=number["profile"],
        cluster=number["cluster"],
        payload=seen.data,
    )


# What our own codecs say of a frame -------------------------------------------------------------------------


def _tunnel_command(frame: ApsFrame) -> tuple[Command, Record]:
    zcl = decode_frame(frame.payload)
    command = find_command(frame.cluster, zcl)
    assert command is not None
    return command, command.decode(zcl.payload)


def _carried(frames: Sequence[ApsFrame]) -> list[bytes | None]:
    """What each frame carries through its tunnel, None for those that carry nothing."""
    records = [_tunnel_command(frame)[1] for frame in frames]
    return [dict(record.items()).get("data") for record in records]


# The tests --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def packets(run: Run, dissect_han) -> list[Any]:
    """What Wireshark makes of each frame; that none of it is malformed is seen to already."""
    return dissect_han(run.frames)


def test_every_frame_is_the_tunnelling_command_that_we_meant(run: Run, packets, tshark_names) -> None:
    seen = set()
    for frame, packet in zip(run.frames, packets, strict=True):
        command, record = _tunnel_command(frame)
        assert packet.protocols[:5] == ["wpan", "zbee_nwk", "zbee_aps", "zbee_zcl", TUNNEL]
        assert packet.one("zbee_aps.profile") == "0x0109"
        assert packet.one("zbee_aps.cluster") == "0x0704"
        assert int(packet.one("zbee_zcl.cmd.tsn")) == decode_frame(frame.payload).sequence
        to_client = command.direction is SERVER_TO_CLIENT
        assert packet.one("zbee_zcl.dir") == str(int(to_client))
        field = f"{TUNNEL}.cmd.srv_{'tx' if to_client else 'rx'}.id"
        assert int(packet.one(field), 0) == command.id
        name = tshark_names(field)[command.id].lower().replace(" ", "_")
        assert command.name.removesuffix("_to_client").removesuffix("_to_server") == name
        for ours, theirs in TUNNEL_FIELDS.get(command.name, {}).items():
            assert int(packet.one(f"{TUNNEL}.{theirs}"), 0) == int(record[ours]), (command.name, ours)
        seen.add(command.name)
    assert seen >= {
        "request_tunnel",
        "request_tunnel_response",
        "transfer_data_to_server",
        "transfer_data_to_client",
        "tunnel_closure_notification",
    }


TUNNEL_FIELDS = {
    "request_tunnel": {
        "protocol_id": "protocol_id",
        "manufacturer_code": "manufacturer_code",
        "flow_control_support": "flow_control_supported",
        "maximum_incoming_transfer_size": "max_in_transfer_size",
    },
    "request_tunnel_response": {
        "tunnel_id": "tunnel_id",
        "status": "transfer_status",
        "maximum_incoming_transfer_size": "max_in_transfer_size",
    },
    "transfer_data_to_server": {"tunnel_id": "tunnel_id"},
    "transfer_data_to_client": {"tunnel_id": "tunnel_id"},
    "tunnel_closure_notification": {"tunnel_id": "tunnel_id"},
}


def test_every_message_says_to_wireshark_what_it_says_to_us(run: Run, packets, tshark_names) -> None:
    names = tshark_names(f"{GROUPING}.message_code")
    kinds = set()
    for data, packet in zip(_carried(run.frames), packets, strict=True):
        if data is None or is_block(data):
            continue
        message = decode_message(data)
        _assert_same_message(packet, message)
        use_case = by_code(message.message_code)
        assert use_case is not None
        kinds.add((message.cra, use_case.name))
        if message.cra is not Cra.ALERT:
            assert names[message.message_code].split()[0] == use_case.name
    for name in ("ECS17b", "ECS43", "CS01a", "ECS22b", "ECS28a", "ECS45"):
        assert kinds >= {(Cra.COMMAND, name), (Cra.RESPONSE, name)}
    assert (Cra.ALERT, "FDEI-DLMS") in kinds


def test_header_fields_have_the_values_that_were_asked_for(run: Run, packets) -> None:
    """Against what the users asked, not against what our decoder says of it."""
    dashed = str(run.supplier.dashed()).lower().replace("-", ":")
    first, _ = (p for p in packets if p.all(f"{GROUPING}.message_code") == ["0x0027"])
    assert first.one(f"{GROUPING}.originator_counter") == "1000"
    assert first.one(f"{GROUPING}.business_originator_id") == dashed == "90:b3:d5:1f:30:01:00:00"
    assert first.one(f"{GROUPING}.business_target_id") == "00:db:12:34:56:78:90:a0"
    top_up, _ = (p for p in packets if p.all(f"{GROUPING}.message_code") == ["0x0007"])
    assert top_up.one(f"{GROUPING}.originator_counter") == str(1 << 32)
    third, answer = (p for p in packets if p.all(f"{GROUPING}.message_code") == ["0x0037"])
    for packet in (third, answer):
        assert packet.one(f"{GROUPING}.originator_counter") == "1767571200000"
        assert packet.one(f"{GROUPING}.supplementary_remote_party_id") == "90:b3:d5:1f:30:03:00:00"
        assert packet.one(f"{GROUPING}.supplementary_remote_party_counter") == "77"


def test_blocks_of_a_long_response_are_read_and_put_together(run: Run, packets) -> None:
    blocks = [
        (decode_block(data), packet)
        for data, packet in zip(_carried(run.frames), packets, strict=True)
        if data is not None and is_block(data)
    ]
    for block, packet in blocks:
        _assert_same_block(packet, block)
    parts = [packet for block, packet in blocks if block.data]
    acknowledgements = [packet for block, packet in blocks if not block.data]
    assert len(parts) == 9
    assert [int(packet.one(f"{BLOCK}.block_number")) for packet in parts] == list(range(1, 10))
    lasts = [packet.one(f"{BLOCK}.block_control.last_block") for packet in parts]
    assert lasts == ["0"] * 8 + ["1"]
    assert [packet.one(f"{BLOCK}.block_number_ack") for packet in acknowledgements] == ["8", "9"]
    whole = parts[-1]
    assert whole.one("gbcs_message.gbt.block.count") == "9"
    assert whole.one("gbcs_message.gbt.reassembled.length") == str(len(run.long_response))
    assert whole.all("gbcs_message.gbt.block.error") == whole.all("gbcs_message.gbt.block.overlap") == []
    # The message that Wireshark put together is the one that the user got.
    _assert_same_message(whole, decode_message(run.long_response))


def _assert_same_message(packet: Any, message: Message) -> None:
    assert packet.protocols[5:7] == ["gbcs_tunnel", "gbcs_message"]
    extra = message.other_information
    number = extra.supplementary_originator_counter
    supplement = b"" if number is None else number.to_bytes(8, "big")
    found = {
        "cra": int(packet.one(f"{GROUPING}.cra_flag"), 0),
        "counter": int(packet.one(f"{GROUPING}.originator_counter")),
        "originator": packet.one(f"{GROUPING}.business_originator_id"),
        "target": packet.one(f"{GROUPING}.business_target_id"),
        "date_time": [_moment(text) for text in packet.all(f"{GROUPING}.date_time")],
        "code": int(packet.one(f"{GROUPING}.message_code"), 0),
        "party": packet.all(f"{GROUPING}.supplementary_remote_party_id"),
        "party_counter": packet.all(f"{GROUPING}.supplementary_remote_party_counter"),
        "supplement": "".join(_supplement(packet)),
        "content": packet.one("data.data"),
        "signature": packet.all("gbcs_message.krp"),
        "mac": packet.all("gbcs_message.mac"),
        "protected": packet.all("gbcs_message.mac_header.security_control_byte"),
    }
    assert found == {
        "cra": message.cra,
        "counter": message.originator_counter,
        "originator": _colons(message.business_originator_id.raw),
        "target": _colons(message.business_target_id.raw),
        "date_time": [] if message.date_time is None else [message.date_time],
        "code": message.message_code,
        "party": _present(extra.supplementary_remote_party_id and extra.supplementary_remote_party_id.raw),
        "party_counter": [
            str(number) for number in (extra.supplementary_remote_party_counter,) if number is not None
        ],
        "supplement": (supplement or extra.key_agreement_certificate or b"").hex(),
        "content": _colons(message.content),
        "signature": _present(message.signature),
        "mac": _present(message.message_mac),
        "protected": [] if message.message_mac is None else ["0x11"],
    }


def _supplement(packet: Any) -> list[str]:
    """What follows the supplementary counter, in hex.

    Wireshark takes its first eight octets for a counter, also where a certificate follows at once, as it
    does in every published command.
    """
    counters = packet.all(f"{GROUPING}.supplementary_remote_party_originator_counter")
    certificates = packet.all(f"{GROUPING}.supplementary_remote_party_ka_certificate")
    return [f"{int(text):016x}" for text in counters] + [text.replace(":", "") for text in certificates]


def _assert_same_block(packet: Any, block: Block) -> None:
    found = {
        "cra": int(packet.one(f"{ROUTING}.cra_flag"), 0),
        "counter": int(packet.one(f"{ROUTING}.originator_counter")),
        "originator": packet.one(f"{ROUTING}.business_originator_id"),
        "target": packet.one(f"{ROUTING}.business_target_id"),
        "code": int(packet.one(f"{ROUTING}.message_code"), 0),
        "last": packet.one(f"{BLOCK}.block_control.last_block"),
        "streaming": packet.one(f"{BLOCK}.block_control.streaming"),
        "window": int(packet.one(f"{BLOCK}.block_control.window")),
        "number": int(packet.one(f"{BLOCK}.block_number")),
        "acknowledged": int(packet.one(f"{BLOCK}.block_number_ack")),
    }
    assert found == {
        "cra": block.cra,
        "counter": block.originator_counter,
        "originator": _colons(block.business_originator_id.raw),
        "target": _colons(block.business_target_id.raw),
        "code": block.message_code,
        "last": str(int(block.last)),
        "streaming": str(int(block.streaming)),
        "window": block.window,
        "number": block.number,
        "acknowledged": block.acknowledged,
    }


def _colons(octets: bytes) -> str:
    return octets.hex(":")


def _present(octets: bytes | None) -> list[str]:
    return [_colons(octets)] if octets else []


def _moment(text: str) -> bytes:
    """A moment as Wireshark writes it, as the twelve octets of a DLMS date-time in UTC."""
    moment = datetime.strptime(text.replace(".000000000", ""), "%b %d, %Y %H:%M:%S UTC").replace(tzinfo=UTC)
    return date_time_octets(moment)
