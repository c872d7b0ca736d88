"""Looking into a running laboratory and disturbing it: the control interface, the command, planned faults."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from smetslab.cli import devices as command
from smetslab.clock import LoopClock, run_virtual
from smetslab.duis.codes import CommandVariant
from smetslab.duis.document import parse_response
from smetslab.errors import UsageError
from smetslab.gbcs.codes import Cra
from smetslab.gbcs.message import Message, OtherInformation, encode_message
from smetslab.ids import Eui64
from smetslab.lab.build import Lab
from smetslab.lab.config import LabConfig, load_lab
from smetslab.lab.control import control_routes

METER, HUB = "00DB1234567890A0", "00DB1234567890A2"
FOR_METER = encode_message(
    Message(
        cra=Cra.COMMAND,
        originator_counter=1,
        business_originator_id=Eui64.parse("90B3D51F30010000"),
        business_target_id=Eui64.parse(METER),
        other_information=OtherInformation(message_code=0x0027),
        content=b"",
    )
)


def with_fault(folder: Path, fault: str) -> LabConfig:
    """The built-in lab with one planned fault."""
    path = folder / "faulty.lab.toml"
    path.write_bytes(load_lab().source_text + b"\n[[premises.faults]]\n" + fault.encode())
    return load_lab(path)


def client(lab: Lab, host: str = "127.0.0.1") -> httpx.AsyncClient:
    app = Starlette(routes=list(control_routes(lab)))
    transport = httpx.ASGITransport(app=app, client=(host, 5))
    return httpx.AsyncClient(transport=transport, base_url="http://lab")


def in_lab(act: Any, config: LabConfig | None = None) -> Any:
    async def main(_clock: LoopClock) -> Any:
        async with Lab(config or load_lab()) as lab:
            return await act(lab)

    return run_virtual(main)


def test_every_device_is_listed_and_can_be_looked_into() -> None:
    async def act(lab: Lab) -> None:
        async with client(lab) as http:
            listed = (await http.get("/lab/devices")).json()["devices"]
            assert {(row["eui64"], row["type"]) for row in listed} >= {(METER, "ESME"), (HUB, "CHF")}
            seen = (await http.get(f"/lab/devices/{METER}")).json()
            assert seen["type"] == "ESME"
            for name in ("esme", "home esme"):
                assert (await http.get(f"/lab/devices/{name}")).json() == seen
            assert set(seen) >= {
                "clock",
                "supply",
                "registers",
                "tariff",
                "account",
                "pending",
                "event_log",
                "security_log",
                "security",
                "user_interface",
                "auxiliary_controllers",
                "change_of_tenancy",
            }
            text = command.lines(seen)
            assert any(line.startswith("supply ") and line.endswith("Enabled") for line in text)

    in_lab(act)


def test_a_fault_is_injected_and_its_effect_is_seen() -> None:
    async def act(lab: Lab) -> None:
        async with client(lab) as http:
            answer = await http.post(
                f"/lab/devices/{METER}/faults", json={"fault": "power-cut", "parameters": {"seconds": "60"}}
            )
            assert answer.json() == {"injected": "power-cut", "device": METER}
            assert (await http.get(f"/lab/devices/{METER}")).json()["powered"] is False
            await lab.clock.sleep(100)
            assert (await http.get(f"/lab/devices/{METER}")).json()["powered"] is True

    in_lab(act)


def test_quarantined_requests_are_listed_released_and_discarded(tmp_path: Path) -> None:
    limits = b'\n[dcc.anomaly_limits]\nuser = { "7.4" = { requests = 1, window_s = 600 } }\n'
    path = tmp_path / "limits.lab.toml"
    path.write_bytes(load_lab().source_text + limits)

    async def act(lab: Lab) -> None:
        supplier, meter = lab.users["supplier"], Eui64.parse(METER)
        requests = []
        for _ in range(3):
            document = supplier.document("7.4", meter, None, CommandVariant.SEND)
            requests.append(parse_response(await lab.dcc.receive(document)).request_id)
        async with client(lab) as http:
            held = (await http.get("/lab/quarantine")).json()["quarantined"]
            assert [one["request_id"] for one in held] == [str(one) for one in requests[1:]]
            assert {one["breach"] for one in held} == {"ADUserThresholdBreach"}
            first, second = (one["number"] for one in held)
            assert (await http.post(f"/lab/quarantine/{first}/release")).json()["verdict"] == "release"
            assert (await http.post(f"/lab/quarantine/{second}/discard")).status_code == 200
            assert (await http.post(f"/lab/quarantine/{second}/release")).status_code == 409
            assert (await http.post(f"/lab/quarantine/{second}/forget")).status_code == 400
        codes = [parse_response(await lab.dcc.final_response(one)).code for one in requests]
        assert codes == ["I0", "I0", "E49"]

    in_lab(act, load_lab(path))


def test_a_command_is_brought_to_a_device_and_its_response_brought_back(tmp_path: Path) -> None:
    """Past the WAN; 8.13 makes of the response what it would be over it."""

    async def act(lab: Lab) -> None:
        supplier, meter = lab.users["supplier"], Eui64.parse(METER)
        document = supplier.document("7.4", meter, None, CommandVariant.RETURN_LOCALLY)
        local = await lab.dcc.receive(document)
        path = tmp_path / "local.xml"
        path.write_bytes(local)
        octets = command._local_command(path)
        async with client(lab) as http:
            answer = (await http.post("/lab/devices/esme/commands", content=octets)).json()
            assert answer["device"] == METER
            await lab.devices[meter].power_cut()
            again = await http.post("/lab/devices/esme/commands", content=octets)
            assert (again.status_code, "gave no response" in again.json()["error"]) == (409, True)
        assert lab.trace.find(layer="gbcs", event="ResponseReceived") == []
        returned = {"DeviceGBCSResponse": answer["response"]}
        broker = lab.dcc.broker.identity
        brought = supplier.document("8.13", broker, returned, CommandVariant.NON_DEVICE)
        assert parse_response(await lab.dcc.receive(brought)).code == "I0"
        final = await lab.dcc.final_response(parse_response(local).request_id)
        assert supplier.open_response(final).parameters == {"supply_state": "Enabled"}

    in_lab(act)


@pytest.mark.parametrize(
    ("text", "octets"),
    [(b"DF 09\n", b"\xdf\x09"), (b"\xdf\x09", b"\xdf\x09"), (b'{"gbcs": "DF09"}', b"\xdf\x09")],
)
def test_a_command_to_bring_may_be_written_in_several_ways(
    tmp_path: Path, text: bytes, octets: bytes
) -> None:
    path = tmp_path / "command"
    path.write_bytes(text)
    assert command._local_command(path) == octets


@pytest.mark.parametrize("text", [b"<a/>", b"{}", b'{"gbcs": 5}', b'{"gbcs": "X"}'])
def test_what_is_no_command_to_bring_is_told(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "command"
    path.write_bytes(text)
    with pytest.raises(UsageError, match="command: "):
        command._local_command(path)


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        (f"/lab/devices/{METER}/commands", b"noise", 400, "the body is no GBCS message"),
        (f"/lab/devices/{HUB}/commands", FOR_METER, 400, f"the message is for {METER}"),
        ("/lab/devices/nothing", None, 400, "'nothing' is neither an EUI-64 nor the name"),
        ("/lab/devices/0102030405060708", None, 400, "no device 0102030405060708"),
        (f"/lab/devices/{METER}/faults", b"[]", 400, "the body is"),
        (f"/lab/devices/{METER}/faults", b"{", 400, "no JSON"),
        (f"/lab/devices/{METER}/faults", b'{"fault": "flood"}', 400, "unknown fault 'flood'"),
        (f"/lab/devices/{METER}/faults", b'{"fault": "gas-flow"}', 400, "cannot happen to"),
        (f"/lab/devices/{METER}/faults", b'"' + b"x" * 20_000 + b'"', 400, "at most 10000 octets"),
    ],
)
def test_what_is_asked_wrongly_is_answered_with_one_line(
    path: str, body: bytes | None, status: int, words: str
) -> None:
    async def act(lab: Lab) -> None:
        async with client(lab) as http:
            answer = await (http.get(path) if body is None else http.post(path, content=body))
            assert answer.status_code == status
            assert words in answer.json()["error"]

    in_lab(act)


def test_a_name_that_two_homes_have_needs_that_of_the_home(tmp_path: Path) -> None:
    text = load_lab().source_text.decode()
    home = text[text.index("[[premises]]") :].replace('name = "home"', 'name = "other"')
    path = tmp_path / "two.lab.toml"
    path.write_text(text + home.replace("90-A2", "91-A2").replace("90-A0", "91-A0"))

    async def act(lab: Lab) -> None:
        async with client(lab) as http:
            refused = (await http.get("/lab/devices/esme")).json()
            assert refused["error"] == "'esme' is the name of 2 devices"
            assert refused["hint"] == "say which: home esme, other esme"
            assert (await http.get("/lab/devices/other esme")).json()["type"] == "ESME"

    in_lab(act, load_lab(path))


def test_another_machine_is_refused() -> None:
    async def act(lab: Lab) -> None:
        async with client(lab, "192.0.2.7") as http:
            assert (await http.get("/lab/devices")).status_code == 403

    in_lab(act)


def test_a_lab_file_plans_faults(tmp_path: Path) -> None:
    name = load_lab().premises[0].devices[0].name

    async def act(lab: Lab) -> None:
        await lab.clock.sleep(99)
        assert lab.devices[Eui64.parse(METER)].powered
        await lab.clock.sleep(2)
        assert not lab.devices[Eui64.parse(METER)].powered

    in_lab(act, with_fault(tmp_path, f'at_s = 100\ndevice = "{name}"\nfault = "power-cut"\n'))


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ('at_s = 1\ndevice = "cellar"\nfault = "power-cut"\n', "device 'cellar' is not one of hub"),
        ('at_s = 1\nfault = "flood"\n', "unknown fault 'flood'"),
        ('at_s = 1\nfault = "power-cut"\nparameters = { seconds = -1 }\n', "seconds = -1"),
    ],
)
def test_a_planned_fault_that_cannot_be_is_refused(tmp_path: Path, fault: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        with_fault(tmp_path, fault)


def test_a_laboratory_that_does_not_answer_is_said_so() -> None:
    with pytest.raises(UsageError, match="no laboratory answers"):
        command.show(url="http://127.0.0.1:9")


def test_the_home_networks_are_shown() -> None:
    async def act(lab: Lab) -> None:
        async with client(lab) as http:
            seen = (await http.get("/lab/hans")).json()
        assert set(seen["hans"]) == {"home"}
        assert seen["names"][METER] == "esme (ESME)"
        assert {device["eui64"] for device in seen["hans"]["home"]["devices"]} == {METER, HUB}

    in_lab(act)
