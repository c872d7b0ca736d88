"""The DCC's published client packages use `smetslab serve` as they would use the real thing.

Nothing of the packages is changed. Their code builds, signs, sends, receives, validates (with the Java tool
and the schema 5.1 inside it) and parses; only the signature on a pre-command is made here, with a published
test key, because no package makes one.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import urllib.request
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TextIO

import pytest

from smetslab import resources
from smetslab.firmware import decode_file
from smetslab.gbcs.codes import CellUsage, Cra, KeyUsage
from smetslab.gbcs.message import decode_message, encode_message
from smetslab.gbcs.security import with_signature
from smetslab.gbcs.utrn import ValueClass, build_utrn
from smetslab.gbcs.values import utc_text
from smetslab.ids import Eui64
from smetslab.pki import KeyRing, load_keystore, parse_certificate

NODE_FOLDER = Path(__file__).parent / "node"
SUPPLIER = Eui64.parse("90B3D51F30010000")
ESME = Eui64.parse("00DB1234567890A0")
PPMID = Eui64.parse("00DB1234567890A4")
PROXY = Eui64.parse("00DB1234567890A3")
NOBODY = Eui64.parse("00DB1234567890FF")
ENABLE_SUPPLY = "ECS42_7.1_SUCCESS_REQUEST_DUIS.XML"
JOB_TIMEOUT_S = 240


class NodeClient:
    """`served.js`: one line in, one line out, for as long as the tests of this file run."""

    def __init__(self, program: Path) -> None:
        self._process = subprocess.Popen(
            [str(program), "served.js"],
            cwd=NODE_FOLDER,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._number = 0
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, name="answers of the client")
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            # The packages print lines of their own.
            if line.startswith('{"id":'):
                self._lines.put(line)

    def __call__(self, job: str, **data: Any) -> Any:
        assert self._process.stdin is not None
        self._number += 1
        line = json.dumps({"id": self._number, "job": job, "data": data})
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        while True:
            answer = json.loads(self._lines.get(timeout=JOB_TIMEOUT_S))
            # A job that was given up on may still answer.
            if answer["id"] == self._number:
                assert "error" not in answer, answer["error"]
                return answer["result"]

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(20)
        self._reader.join(20)
        self._process.stdout.close()


@dataclass
class Served:
    """A served lab and its client."""

    url: str
    smki: str
    client: NodeClient
    keystore: KeyRing

    def health(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.url}/health", timeout=10) as answer:  # noqa: S310
            return dict(json.load(answer))

    def send(self, xml: str, service: str, *, keep_counter: bool = False) -> dict[str, Any]:
        url = f"{self.url}/api/v1/{service}"
        sent = self.client("send", url=url, xml=xml, preserveCounter=keep_counter)
        assert (sent["status"], sent["type"]) == (200, "application/xml"), sent
        assert sent["answer"]["recognised"]
        if "callback" in sent:
            assert sent["callback"]["recognised"]
        return dict(sent)

    def ask(self, template: str, service: str = "serviceS", **options: Any) -> dict[str, Any]:
        """Build a request from a template, by its tag or file name, and send it."""
        keep = "counter" in options
        named = {"file" if template.endswith(".XML") else "tag": template}
        return self.send(self.client("build", **named, **options), service, keep_counter=keep)

    def critical(self, template: str, **options: Any) -> dict[str, Any]:
        """Transform, sign, send; what was sent, with its call-back."""
        transformed = self.ask(template, "serviceT", **options)
        assert _code(transformed["answer"]) == "I0"
        pre_command = transformed["answer"]["body"]["ResponseMessage"]["PreCommand"]
        message = decode_message(b64decode(pre_command["GBCSPayload"]))
        key = self.keystore.private_key(SUPPLIER, KeyUsage.DIGITAL_SIGNATURE)
        payload = b64encode(encode_message(with_signature(message, key))).decode()
        xml = self.client("signedPreCommand", sent=transformed["signed"], payload=payload)
        sent = self.send(xml, "serviceS", keep_counter=True)
        assert _code(sent["answer"]) == "I99"
        _device_response(sent)
        return sent


def _code(parsed: dict[str, Any]) -> str:
    return str(parsed["header"]["responseCode"])


def _device_response(sent: dict[str, Any]) -> dict[str, Any]:
    callback = sent["callback"]
    assert _code(callback) == "I0"
    assert callback["header"]["requestId"] == sent["sent"]["header"]["requestId"]
    assert "<ds:Signature" in sent["callbackXml"]
    body = dict(callback["body"]["ResponseMessage"])
    message = decode_message(b64decode(body["GBCSPayload"]))
    assert message.cra is Cra.RESPONSE
    assert str(message.originator_counter) == sent["sent"]["header"]["requestId"]["counter"]
    return body


def _variant(sent: dict[str, Any]) -> str:
    return str(_device_response(sent)["ServiceReferenceVariant"])


@pytest.fixture(scope="module")
def client(node: Callable[[str], str], require_tool: Callable[[str], Path]) -> Iterator[NodeClient]:
    require_tool("java")
    started = NodeClient(require_tool("node"))
    try:
        yield started
    finally:
        started.close()


@pytest.fixture(scope="module")
def served(
    client: NodeClient, keystore_json: Path, schema_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """`smetslab serve` with the published key store, its call-backs going to the client."""
    folder = tmp_path_factory.mktemp("served")
    callback = f"127.0.0.1:{client('listen')['port']}/smartdcc/duis"
    # `cli.main` as a module is what the command runs.
    command = [sys.executable, "-m", "smetslab.cli.main", "serve", "--port", "0", "--smki-port", "0"]
    options = ["--keystore", str(keystore_json), "--schema", str(schema_dir), "--callback", callback]
    log = folder / "log"
    source = str(Path(__file__).parents[2] / "src")
    environment = {**os.environ, "PYTHONPATH": source, "XDG_DATA_HOME": str(folder)}
    with log.open("w") as errors:
        process = subprocess.Popen(
            [*command, *options, "--log", "json"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=environment,
            text=True,
        )
    assert process.stdout is not None
    try:
        yield Served(*_addresses(process.stdout), client, load_keystore(keystore_json))
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0, log.read_text()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    # A line that is no JSON is for whoever stopped it: how many call-backs the next run will deliver.
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    problems = [line for line in lines if line["level"] == "error"]
    assert problems == []


def _addresses(output: TextIO) -> tuple[str, str]:
    """Base URLs of both services, as they are printed."""
    words: list[str] = []
    for line in output:
        words += line.split()
        if "Ctrl-C" in line:
            break
    duis = next(word for word in words if word.endswith("/api/v1/serviceS"))
    smki = next(word for word in words if "/services/certificatesearch" in word)
    return duis.removesuffix("/api/v1/serviceS"), smki.partition("/services/")[0]


# Devices ----------------------------------------------------------------------------------------------------


def test_health_names_the_devices(served: Served) -> None:
    health = served.health()
    assert health["status"] == "ok"
    assert Eui64.parse(health["esme"]) == ESME
    assert Eui64.parse(health["chf"]) == Eui64.parse("00DB1234567890A2")


@pytest.mark.parametrize("tag", ["ECS17b_4.1.1_SINGLE", "ECS52_11.2", "ECS10_3.1", "ECS17a_4.2"])
def test_request_is_answered_by_the_device(served: Served, tag: str) -> None:
    sent = served.ask(tag)
    assert _variant(sent) == tag.split("_")[1]
    assert "<ds:Signature" not in sent["body"]


def test_supply_is_enabled_with_a_signed_pre_command(served: Served) -> None:
    assert _variant(served.critical(ENABLE_SUPPLY)) == "7.1"


def test_tariff_prices_are_set_with_a_signed_pre_command(served: Served) -> None:
    assert _variant(served.critical("ECS01b_1.2.1_IMMEDIATE_TOU")) == "1.2.1"


def test_instructions_for_the_future_are_reported_when_they_are_carried_out(served: Served) -> None:
    soon = utc_text(datetime.now(UTC) + timedelta(seconds=20))  # noqa: TID251 - the served lab runs in real time
    sent = served.critical("ECS28a_6.4.1_FUTURE_DATED", values={"ExecutionDateTime": soon})
    assert _variant(sent) == "6.4.1"
    requested = sent["sent"]["header"]["requestId"]
    places = []
    for _ in range(4):
        outcome = served.client("outcome", requestId=requested)
        assert (outcome["recognised"], _code(outcome)) == (True, "I0"), outcome
        alert = outcome["body"]["ResponseMessage"]["FutureDatedDeviceAlertMessage"]
        assert alert["FutureDatedAlertCode"] == "8F66"
        places.append((int(alert["InstructionNumber"]), int(alert["TotalCommandInstructions"])))
    assert sorted(places) == [(number, 4) for number in range(1, 5)]


def test_top_up_is_taken_by_the_meter(served: Served) -> None:
    counter = int(datetime.now(UTC).timestamp()) << 32  # noqa: TID251 - a counter only has to rise
    found = served.client("certificates", smki=served.smki, eui=str(ESME))
    (certificate,) = found["keyAgreement"]
    device_key = parse_certificate(certificate["pem"].encode()).public_key
    key = served.keystore.private_key(SUPPLIER, KeyUsage.KEY_AGREEMENT, CellUsage.PREPAYMENT_TOP_UP)
    token = build_utrn(
        counter=counter,
        value_class=ValueClass.POUNDS,
        value=10,
        secret=key.exchange(device_key),
        supplier=SUPPLIER,
        device=ESME,
    )
    sent = served.ask("CS01a_2.2", counter=str(counter), values={"UTRN": token.digits})
    assert _device_response(sent)["ServiceReferenceVariant"] == "2.2"


def test_device_alert_comes_without_being_asked_for(served: Served) -> None:
    """A supply that was switched off and is armed again is such an event."""
    served.critical("ECS43_7.2")
    served.critical("ECS44_7.3")
    alert = served.client("alert")
    while "DeviceAlertMessage" not in alert["body"]:
        # The DCC may have had something to say too.
        assert alert["recognised"], alert
        alert = served.client("alert")
    assert alert["recognised"], alert
    assert _code(alert) == "I0"


# Services of the DCC itself ---------------------------------------------------------------------------------


def _answer(served: Served, template: str, **options: Any) -> Any:
    """What the DCC answers at once to a non-device request, signed."""
    sent = served.ask(template, "serviceD", **options)
    assert _code(sent["answer"]) == "I0", sent["answer"]
    assert "<ds:Signature" in sent["body"]
    return sent["answer"]["body"]["ResponseMessage"]


def _inventory(served: Served, device: Eui64) -> dict[str, Any]:
    message = _answer(served, "8.2_READ_INVENTORY", values={"DeviceID": device.dashed()})
    found = message["DSPInventory"]["Device"]
    devices = found if isinstance(found, list) else [found]
    return {entry["DeviceID"]: entry for entry in devices}


def test_inventory_lists_the_premises(served: Served) -> None:
    devices = _inventory(served, Eui64.parse("00DB1234567890A2"))
    assert {"00-DB-12-34-56-78-90-A0", "00-DB-12-34-56-78-90-A2"} <= set(devices)
    assert devices["00-DB-12-34-56-78-90-A0"]["DeviceType"] == "ESME"


def test_pre_notified_device_is_in_the_inventory_until_it_is_deleted(served: Served) -> None:
    device = Eui64.parse("00DB1234567891B7")
    _answer(served, "12.2_DEVICE_PRE_NOTIFICATION", values={"DeviceID": device.dashed()})
    entry = _inventory(served, device)[device.dashed()]
    assert (entry["DeviceType"], entry["DeviceStatus"]) == ("ESME", "Pending")
    _answer(served, "8.4_UPDATE_INVENTORY", values={"DeviceID": device.dashed()})
    again = served.ask("8.2_READ_INVENTORY", "serviceD", values={"DeviceID": device.dashed()})
    assert _code(again["answer"]).startswith("E0802")


def test_schedules_are_created_read_and_deleted(served: Served) -> None:
    template = "ECS21a_5.1._DCC_SCHEDULED_REQUEST_DUIS.XML"
    today = datetime.now(UTC).date()  # noqa: TID251 - the served lab runs in real time
    created = _answer(served, template, values={"ScheduleStartDate": f"{today + timedelta(days=1)}"})
    number = created["DSPScheduleID"]
    wanted = {"DSPScheduleID": number}
    read = _answer(served, template, variant="5.2", body={"ReadSchedule": wanted})
    assert read["DSPSchedulesRead"]["DSPSchedules"]["DSPScheduleID"] == number
    _answer(served, template, variant="5.3", body={"DeleteSchedule": wanted})
    gone = served.ask(template, "serviceD", variant="5.2", body={"ReadSchedule": wanted})
    assert _code(gone["answer"]).startswith("E")


def _non_device(served: Served, variant: str, body: dict[str, Any]) -> dict[str, Any]:
    """A request to the DCC for which there is no template, and its answer."""
    return served.ask("8.2_READ_INVENTORY", "serviceD", variant=variant, body=body)


def test_data_of_a_schedule_comes_without_being_asked_for(served: Served) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=15)  # noqa: TID251 - the served lab runs in real time
    body = {
        "CreateSchedule": {
            "ScheduleFrequency": "Daily",
            "ScheduleStartDate": f"{soon:%Y-%m-%d}",
            "ScheduleExecutionStartTime": f"{soon:%H:%M:%S}.00Z",
            "DSPScheduledServiceReference": "4.6",
            "DSPScheduledServiceReferenceVariant": "4.6.1",
            "DeviceID": ESME.dashed(),
            "DSPRetrieveImportDailyReadLog": {
                "StartDateOffset": "-2",
                "StartTime": "00:00:00.00Z",
                "EndDateOffset": "0",
                "EndTime": "00:00:00.00Z",
            },
        }
    }
    created = _non_device(served, "5.1", body)["answer"]
    assert _code(created) == "I0", created
    number = created["body"]["ResponseMessage"]["DSPScheduleID"]
    arrived = served.client("alert")
    while "DSPScheduledMessage" not in arrived["body"].get("ResponseMessage", {}):
        assert arrived["recognised"], arrived
        arrived = served.client("alert")
    assert (arrived["recognised"], _code(arrived)) == (True, "I0"), arrived
    payload = arrived["body"]["ResponseMessage"]["DSPScheduledMessage"]
    assert payload["DSPScheduleID"] == number
    message = decode_message(b64decode(payload["GBCSPayload"]))
    assert (message.cra, message.business_originator_id) == (Cra.RESPONSE, ESME)
    assert _code(_non_device(served, "5.3", {"DeleteSchedule": {"DSPScheduleID": number}})["answer"]) == "I0"


@pytest.mark.parametrize(
    "template",
    [
        "8.14.1_COMMUNICATIONS_HUB_STATUS_UPDATE_INSTALL_SUCCESS_REQUEST_DUIS.XML",
        "8.14.2_COMMUNICATIONS_HUB_STATUS_UPDATE_INSTALL_NO_SM_WAN_REQUEST_DUIS.XML",
    ],
)
def test_status_of_a_hub_is_told(served: Served, template: str) -> None:
    assert _answer(served, template)["ServiceReferenceVariant"] == template.partition("_")[0]


def test_wan_matrix_is_answered_as_the_clients_schema_has_it(served: Served) -> None:
    address = {"PostCode": "SW1A 1AA", "AddressIdentifier": "10"}
    answer = _non_device(served, "12.1", {"RequestWANMatrix": {"PartialAddress": address}})["answer"]
    assert _code(answer) == "I0", answer
    matrix = answer["body"]["ResponseMessage"]["DSPWANMatrix"]
    assert (matrix["CSPRegion"], matrix["ConnectivityLikelihood"]) == ("Central", "High")


def test_customer_identification_number_comes_with_its_digits(served: Served) -> None:
    other_user = "00-db-12-34-56-78-00-04"
    sent = served.ask("ECS50_9.1", originator=other_user)
    callback = sent["callback"]
    assert _code(callback) == "I0", callback
    message = callback["body"]["ResponseMessage"]["CINMessage"]
    assert len(message["CustomerIdentificationNumber"]) == 4
    assert decode_message(b64decode(message["GBCSPayload"])).cra is Cra.RESPONSE


def test_command_for_local_delivery_comes_back_at_once(served: Served) -> None:
    sent = served.ask("ECS17b_4.1.1_REQUEST_DUIS.XML", "serviceD")
    assert _code(sent["answer"]) == "I0", sent["answer"]
    command = decode_message(
        b64decode(sent["answer"]["body"]["ResponseMessage"]["LocalCommand"]["GBCSPayload"])
    )
    assert (command.cra, command.business_target_id) == (Cra.COMMAND, ESME)
    # What comes back for a command that nobody has handed out is refused, in a form that is understood.
    returned = served.ask("8.13_RETURN_LOCAL_COMMAND_RESPONSE_CS06_REQUEST_DUIS.XML", "serviceD")
    assert _code(returned["answer"]).startswith("E"), returned["answer"]


def test_response_to_a_command_that_was_delivered_locally_is_brought_back(served: Served) -> None:
    sent = served.ask("ECS17b_4.1.1_REQUEST_DUIS.XML", "serviceD")
    command = b64decode(sent["answer"]["body"]["ResponseMessage"]["LocalCommand"]["GBCSPayload"])
    url = f"{served.url}/lab/devices/{ESME}/commands"
    with urllib.request.urlopen(url, data=command, timeout=60) as answer:  # noqa: S310
        response = bytes.fromhex(json.load(answer)["response"])
    body = {"ReturnLocalCommandResponse": {"DeviceGBCSResponse": b64encode(response).decode()}}
    returned = _non_device(served, "8.13", body)
    assert _code(returned["answer"]) == "I0", returned["answer"]
    brought = served.client("outcome", requestId=sent["sent"]["header"]["requestId"])
    assert (_code(brought), brought["recognised"]) == ("I0", True), brought
    assert b64decode(brought["body"]["ResponseMessage"]["GBCSPayload"]) == response


@pytest.mark.parametrize(
    "template", ["CS02fMAC_6.24.1_SUCCESS_REQUEST_DUIS.XML", "CS08_11.2_SUCCESS_REQUEST_DUIS.XML"]
)
def test_the_broker_itself_may_ask(served: Served, template: str) -> None:
    """Signed by the client with the DCC's own key for documents."""
    sent = served.ask(template)
    assert sent["sent"]["header"]["requestId"]["originatorId"] == "90-b3-d5-1f-30-00-00-02"
    assert _code(sent["callback"]) == "I0"
    message = decode_message(b64decode(sent["callback"]["body"]["ResponseMessage"]["GBCSPayload"]))
    assert message.business_target_id == Eui64.parse("90B3D51F30000002")


def _acknowledged(sent: dict[str, Any]) -> None:
    """Done by a device, whoever originated the command."""
    assert (_code(sent["answer"]), _code(sent["callback"])) == ("I99", "I0"), sent
    payload = sent["callback"]["body"]["ResponseMessage"]["GBCSPayload"]
    assert decode_message(b64decode(payload)).cra is Cra.RESPONSE


def test_device_logs_are_restored_from_their_backups(served: Served) -> None:
    """Hub and gas proxy tell the DCC their logs when these change."""
    restore = "GCS59_8.12.2_SUCCESS_REQUEST_DUIS.XML"
    unknown = served.ask(restore, values={"OldGPFID": "00-DB-12-34-56-78-90-B3"})
    assert _code(unknown["answer"]) == "E081204", unknown["answer"]
    meter = Eui64.parse("00DB1234567891B8")
    _answer(served, "12.2_DEVICE_PRE_NOTIFICATION", values={"DeviceID": meter.dashed()})
    _acknowledged(served.ask("CCS01_8.11", values={"DeviceID": meter.dashed()}))
    _acknowledged(served.ask("CCS03_8.12.1", values={"OldCHFID": "00-DB-12-34-56-78-90-A2"}))
    display = {"OtherDeviceID": PPMID.dashed()}
    _acknowledged(served.ask("CS03B_8.7.2", target=PROXY.dashed(), values=display))
    _acknowledged(served.ask(restore, values={"OldGPFID": PROXY.dashed()}))


# Certificates -----------------------------------------------------------------------------------------------


def test_certificates_are_found_through_the_smki_search(served: Served) -> None:
    found = served.client("certificates", smki=served.smki, eui=ESME.dashed().lower())
    assert {name: len(results) for name, results in found.items()} == {
        "digitalSignature": 1,
        "keyAgreement": 1,
    }
    for usage, name in (
        (KeyUsage.DIGITAL_SIGNATURE, "digitalSignature"),
        (KeyUsage.KEY_AGREEMENT, "keyAgreement"),
    ):
        (result,) = found[name]
        certificate = parse_certificate(result["pem"].encode())
        assert (certificate.entity_id, certificate.key_usage) == (ESME, usage)
        assert str(certificate.serial) == result["serial"]
        again = served.client("certificateBySerial", smki=served.smki, serial=result["serial"])
        assert parse_certificate(again.encode()) == certificate


def test_certificates_of_nobody_are_not_found(served: Served) -> None:
    found = served.client("certificates", smki=served.smki, eui="00db1234567890ff")
    assert found == {"digitalSignature": None, "keyAgreement": None}
    assert served.client("certificateBySerial", smki=served.smki, serial="12345") is None


# What changes devices, last ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variant", "element", "image", "devices"),
    [
        ("11.1", "UpdateFirmware", "esme-sound", (ESME, NOBODY)),
        ("11.4", "UpdatePPMIDFirmware", "ppmid-sound", (PPMID, ESME)),
    ],
)
def test_image_is_taken_for_the_devices_that_it_is_for(
    served: Served, variant: str, element: str, image: str, devices: tuple[Eui64, Eui64]
) -> None:
    data = (resources.firmware_images() / f"{image}.ota").read_bytes()
    update = {
        "FirmwareImage": b64encode(data).decode(),
        "FirmwareVersion": decode_file(data).header.firmware_version.hex().upper(),
        "DeviceIDList": ",".join(device.dashed() for device in devices),
    }
    answer = _non_device(served, variant, {element: update})["answer"]
    assert _code(answer) == f"W{variant.replace('.', '0')}01", answer
    (warning,) = (
        value for name, value in answer["body"]["ResponseMessage"].items() if name.endswith("FirmwareWarning")
    )
    assert warning == {"InvalidDeviceIDList": devices[1].dashed()}


def test_a_hub_is_returned_once(served: Served) -> None:
    faulty = _answer(served, "8.14.3_COMMUNICATIONS_HUB_STATUS_UPDATE_FAULT_RETURN_REQUEST_DUIS.XML")
    assert faulty["ServiceReferenceVariant"] == "8.14.3"
    again = served.ask("8.14.4_COMMUNICATIONS_HUB_STATUS_UPDATE_NO_FAULT_RETURN_REQUEST_DUIS.XML", "serviceD")
    assert _code(again["answer"]) == "E081402", again["answer"]


def test_a_hub_without_a_fault_is_returned(served: Served) -> None:
    hub, proxy = "00-DB-12-34-56-78-91-C8", "00-DB-12-34-56-78-91-C9"
    device = {
        "DeviceID": hub,
        "DeviceManufacturer": "AB01",
        "DeviceModel": "010A030B",
        "DeviceType": "CHF",
        "SMETSCHTSVersion": "CHTS V1.4",
        "FirmwareVersion": "0002012F",
        "AssociatedGPFDeviceID": proxy,
    }
    notified = _non_device(served, "12.2", {"DevicePrenotification": device})["answer"]
    assert _code(notified) == "I0", notified
    template = "8.14.4_COMMUNICATIONS_HUB_STATUS_UPDATE_NO_FAULT_RETURN_REQUEST_DUIS.XML"
    _answer(served, template, values={"DeviceID": hub})
    assert _inventory(served, Eui64.parse(hub))[hub]["DeviceStatus"] == "Withdrawn"
