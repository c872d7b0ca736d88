"""The DCC's published client packages talk to our DCC: their requests are taken, our responses understood.

Nothing of the packages is changed: templates, parser, signing tool with its schema 5.1.
"""

from __future__ import annotations

import itertools
import json
import re
import zipfile
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from smetslab.clock import LoopClock, run_virtual
from smetslab.duis.codes import CommandVariant, WebService
from smetslab.duis.document import (
    DeviceAlert,
    DeviceResponse,
    FutureDatedDeviceAlert,
    LocalCommand,
    PreCommand,
    RequestHeader,
    RequestId,
    Response,
    ResponseMessage,
    parse_request,
    parse_response,
)
from smetslab.duis.schema import DuisSchema
from smetslab.errors import DuisError
from smetslab.gbcs.codes import CellUsage, Cra, KeyUsage
from smetslab.gbcs.message import decode_message, encode_message
from smetslab.gbcs.usecases.registry import by_code
from smetslab.gbcs.utrn import ValueClass, build_utrn
from smetslab.gbcs.values import utc_text
from smetslab.ids import Eui64
from smetslab.lab.build import Lab
from smetslab.lab.config import load_lab

NODE_FOLDER = Path(__file__).parent / "node"
TEMPLATE_ESME = Eui64.parse("00DB1234567890A0")
ESME = Eui64.parse("00DB1234567890B7")
FIRST_COUNTER = 1_767_571_200_000
UTRN_COUNTER = 5 << 32

Client = Callable[[str, Any], Any]


@pytest.fixture(scope="module")
def client(node: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Client:
    """`client(job, data)`: have `client.js` do a job."""
    file = tmp_path_factory.mktemp("client") / "job.json"

    def run(job: str, data: Any) -> Any:
        file.write_text(json.dumps(data), encoding="utf-8")
        return json.loads(node(f"require('./client.js').run({json.dumps(job)}, {json.dumps(str(file))})"))

    return run


@dataclass
class Exchange:
    """One template: what was asked, and what the DCC answered, last answer last."""

    tag: str
    use_case: str
    variant: str
    request: bytes
    answers: list[bytes] = field(default_factory=list)

    @property
    def header(self) -> RequestHeader:
        return parse_request(self.request).header


@dataclass
class Conversation:
    """A run of a lab; `documents` are all that its DCC gave to users, with everything that can go wrong."""

    exchanges: dict[str, Exchange]
    documents: list[bytes]


@pytest.fixture(scope="module")
def conversation(client: Client, tmp_path_factory: pytest.TempPathFactory) -> Conversation:
    """Published templates for an ESME, sent to the DCC of a lab."""
    path = tmp_path_factory.mktemp("lab") / "lab.toml"
    text = load_lab().source_text.decode()
    assert text.count(TEMPLATE_ESME.dashed()) == 1
    path.write_text(text.replace(TEMPLATE_ESME.dashed(), ESME.dashed()), encoding="utf-8")
    config = load_lab(path)

    async def main(clock: LoopClock) -> Conversation:
        async with Lab(config) as lab:
            exchanges = _requests(client, lab)
            await _transform(client, lab, exchanges)
            for exchange in exchanges:
                await _send(lab, exchange)
            await lab.clock.sleep(3600)
            await _trouble(lab)
            duis = lab.trace.find(layer="duis", source="dcc")
            return Conversation(
                {exchange.tag: exchange for exchange in exchanges}, [seen.data for seen in duis]
            )

    return run_virtual(main)


def _requests(client: Client, lab: Lab) -> list[Exchange]:
    """The requests, made by the client library, with the parties, counters and times of this lab."""
    found = [
        entry
        for entry in client("templates", None)
        if entry["target"] == TEMPLATE_ESME.dashed().lower() and entry["tag"] in {*ANSWERED, *OTHERWISE}
    ]
    # What waits for its time comes last, so that the other times are right.
    templates = sorted(found, key=lambda entry: (entry["tag"].endswith("FUTURE_DATED"), entry["tag"]))
    now = lab.clock.now()
    values = {
        "StartDateTime": utc_text(now - timedelta(days=2)),
        "EndDateTime": utc_text(now),
        "CurrentDateTime": utc_text(now - timedelta(minutes=1)),
        "TolerancePeriod": "3600",
        "SupplierMessage": "Ring us",
        "UTRN": _token(lab),
    }
    later = {**values, "ExecutionDateTime": utc_text(now + timedelta(hours=1))}
    wanted = [
        {
            "tag": entry["tag"],
            "target": ESME.dashed().lower(),
            "counter": str(UTRN_COUNTER if entry["variant"] == "2.2" else FIRST_COUNTER + place),
            "values": later if entry["tag"].endswith("FUTURE_DATED") else values,
        }
        for place, entry in enumerate(templates)
    ]
    documents = client("requests", wanted)
    return [
        Exchange(entry["tag"], entry["useCase"], entry["variant"], document.encode())
        for entry, document in zip(templates, documents, strict=True)
    ]


def _token(lab: Lab) -> str:
    """Ten pounds of the supplier for the meter."""
    party = lab.users["supplier"].party
    key = lab.keystore.private_key(party, KeyUsage.KEY_AGREEMENT, CellUsage.PREPAYMENT_TOP_UP)
    device = lab.keystore.find(ESME, KeyUsage.KEY_AGREEMENT).certificate.public_key
    return build_utrn(
        counter=UTRN_COUNTER,
        value_class=ValueClass.POUNDS,
        value=10,
        secret=lab.secrets.get(key, device),
        supplier=party,
        device=ESME,
    ).digits


async def _transform(client: Client, lab: Lab, exchanges: Sequence[Exchange]) -> None:
    """Have critical requests transformed, sign the pre-commands, and let the client library wrap them up."""
    critical = [one for one in exchanges if one.header.command_variant is CommandVariant.TRANSFORM]
    signed = []
    for exchange in critical:
        answer = await lab.dcc.submit(exchange.request, WebService.TRANSFORM)
        exchange.answers.append(answer)
        payload = parse_response(answer).payload
        assert isinstance(payload, PreCommand), exchange.tag
        message = lab.users["supplier"].sign(decode_message(payload.payload))
        signed.append(
            {
                "request": exchange.request.decode(),
                "payload": b64encode(encode_message(message)).decode(),
            }
        )
    for exchange, document in zip(critical, client("signedPreCommands", signed), strict=True):
        exchange.request = document.encode()


async def _send(lab: Lab, exchange: Exchange) -> None:
    """Post a request to the service of its command variant, and fetch what comes afterwards."""
    header = exchange.header
    answer = await lab.dcc.receive(exchange.request, header.command_variant.service)
    exchange.answers.append(answer)
    if parse_response(answer).code == "I99":
        exchange.answers.append(await lab.dcc.final_response(header.request_id))


async def _trouble(lab: Lab) -> None:
    """Every way in which a request can fail, and an alert that nobody asked for."""
    supplier = lab.users["supplier"]
    counters = itertools.count(2 * FIRST_COUNTER)

    async def ask(*, counter: int | None = None, **options: Any) -> str:
        target = options.pop("target", ESME)
        used = next(counters) if counter is None else counter
        document = supplier.document("7.4", target, None, CommandVariant.SEND, counter=used)
        return parse_response(await lab.dcc.submit(document, **options)).code

    assert await ask(target=TEMPLATE_ESME) == "E19"
    assert await ask(service=WebService.TRANSFORM) == "E13"
    assert await ask(counter=1) == "E65"
    lab.wan.outage(True)
    assert await ask() == "E20"
    lab.wan.outage(False)
    await lab.devices[ESME].power_cut()
    assert await ask() == "E21"
    await lab.devices[ESME].power_restore()
    command = lab.trace.find(layer="gbcs", event="CommandSent", target=str(ESME))[0].data
    await lab.dcc.send_raw(command[:-1] + bytes([command[-1] ^ 1]), ESME)
    await lab.dcc.next_alert(lambda alert: isinstance(alert.body, DeviceAlert), 600)


# Their requests ---------------------------------------------------------------------------------------------

OTHERWISE = {"ECS17b_4.1.1", "ECS42_7.1"}
"""Templates whose answer is none of the device's."""

ANSWERED = {
    "CS01a_2.2",
    "ECS10_3.1",
    "ECS17a_4.2",
    "ECS17b_4.1.1_DSP_FUTURE_DATED",
    "ECS17b_4.1.1_SINGLE",
    "ECS17b_4.1.1_TWIN",
    "ECS21a_4.6.1_SINGLE",
    "ECS21a_4.6.1_TWIN",
    "ECS22b_4.8.1_SINGLE",
    "ECS22b_4.8.1_TWIN",
    "ECS24_4.11.1",
    "ECS26a_4.13_SINGLE",
    "ECS26a_4.13_TWIN",
    "ECS28a_6.4.1_CANCELLATION",
    "ECS28a_6.4.1_FUTURE_DATED",
    "ECS28a_6.4.1_IMMEDIATE",
    "ECS43_7.2",
    "ECS44_7.3",
    "ECS45_7.4",
    "ECS52_11.2",
    "ECS70_6.11",
    "ECS70Commission_8.1.1",
}


def test_requests_of_published_templates_are_answered_by_the_device(conversation: Conversation) -> None:
    exchanges = conversation.exchanges
    assert set(exchanges) == ANSWERED | OTHERWISE
    for tag in sorted(ANSWERED):
        exchange, final = exchanges[tag], parse_response(exchanges[tag].answers[-1])
        request_id = exchange.header.request_id
        codes = [parse_response(answer).code for answer in exchange.answers]
        assert codes == (["I0"] if exchange.header.command_variant.signed else []) + ["I99", "I0"], tag
        assert isinstance(final.payload, DeviceResponse)
        assert final.request_id == request_id
        assert final.response_id == request_id.swapped()
        message = decode_message(final.payload.payload)
        use_case = by_code(message.message_code)
        assert message.cra is Cra.RESPONSE
        assert use_case is not None
        assert use_case.name == exchange.use_case.removesuffix("Commission")
        assert (message.business_originator_id, message.originator_counter) == (ESME, request_id.counter)
        assert message.business_target_id == request_id.originator


def test_request_for_local_delivery_gets_the_command(conversation: Conversation) -> None:
    exchange = conversation.exchanges["ECS17b_4.1.1"]
    (answer,) = (parse_response(document) for document in exchange.answers)
    assert (answer.code, answer.response_id) == ("I0", None)
    assert isinstance(answer.payload, LocalCommand)
    command = decode_message(answer.payload.payload)
    assert (command.cra, command.message_code) == (Cra.COMMAND, 0x0027)
    assert command.message_mac is not None


def test_signed_pre_command_that_is_for_another_meter_is_refused(conversation: Conversation) -> None:
    """One template comes with a pre-command signed long ago, for the parties and counter it was made with."""
    exchange = conversation.exchanges["ECS42_7.1"]
    assert exchange.header.command_variant is CommandVariant.SEND_AND_RETURN_SIGNED_LOCALLY
    (answer,) = (parse_response(document) for document in exchange.answers)
    assert (answer.code, answer.payload, answer.response_id) == ("E65", None, None)


def test_ids_come_back_as_the_client_writes_them(conversation: Conversation) -> None:
    exchange = conversation.exchanges["ECS45_7.4"]
    text = f"90-b3-d5-1f-30-01-00-00:00-db-12-34-56-78-90-b7:{exchange.header.request_id.counter}"
    for document in (exchange.request, *exchange.answers):
        assert f"<sr:RequestID>{text}</sr:RequestID>".encode() in document


def test_request_signed_by_the_published_tool_is_taken(client: Client, conversation: Conversation) -> None:
    (signed,) = client("sign", [conversation.exchanges["ECS45_7.4"].request.decode()])
    document = signed["xml"].encode()
    assert b"SignatureValue" in document
    assert parse_request(document).signed
    # The tool writes the supplier's XML signing certificate into it.
    assert b"27572613927499351639968579586655397031" in document

    async def main(clock: LoopClock) -> str:
        config = load_lab()
        devices = config.premises[0].devices
        premises = config.premises[0].model_copy(
            update={"devices": (devices[0].model_copy(update={"eui64": ESME}),)}
        )
        async with Lab(config.model_copy(update={"premises": (premises,)})) as lab:
            return parse_response(await lab.dcc.submit(document, WebService.SEND_COMMAND)).code

    assert run_virtual(main) == "I0"


# Our responses ----------------------------------------------------------------------------------------------


def _kind(response: Response) -> str:
    """The kinds of documents that a user gets."""
    payload = response.payload
    if isinstance(response.body, DeviceAlert):
        return "device alert"
    if payload is not None:
        return type(payload).__name__
    return response.code


KINDS = {
    "I99",
    "DeviceResponse",
    "PreCommand",
    "LocalCommand",
    "FutureDatedDeviceAlert",
    "device alert",
    "E13",
    "E19",
    "E20",
    "E21",
    "E65",
}


@pytest.fixture(scope="module")
def one_of_each(conversation: Conversation) -> dict[str, bytes]:
    """The first document of every kind."""
    found: dict[str, bytes] = {}
    for document in conversation.documents:
        found.setdefault(_kind(parse_response(document)), document)
    assert set(found) == KINDS
    return found


def test_parser_recognises_every_response_and_finds_the_same_in_it(
    client: Client, conversation: Conversation, one_of_each: dict[str, bytes]
) -> None:
    documents = conversation.documents
    parsed = client("responses", [document.decode() for document in documents])
    assert [one for one in parsed if not one["recognised"]] == []
    for document, theirs in zip(documents, parsed, strict=True):
        response = parse_response(document)
        moment = response.date_time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        header = {
            "type": "response",
            "responseCode": response.code,
            "responseDateTime": moment,
            **({} if response.request_id is None else {"requestId": _id(response.request_id)}),
            **({} if response.response_id is None else {"responseId": _id(response.response_id)}),
        }
        assert theirs["header"] == header
        assert theirs["body"] == _body(response)


def _id(request_id: RequestId) -> dict[str, str]:
    return {
        "originatorId": request_id.originator.dashed().lower(),
        "targetId": request_id.target.dashed().lower(),
        "counter": str(request_id.counter),
    }


def _body(response: Response) -> dict[str, Any]:
    """What the parser makes of a body, from our own reading of it."""
    if isinstance(response.body, DeviceAlert):
        payload = b64encode(response.body.payload).decode()
        return {"DeviceAlertMessage": {"AlertCode": response.body.alert_code, "GBCSPayload": payload}}
    assert isinstance(response.body, ResponseMessage)
    message: dict[str, Any] = {
        "ServiceReference": response.body.service_reference,
        "ServiceReferenceVariant": response.body.variant,
    }
    octets = "" if response.gbcs is None else b64encode(response.gbcs).decode()
    match response.payload:
        case DeviceResponse():
            message["GBCSPayload"] = octets
        case PreCommand():
            message["PreCommand"] = {"GBCSVersion": response.payload.gbcs_version, "GBCSPayload": octets}
        case LocalCommand():
            message["LocalCommand"] = {"GBCSPayload": octets}
        case FutureDatedDeviceAlert():
            message["FutureDatedDeviceAlertMessage"] = {
                "FutureDatedAlertCode": response.payload.alert_code,
                "GBCSPayload": octets,
                "InstructionNumber": str(response.payload.instruction_number),
                "TotalCommandInstructions": str(response.payload.total_instructions),
            }
    return {"ResponseMessage": message}


def test_each_item_of_a_future_dated_command_is_reported_against_its_request(
    conversation: Conversation,
) -> None:
    request_id = conversation.exchanges["ECS28a_6.4.1_FUTURE_DATED"].header.request_id
    reports = [
        (response.request_id, response.response_id, response.payload)
        for response in map(parse_response, conversation.documents)
        if isinstance(response.payload, FutureDatedDeviceAlert)
    ]
    places = [(p.alert_code, p.instruction_number, p.total_instructions) for _, _, p in reports]
    assert places == [("8F66", number, 4) for number in (1, 2, 3, 4)]
    assert [report[:2] for report in reports] == [(request_id, request_id.swapped())] * 4


def test_signing_tool_validates_one_response_of_each_kind(
    client: Client, one_of_each: dict[str, bytes]
) -> None:
    kinds = sorted(one_of_each)
    # The judge can say no: the same acknowledgement without the body that the schema wants.
    broken = re.sub(rb"<sr:ResponseMessage>.*</sr:ResponseMessage>", b"", one_of_each["I99"])
    documents = [*(one_of_each[kind] for kind in kinds), broken]
    outcomes = client("validate", [document.decode() for document in documents])
    assert "validation failed" in outcomes.pop()["error"]
    assert {
        kind: outcome.get("error") for kind, outcome in zip(kinds, outcomes, strict=True)
    } == dict.fromkeys(kinds)
    for kind, outcome in zip(kinds, outcomes, strict=True):
        assert parse_response(outcome["xml"].encode()) == parse_response(one_of_each[kind])


def test_every_response_is_valid_under_the_schema_of_the_signing_tool(
    node: Callable[[str], str], conversation: Conversation, tmp_path: Path
) -> None:
    jar = NODE_FOLDER / "node_modules" / "@smartdcc" / "duis-sign-wrap" / "dist" / "tool.jar"
    with zipfile.ZipFile(jar) as archive:
        for name in archive.namelist():
            if name.endswith((".xsd", ".dtd")):
                archive.extract(name, tmp_path)
    schema = DuisSchema(tmp_path)
    assert schema.name == "DUIS Schema V5.1"
    for document in conversation.documents:
        schema.validate(document)
    for exchange in conversation.exchanges.values():
        schema.validate(exchange.request)
    with pytest.raises(DuisError, match="not valid under DUIS Schema V5"):
        schema.validate(conversation.documents[0].replace(b"ResponseCode", b"ResponseColour"))
