"""Every service request has an answer that a client can read: a published template of each variant is asked,
at a home with a device of each type that answers nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from smetslab.clock import LoopClock, run_virtual
from smetslab.dcc import DccRules, MockDcc
from smetslab.dcc.desk import SERVICES
from smetslab.duis.codes import CommandVariant, UserRole
from smetslab.duis.document import (
    PreCommand,
    Request,
    RequestHeader,
    RequestId,
    parse_request,
    parse_response,
    signed_pre_command_body,
    write_request,
)
from smetslab.duis.schema import DuisSchema
from smetslab.duis.srv import SERVICE_REQUESTS
from smetslab.gbcs.codes import DeviceType, KeyUsage, RemotePartyRole
from smetslab.gbcs.message import decode_message, encode_message
from smetslab.gbcs.security import with_signature
from smetslab.ids import Eui64
from smetslab.pki import Authority
from smetslab.registry import (
    Inventory,
    InventoryDevice,
    KnownParty,
    Responsibility,
    User,
    UserDirectory,
)
from smetslab.rng import RootSeed
from smetslab.store import Store
from smetslab.trace import Trace
from smetslab.wan import InProcessWan

HUB = Eui64.parse("00DB1234567890A2")
DEVICES = {
    "00DB1234567890A0": DeviceType.ESME,
    "00DB1234567890A1": DeviceType.GSME,
    "00DB1234567890A2": DeviceType.CHF,
    "00DB1234567890A3": DeviceType.GPF,
    "00DB1234567890A4": DeviceType.PPMID,
    "00DB1234567890A5": DeviceType.HCALCS,
    "00DB1234567890A6": DeviceType.ESME,
}
PARTIES = {
    "90B3D51F30010000": RemotePartyRole.SUPPLIER,
    "90B3D51F30020000": RemotePartyRole.NETWORK_OPERATOR,
    "90B3D51F30030000": RemotePartyRole.SUPPLIER,
    "90B3D51F30010008": RemotePartyRole.LOAD_CONTROLLER,
    "90B3D51F30000002": RemotePartyRole.ACCESS_CONTROL_BROKER,
    "00DB123456780004": RemotePartyRole.OTHER,
}
LENIENT = DccRules(
    check_roles=False,
    check_responsibility=False,
    check_counters=False,
    wan_matrix_form="5.4",
)
"""Every user may ask everything: here it matters that there is an answer."""


def documented(schema_file: Path) -> set[str]:
    """The response codes of the published schema."""
    found = re.search(
        r'simpleType name="ResponseCode">(.*?)</xs:simpleType>', schema_file.read_text("utf-8"), re.S
    )
    assert found is not None
    return set(re.findall(r'enumeration value="([^"]+)"', found[1]))


def make_inventory(store: Store) -> Inventory:
    inventory = Inventory(store.nvm("registry"))
    known = tuple(
        KnownParty(party=Eui64.parse(party), role=role)
        for party, role in PARTIES.items()
        if party not in {"90B3D51F30030000", "00DB123456780004"}
    )
    supplier = Eui64.parse("90B3D51F30010000")
    roles = (UserRole.IMPORT_SUPPLIER, UserRole.GAS_SUPPLIER)
    for device, device_type in DEVICES.items():
        inventory.add(
            InventoryDevice(
                device_id=Eui64.parse(device),
                device_type=device_type,
                hub=HUB,
                esme_variant="BD" if device_type is DeviceType.ESME else "",
                responsible=tuple(Responsibility(role=role, party=supplier) for role in roles),
                known_parties=known,
            )
        )
    return inventory


def ask_all(documents: dict[str, bytes]) -> dict[str, tuple[bytes, list[bytes]]]:
    """The synchronous answer and all final responses to each document, by its name."""
    keys = Authority(RootSeed(3)).keystore([Eui64.parse(device) for device in DEVICES])
    answers: dict[str, tuple[bytes, list[bytes]]] = {}

    async def main(clock: LoopClock) -> None:
        with Store() as store:
            wan = InProcessWan(clock, Trace(clock, 10), RootSeed(1))
            for name, document in documents.items():
                # Each on a home as it was: some of them end a device.
                store_name = f"dcc-{name}"[:90]
                home = make_inventory_once(store, name)
                dcc = MockDcc(
                    keystore=keys,
                    wan=wan,
                    clock=clock,
                    trace=Trace(clock, 10),
                    nvm=store.nvm(store_name),
                    inventory=home,
                    users=UserDirectory(
                        User(party=Eui64.parse(party), roles=tuple(UserRole)) for party in PARTIES
                    ),
                    rules=LENIENT,
                )
                finals: list[bytes] = []
                detach = wan.attach_hub(HUB, lambda message: None)
                async with wan, dcc:
                    dcc.subscribe(lambda one, finals=finals: finals.append(one.document))
                    answer = await dcc.receive(document)
                    if parse_response(answer).code == "I99":
                        await clock.sleep(1000)
                    answers[name] = (answer, finals)
                detach()

    run_virtual(main)
    return answers


def make_inventory_once(store: Store, name: str) -> Inventory:
    with Store() as own:
        made = make_inventory(own)
        devices = made.devices()
    inventory = Inventory(store.nvm(f"registry-{name}"[:90]))
    for device in devices:
        inventory.add(device)
    return inventory


def test_every_published_request_is_answered_with_a_documented_code(rtds: Path, schema_dir: Path) -> None:
    schema = DuisSchema(schema_dir)
    codes = documented(next(schema_dir.glob("DUIS*.xsd")))
    documents: dict[str, bytes] = {}
    for path in sorted((rtds / "duis").glob("*.XML")):
        octets = path.read_bytes()
        documents.setdefault(parse_request(octets).header.variant, octets)
    answers = ask_all(documents)
    tally: Counter[str] = Counter()
    refused = {}
    for name, (answer, finals) in answers.items():
        schema.validate(answer)
        response = parse_response(answer)
        request = parse_request(documents[name])
        assert response.request_id == request.header.request_id
        assert response.code in codes, name
        tally[response.code] += 1
        if response.code not in {"I0", "I99"}:
            refused[name] = response.code
        if response.code == "I99":
            # Exactly one final response: the device answers nothing, or its time has not come.
            kinds = [parse_response(one) for one in finals]
            mine = [one for one in kinds if one.request_id == request.header.request_id]
            assert [one.code for one in mine] in (["E21"], []), name
            for one in finals:
                schema.validate(one)
        if request.header.command_variant is CommandVariant.TRANSFORM and response.code == "I0":
            assert isinstance(response.payload, PreCommand), name
    # Done or accepted, but for what names a schedule, device or backup that is not there, or that is.
    expected = {
        "5.2": "E050201",
        "5.3": "E050301",
        "8.4": "E080409",
        "8.6": "E080602",
        "8.7.1": "E080702",
        "8.7.2": "E080702",
        "8.12.1": "E081204",
        "8.12.2": "E081204",
        "8.13": "E081302",
        "12.2": "E120203",
    }
    odd = {
        name: code
        for name, code in refused.items()
        if expected.get(parse_request(documents[name]).header.variant) != code
    }
    assert odd == {}
    assert len(documents) > 100
    assert tally["I0"] > 30
    assert tally["I99"] > 50


def test_a_pre_command_of_every_critical_variant_comes_back_signed_and_is_accepted(rtds: Path) -> None:
    """Command variants 4 and 5, one template each."""
    keys = Authority(RootSeed(3)).keystore([Eui64.parse(device) for device in DEVICES])
    templates: dict[str, bytes] = {}
    for path in sorted((rtds / "duis").glob("*.XML")):
        document = path.read_bytes()
        header = parse_request(document).header
        if header.command_variant is CommandVariant.TRANSFORM:
            templates.setdefault(header.variant, document)
    first = ask_all(templates)
    signed = {}
    for variant, (answer, _) in first.items():
        response = parse_response(answer)
        if not isinstance(response.payload, PreCommand):
            continue
        message = decode_message(response.payload.payload)
        key = keys.private_key(message.business_originator_id, KeyUsage.DIGITAL_SIGNATURE)
        body = signed_pre_command_body(encode_message(with_signature(message, key)))
        header = RequestHeader(
            request_id=RequestId(
                message.business_originator_id, message.business_target_id, message.originator_counter
            ),
            command_variant=CommandVariant.SEND_SIGNED,
            service_reference=SERVICE_REQUESTS[variant].reference,
            variant=variant,
        )
        signed[variant] = write_request(Request(header=header, body=body))
    second = ask_all(signed)
    codes = {variant: parse_response(answer).code for variant, (answer, _) in second.items()}
    assert len(codes) > 25
    assert {variant: code for variant, code in codes.items() if code != "I99"} == {}


def test_all_129_variants_are_declared_and_each_has_somebody_to_do_it(schema_dir: Path) -> None:
    schema = next(schema_dir.glob("DUIS*.xsd")).read_text("utf-8")
    found = re.search(r'simpleType name="ServiceReferenceVariant">(.*?)</xs:simpleType>', schema, re.S)
    assert found is not None
    assert set(SERVICE_REQUESTS) == set(re.findall(r'enumeration value="([^"]+)"', found[1]))
    assert len(SERVICE_REQUESTS) == 129
    for variant, row in SERVICE_REQUESTS.items():
        assert row.mappings if variant not in SERVICES else row.non_device, variant
