"""A home from its beginning, captured: Wireshark opens every frame with our keys and reads what we read.

Six devices join, are paired and live for a day; meters are read, one gets an image block by block, and its
consumer tops up. The capture is read twice, by Wireshark and by us, and the readings are compared field by
field.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from smetslab.clock import LoopClock, run_virtual
from smetslab.crypto import SharedSecrets
from smetslab.devices.zcl.calendar_table import TARIFF
from smetslab.duis.codes import CommandVariant
from smetslab.firmware.specimens import Specimen, build, read_collection
from smetslab.gbcs.codes import CellUsage, Cra, KeyUsage, RemotePartyRole
from smetslab.gbcs.gbt import decode_block, is_block
from smetslab.gbcs.message import decode_message
from smetslab.gbcs.usecases.registry import by_code
from smetslab.gbcs.utrn import ValueClass, build_utrn
from smetslab.han import SMART_ENERGY_PROFILE
from smetslab.han.capture import KEYS_SUFFIX, CaptureWriter
from smetslab.harness.air import ReadFrame, message_title, read_frames, tunnelled
from smetslab.ids import Eui64
from smetslab.lab.build import Lab
from smetslab.lab.config import LabConfig, load_lab
from smetslab.resources import firmware_images
from smetslab.rng import RootSeed
from smetslab.zigbee.capture.keys import read_keys
from smetslab.zigbee.zcl import CLUSTERS, Record, ZclFrame, decode_frame, find_command
from smetslab.zigbee.zcl.clusters.calendar import Calendar
from smetslab.zigbee.zcl.clusters.events import Events
from smetslab.zigbee.zcl.clusters.messaging import Messaging
from smetslab.zigbee.zcl.clusters.metering import Metering
from smetslab.zigbee.zcl.clusters.ota import Ota
from smetslab.zigbee.zcl.clusters.price import Price
from smetslab.zigbee.zcl.clusters.tunnelling import Tunnelling
from smetslab.zigbee.zcl.fields import ABSENT
from smetslab.zigbee.zcl.foundation import (
    DefaultResponse,
    GeneralCommand,
    ReadAttributes,
    ReadAttributesResponse,
    ReportAttributes,
    decode_general,
)

Packet = dict[str, Any]
Wireshark = Callable[[str], list[Packet]]

ESME, GSME, HUB, GPF, PPMID, HCALCS, IHD, CAD = (Eui64.parse(f"00DB1234567890A{last}") for last in "01234567")
pytestmark = pytest.mark.soak  # a minute and more

PROFILES = {
    ESME: "esme-reference-ade",
    GSME: "gsme-prepayment",
    PPMID: "ppmid-reference",
    HCALCS: "hcalcs-reference",
    IHD: "ihd-reference",
    CAD: "cad-reference",
}
PREPAYMENT = 'state = { payment_mode = "prepayment", charging = false, meter_balance_millipence = 500000 }\n'
IMAGE_OCTETS = 60_000
LEAST_FRAMES = 20_000


def lab_of(folder: Path) -> LabConfig:
    """A home whose devices are all in the installer's hands."""
    text = load_lab().source_text.decode()
    parts = [text[: text.index("[[premises]]")], '[[premises]]\nname = "home"\n\n[premises.hub]\n']
    parts.append(f'profile = "chf-reference"\neui64 = "{HUB.dashed()}"\n')
    for device, profile in {**PROFILES, GPF: "gpf-reference"}.items():
        name = profile.split("-", maxsplit=1)[0]
        parts.append(f'\n[[premises.devices]]\nname = "{name}"\nprofile = "{profile}"\n')
        parts.append(f'eui64 = "{device.dashed()}"\n')
        parts.append("" if device == GPF else "installed = false\n")
        parts.append(PREPAYMENT if device == ESME else "")
    path = folder / "whole.lab.toml"
    path.write_text("".join(parts))
    return load_lab(path)


def image() -> bytes:
    """Firmware for the electricity meter, as long as one for a real meter would take blocks for minutes."""
    collection = read_collection((firmware_images() / "images.toml").read_text(), "images.toml")
    sound = next(one for one in collection.images if one.name == "esme-sound").model_dump()
    return build(
        Specimen.model_validate({**sound, "code_octets": IMAGE_OCTETS}), RootSeed(collection.seed)
    ).octets


def top_up(lab: Lab) -> str:
    """A code of ten pounds for the electricity meter."""
    supplier = lab.users["supplier"].party
    private = lab.keystore.private_key(supplier, KeyUsage.KEY_AGREEMENT, CellUsage.PREPAYMENT_TOP_UP)
    public = lab.keystore.find(ESME, KeyUsage.KEY_AGREEMENT).certificate.public_key
    secret = SharedSecrets().get(private, public)
    return build_utrn(
        counter=1 << 32,
        value_class=ValueClass.POUNDS,
        value=10,
        secret=secret,
        supplier=supplier,
        device=ESME,
    ).digits


async def live(lab: Lab, clock: LoopClock) -> None:
    """What happens in the home."""
    user = lab.users["supplier"]

    async def ask(variant: str, target: Eui64, elements: dict[str, Any] | None = None) -> None:
        answer = await user.request(variant, target, elements)
        assert answer.code == "I0", (variant, target, answer)

    for device in PROFILES:
        listed = {"JoinTimePeriod": 600, "InstallCode": lab.install_code(device).hex().upper()}
        add = {"DeviceID": device.dashed(), "RequestType": "Add", "AddDeviceToCHFWhitelist": listed}
        await ask("8.11", HUB, add)
        await clock.sleep(90)
    assert len(lab.trace.find(event="DeviceJoined", layer="han")) == len(PROFILES)
    for meter in (ESME, GSME):
        now = f"{clock.now():%Y-%m-%dT%H:%M:%SZ}"
        await ask("8.1.1", meter, {"CurrentDateTime": now, "TolerancePeriod": 86_400})
    for variant, device, other in (
        ("8.7.2", PPMID, ESME),
        ("8.7.1", ESME, PPMID),
        ("8.7.1", HCALCS, ESME),
        ("8.7.1", ESME, HCALCS),
    ):
        await ask(variant, device, {"OtherDeviceID": other.dashed()})
    broker = lab.config.party(RemotePartyRole.ACCESS_CONTROL_BROKER)
    assert broker is not None
    elements: dict[str, Any] = {
        "FirmwareImage": image().hex().upper(),
        "FirmwareVersion": "00010001",
        "DeviceIDList": ESME.dashed(),
    }
    await lab.dcc.receive(user.document("11.1", broker.eui64, elements, CommandVariant.NON_DEVICE))
    await clock.sleep(300)
    lab.devices[PPMID].enter_top_up(top_up(lab), ESME)  # type: ignore[attr-defined]
    await clock.sleep(60)
    await ask("3.1", ESME, {"SupplierMessage": "THE METER CAN BE READ AT HOME"})
    await clock.sleep(10)
    assert lab.devices[IHD].confirm_message(ESME)  # type: ignore[attr-defined]
    for _ in range(5):  # codes that are wrong: the keypad is locked, and the displays are told
        lab.esme(ESME).enter_utrn("1" * 20)
    await clock.sleep(10)
    shown = {one.meter.device: one for one in lab.devices[IHD].readings}[ESME]  # type: ignore[attr-defined]
    assert shown.calendar(TARIFF) is not None
    assert shown.tariff.rates
    assert shown.message(lab.clock.now())
    assert shown.events
    for display in (IHD, CAD):  # which would fill the capture by themselves
        await lab.devices[display].power_cut()
    for meter in (ESME, GSME):
        await ask("4.1.1", meter)
    await ask("7.5", ESME, {"ActivateALCSHCALCS": {"@index": 1, "Duration": 30}})
    await clock.sleep(86_400)
    day = {"StartDateTime": "2026-01-04T00:00:00Z", "EndDateTime": "2026-01-07T00:00:00Z"}
    await ask("4.8.1", ESME, {"ReadLogPeriod": day})
    await clock.sleep(10)
    transfers = [one.detail["what"] for one in lab.trace.find(layer="device", event="ImageTransfer")]
    assert transfers == ["begins", "complete"]


@dataclass(frozen=True)
class Captured:
    """The capture, and every frame as we read it."""

    path: Path
    keys: Path
    frames: list[ReadFrame]


@pytest.fixture(scope="module")
def captured(tmp_path_factory: pytest.TempPathFactory) -> Captured:
    folder = tmp_path_factory.mktemp("home")
    path = folder / "home.pcapng"

    async def story(clock: LoopClock) -> None:
        async with Lab(lab_of(folder)) as lab:
            writer = CaptureWriter(
                lab.trace,
                path,
                keys=lab.capture_keys,
                comment=lambda seen: message_title(int(seen.detail["cluster"] or 0), seen.data),
            )
            with writer:
                await live(lab, clock)

    run_virtual(story)
    keys = path.with_name(path.name + KEYS_SUFFIX)
    opened = [key.key for key in read_keys(keys.read_text())]
    return Captured(path, keys, list(read_frames(path.read_bytes(), opened)))


def test_we_read_every_frame_of_it_ourselves(captured: Captured) -> None:
    assert len(captured.frames) >= LEAST_FRAMES
    assert Counter(frame.dissection.problem for frame in captured.frames) == {"": len(captured.frames)}


# What Wireshark reads ---------------------------------------------------------------------------------------


UNOPENED = "_ws.malformed || zbee_sec.encrypted_payload || zbee_sec.extended_source_unknown"


@pytest.fixture(scope="module")
def wireshark(captured: Captured, tshark) -> Wireshark:
    def read(display_filter: str) -> list[Packet]:
        return tshark(captured.path, "-Y", display_filter, keys=captured.keys)

    return read


def test_wireshark_opens_every_frame_with_our_keys_and_finds_none_malformed(captured, wireshark) -> None:
    assert wireshark(UNOPENED) == []
    sealed = [frame for frame in captured.frames if frame.dissection.message is not None]
    assert len(wireshark("zbee_aps && frame.comment")) > 1000
    assert len(sealed) > 3000


def test_without_our_keys_it_opens_nothing(captured, tshark) -> None:
    """The first test would pass over a capture that is in the clear."""
    beginning = ("-c", "2000")
    assert len(tshark(captured.path, *beginning, "-Y", "zbee_sec.encrypted_payload")) > 400
    assert tshark(captured.path, *beginning, "-Y", "zbee_zcl") == []


@pytest.fixture(scope="module")
def messages(captured: Captured, wireshark: Wireshark) -> list[tuple[int, bytes, Packet]]:
    """Cluster, ZCL frame as we read it, and what Wireshark makes of the packet that completes it."""
    ours = {
        frame.number: (frame.dissection.aps.cluster, frame.dissection.message)
        for frame in captured.frames
        if frame.dissection.message is not None
        and frame.dissection.aps is not None
        and frame.dissection.aps.profile == SMART_ENERGY_PROFILE
    }
    theirs = {int(packet["frame"]["frame.number"]): packet for packet in wireshark("zbee_zcl")}
    assert ours.keys() == theirs.keys()
    return [(cluster, octets, theirs[number]) for number, (cluster, octets) in ours.items()]


def test_every_zcl_field_has_the_name_and_the_value_that_we_give_it(messages, tshark_names) -> None:
    found: Counter[str] = Counter()
    for cluster, octets, packet in messages:
        frame = decode_frame(octets)
        layer = packet["zbee_zcl"]
        shown = list(leaves(layer))
        assert int(only(shown, "zbee_zcl.cmd.tsn")) == frame.sequence
        assert only(shown, "zbee_zcl.dir") == str(int(frame.server_to_client))
        assert only(shown, "zbee_zcl.ddr") == str(int(frame.disable_default_response))
        command, general = find_command(cluster, frame), decode_general(frame)
        if command is not None:
            field, number = next((name, text) for name, text in shown if ".cmd.srv_" in name)
            assert int(number, 0) == command.id
            assert agree(command.name, tshark_names(field)[command.id]), command
            rest = [(name, text) for name, text in shown if not name.startswith("zbee_zcl.")]
            for path, value in declared(command.decode(frame.payload)):
                assert any(agree(path, name) and same(value, text) for name, text in rest), (
                    command.name,
                    path,
                    value,
                    rest,
                )
                found["fields"] += 1
        else:
            assert general is not None, octets.hex()
            assert int(only(shown, "zbee_zcl.cmd.id"), 0) == frame.command
            found["attributes"] += compare_general(cluster, frame, general, layer, tshark_names)
        found[f"{cluster:04X} {frame.command:02X} {int(frame.cluster_specific)}"] += 1
    assert found["fields"] > 4000
    assert found["attributes"] > 3000
    clusters = "000A 0019 0025 0700 0701 0702 0703 0704 0705 0707 0708 0709 0800"
    assert {name[:4] for name in found} >= set(clusters.split())
    published = [
        *(Price.publish_tariff_information, Price.publish_price_matrix, Price.publish_block_thresholds),
        *(Price.publish_block_period, Price.publish_billing_period, Metering.publish_snapshot),
        *(Calendar.publish_calendar, Calendar.publish_day_profile, Calendar.publish_week_profile),
        *(Calendar.publish_seasons, Calendar.publish_special_days, Events.publish_event),
        *(Messaging.display_message, Messaging.message_confirmation),
    ]
    missing = [one.name for one in published if not found[f"{one.cluster:04X} {one.id:02X} 1"]]
    assert missing == []


def compare_general(
    cluster: int, frame: ZclFrame, general: GeneralCommand, layer: Any, tshark_names: Any
) -> int:
    """Compare attributes with their names, statuses, types and values; how many there are."""
    shown = list(leaves(layer))
    if isinstance(general, DefaultResponse):
        assert int(only(shown, "zbee_zcl.cmd.id.rsp"), 0) == general.command
        assert int(only(shown, "zbee_zcl.attr.status"), 0) == general.status
        return 1
    field = next(name for name, _ in shown if name.endswith("attr_id") or name.endswith("attr_client_id"))
    if isinstance(general, ReadAttributes):
        numbers = list(general.attributes)
        assert [int(text, 0) for name, text in shown if name == field] == numbers
    else:
        rows = general.results if isinstance(general, ReadAttributesResponse) else general.values
        numbers = [row.attribute for row in rows]
        theirs = {int(record[field], 0): record for record in records(layer, field)}
        assert sorted(theirs) == sorted(numbers)
        for row in rows:
            parts = list(leaves(theirs[row.attribute]))
            status = getattr(row, "status", None)
            if status is not None:
                assert int(only(parts, "zbee_zcl.attr.status"), 0) == status
            if not status:
                assert int(only(parts, "zbee_zcl.attr.data.type"), 0) == row.type
                values = [text for name, text in parts if name != field and "data.type" not in name]
                assert row.value is None or any(same(row.value, text) for text in values), (row, parts)
    answers = isinstance(general, ReadAttributesResponse | ReportAttributes)
    for number in numbers:
        known = CLUSTERS[cluster].attributes.get((frame.server_to_client == answers, number))
        if known is not None:
            assert agree(known.name, tshark_names(field)[number]), known
    return len(numbers)


def leaves(node: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Every field of a dissection with what it shows."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from leaves(value, key)
    elif isinstance(node, list):
        for item in node:
            yield from leaves(item, name)
    else:
        yield name, str(node)


def records(node: Any, field: str) -> Iterator[dict[str, Any]]:
    """The parts of a dissection that are about one attribute each."""
    if isinstance(node, list):
        for item in node:
            yield from records(item, field)
    elif isinstance(node, dict):
        if isinstance(node.get(field), str):
            yield node
        for value in node.values():
            yield from records(value, field)


def only(shown: list[tuple[str, str]], name: str) -> str:
    (text,) = [text for field, text in shown if field == name]
    return text


def declared(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every field of a record by name; what a tunnel carries is compared by itself."""
    if isinstance(value, Record) and name == "snapshot_payload":
        written = bytearray()
        value.shape.encode(value, written)
        yield name, bytes(written)
    elif isinstance(value, Record):
        for inner, item in value.items():
            yield from declared(item, inner)
    elif name.endswith("_date") and isinstance(value, int):
        year, *rest = value.to_bytes(4, "little")
        for part, number in zip(
            ("year", "month", "month_day", "week_day"), (1900 + year, *rest), strict=True
        ):
            yield f"date_{part}", number
    elif name == "signature":
        yield name, bytes(value)
    elif name == "identity":
        # A certificate: issuer, subject and public key, where Wireshark has them too. Spec: ZSE 1.4 C.
        yield from (("cert_issuer", value[11:19]), ("cert_subject", Eui64(value[28:36])))
        yield "cert_point", value[37:]
    elif isinstance(value, tuple):
        for item in value:
            yield from declared(item, name)
    elif value is not ABSENT and value is not None and name != "data":
        yield name, value


def agree(ours: str, theirs: str) -> bool:
    """Whether two names have a word in common, or are known to mean the same."""
    if any(alias in theirs for alias in ALIASES.get(ours, ())):
        return True
    _, dot, field = theirs.partition(".")
    return bool(words(ours) & words(field if dot else theirs))


def words(name: str) -> set[str]:
    return set(re.findall(r"[a-z]+", name.lower()))


ALIASES = {
    "ephemeral_data": ("ke.qeu", "ke.qev"),
    "message_authentication_code": ("ke.macu", "ke.macv"),
    "notification_flags": ("noti_flag",),
    "snapshot_payload": ("snapshot_sub_payload", "payload"),
}
"""Names that have no word in common with Wireshark's."""


def same(value: Any, text: str) -> bool:
    """Whether a field shows a value: a number, a moment, octets or text."""
    if isinstance(value, bool):
        return text == str(int(value))
    if isinstance(value, int):
        number = shown_number(text)
        return number is not None and number in {value, *(value - (1 << bits) for bits in (8, 16, 24, 32))}
    if isinstance(value, Eui64):
        return text == value.raw.hex(":")
    return isinstance(value, bytes) and text in {value.hex(":"), value.decode("latin-1")}


def shown_number(text: str) -> int | None:
    """A number, a moment as seconds since 2000; None for anything else."""
    if moment := re.fullmatch(r"(\w{3} +\d+, \d{4} [\d:]{8})\.0+ UTC", text):
        when = datetime.strptime(moment[1], "%b %d, %Y %H:%M:%S").replace(tzinfo=UTC)
        return int((when - datetime(2000, 1, 1, tzinfo=UTC)).total_seconds())
    if not re.fullmatch(r"-?\d+|0x[0-9a-f]+", text):
        return None
    return int(text, 16 if text.startswith("0x") else 10)


# GBCS -------------------------------------------------------------------------------------------------------


def test_every_gbcs_header_says_what_it_says_to_us(messages, tshark_names) -> None:
    names = tshark_names("gbcs_message.grouping_header.message_code")
    kinds: Counter[str] = Counter()
    for cluster, octets, packet in messages:
        if cluster != Tunnelling.id or not decode_frame(octets).cluster_specific:
            continue
        inside = tunnelled(cluster, octets)
        shown = list(leaves({name: layer for name, layer in packet.items() if name.startswith("gbcs")}))
        sleeper = [text for name, text in shown if name == "gbcs_tunnel.command"]
        if sleeper:
            assert int(sleeper[0], 0) == decode_frame(octets).payload[2]
            kinds[f"tunnel header {int(sleeper[0], 0)}"] += 1
        if inside is None:
            assert not any(name.startswith("gbcs_message") for name, _ in shown)
            continue
        if is_block(inside):
            block, head = decode_block(inside), "gbcs_message.routing_header"
            found = header_of(shown, head)
            assert found == ours_of(block, block.message_code)
            assert int(only(shown, "gbcs_message.gbt_header.block_number")) == block.number
            assert int(only(shown, "gbcs_message.gbt_header.block_number_ack")) == block.acknowledged
            kinds["blocks"] += 1
            continue
        message = decode_message(inside)
        assert header_of(shown, "gbcs_message.grouping_header") == ours_of(message, message.message_code)
        assert [text for name, text in shown if name == "gbcs_message.mac"] == (
            [message.message_mac.hex(":")] if message.message_mac else []
        )
        use_case = by_code(message.message_code)
        assert use_case is not None
        if message.cra is not Cra.ALERT:
            assert names[message.message_code].split()[0].lower() == use_case.name.lower()
        kinds[f"{use_case.name} {message.cra.name.lower()}"] += 1
    for name in ("ECS17b", "GCS13a", "ECS70", "GCS28", "CS03A1", "ECS22b"):
        assert kinds[f"{name} command"] >= 1, name
    assert kinds["GCS13a response"] == 1
    assert {f"tunnel header {number}" for number in (1, 2, 3)} <= kinds.keys()  # GET, GET-RESPONSE, PUT
    assert kinds["FDRA-DLMS alert"] == 1


def header_of(shown: list[tuple[str, str]], head: str) -> dict[str, Any]:
    return {
        "cra": int(only(shown, f"{head}.cra_flag"), 0),
        "counter": int(only(shown, f"{head}.originator_counter")),
        "originator": only(shown, f"{head}.business_originator_id"),
        "target": only(shown, f"{head}.business_target_id"),
        "code": int(only(shown, f"{head}.message_code"), 0),
    }


def ours_of(message: Any, code: int) -> dict[str, Any]:
    return {
        "cra": int(message.cra),
        "counter": message.originator_counter,
        "originator": message.business_originator_id.raw.hex(":"),
        "target": message.business_target_id.raw.hex(":"),
        "code": code,
    }


def test_messages_of_remote_parties_ride_tunnels_and_nothing_else(messages) -> None:
    """What begins like a grouping header stands in tunnels alone. Spec: GBCS 7.2.7, 10.2.2."""
    carried: Counter[int] = Counter()
    for cluster, octets, _packet in messages:
        for start in (b"\xdf\x09\x01", b"\xdf\x09\x02", b"\xdf\x09\x03"):
            carried[cluster] += cluster != Ota.id and start in octets
    assert [cluster for cluster, number in carried.items() if number] == [Tunnelling.id]
    assert carried[Tunnelling.id] > 20
