"""How two messages are compared: header, protection, content, results."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from smetslab.gbcs.codes import Cra, KeyUsage
from smetslab.gbcs.keys import KeyLookup
from smetslab.gbcs.message import Message, OtherInformation
from smetslab.gbcs.security import with_mac, with_signature
from smetslab.gbcs.usecases import USE_CASES, encode_content
from smetslab.gbcs.values import Parameters
from smetslab.ids import Eui64
from smetslab.pki import Authority, KeyRing
from smetslab.pki.lookup import RingLookup
from smetslab.rng import RootSeed
from smetslab.rtds.compare import compare

ESME, SUPPLIER = Eui64.parse("00DB1234567890A0"), Eui64.parse("90B3D51F30010000")
_KA, _DS = KeyUsage.KEY_AGREEMENT, KeyUsage.DIGITAL_SIGNATURE


class World:
    """One set of keys; two of them share nobody's."""

    def __init__(self, seed: int) -> None:
        self.ring: KeyRing = Authority(RootSeed(seed)).keystore((ESME,))
        self.keys: KeyLookup = RingLookup(self.ring)

    def secret(self) -> bytes:
        public = self.ring.find(SUPPLIER, _KA).certificate.public_key
        return self.ring.private_key(ESME, _KA).exchange(public)

    def response(self, name: str, values: Parameters, **header: Any) -> Message:
        use_case = USE_CASES[name]
        bare = Message(
            cra=Cra.RESPONSE,
            originator_counter=1000,
            business_originator_id=ESME,
            business_target_id=SUPPLIER,
            other_information=OtherInformation(message_code=use_case.code),
            content=b"",
        )
        bare = replace(bare, **header)
        secret = self.secret() if use_case.encrypts_response else None
        ready = replace(bare, content=encode_content(use_case, bare, values, secret))
        if use_case.critical:
            return with_signature(ready, self.ring.private_key(ESME, _DS))
        return with_mac(ready, self.secret())


@pytest.fixture(scope="module")
def worlds() -> tuple[World, World]:
    return World(1), World(2)


def outcome(worlds: tuple[World, World], ours: Message, published: Message) -> tuple[str, str | None]:
    found = compare(ours, worlds[0].keys, published, worlds[1].keys)
    return found.outcome, found.first_difference


def registers(active: int) -> Parameters:
    return {
        "import_registers": {
            "import_register_collection": {
                "active": active,
                "active_scaler_unit": {"scaler": 0, "unit": "Wh"},
                "reactive": 2,
                "reactive_scaler_unit": {"scaler": 0, "unit": "varh"},
            }
        }
    }


def test_encrypted_content_is_compared_in_clear(worlds: tuple[World, World]) -> None:
    ours, published = (world.response("ECS17b", registers(1)) for world in worlds)
    assert ours.content != published.content
    assert outcome(worlds, ours, published) == ("equal", None)
    other = worlds[0].response("ECS17b", registers(7))
    assert outcome(worlds, other, published) == (
        "same_structure",
        "import_registers.import_register_collection.active: ours 7, published 1",
    )


def test_a_member_more_is_another_structure(worlds: tuple[World, World]) -> None:
    twin = registers(1)
    collection = twin["import_registers"]
    assert isinstance(collection, dict) and isinstance(collection["import_register_collection"], dict)
    collection["import_register_collection"]["secondary_active"] = 3
    found, difference = outcome(
        worlds, worlds[0].response("ECS17b", twin), worlds[1].response("ECS17b", registers(1))
    )
    assert found == "different"
    assert "secondary_active" in str(difference)


def test_a_result_is_no_value_of_state(worlds: tuple[World, World]) -> None:
    done = worlds[1].response("ECS42", {})
    failed = worlds[0].response("ECS42", {"failures": {"execute_script": "hardware-fault"}})
    assert outcome(worlds, failed, done)[0] == "different"
    assert outcome(worlds, worlds[0].response("ECS42", {}), done) == ("equal", None)


def replaced(status: str, key_id: str) -> dict[str, Any]:
    """What became of one cell."""
    told = {
        "affected_trust_anchor_cell": {
            "trust_anchor_cell_remote_party_role": "supplier",
            "trust_anchor_cell_key_usage": "digitalSignature",
        },
        "status_code": status,
        "existing_subject_unique_id": "90B3D51F30010000",
        "existing_subject_key_identifier": "1111111111111111",
        "replacing_subject_unique_id": "90B3D51F30010000",
        "replacing_subject_key_identifier": key_id,
    }
    outcome = {
        "authorising_remote_party_seq_number": 1000,
        "credentials_replacement_mode": "supplierBySupplier",
        "remote_party_seq_number_changes": [],
        "replacement_outcomes": [told],
    }
    return {"command_accepted": None, "execution_outcome": outcome}


@pytest.mark.parametrize(
    ("ours", "expected"),
    [
        (replaced("success", "2222222222222222"), "equal"),
        (replaced("success", "3333333333333333"), "same_structure"),
        (replaced("badCertificate", "2222222222222222"), "different"),
    ],
)
def test_within_an_outcome_keys_are_state_and_status_codes_are_results(
    worlds: tuple[World, World], ours: dict[str, Any], expected: str
) -> None:
    name = "CS02b.supplierBySupplier"
    published = worlds[1].response(name, replaced("success", "2222222222222222"))
    assert outcome(worlds, worlds[0].response(name, ours), published)[0] == expected


@pytest.mark.parametrize(
    ("header", "difference"),
    [
        ({"originator_counter": 1001}, "originator counter: ours 1001, published 1000"),
        (
            {"business_target_id": Eui64.parse("90B3D51F30020000")},
            "business target id: ours 90B3D51F30020000, published 90B3D51F30010000",
        ),
        ({"date_time": bytes(12)}, "date-time: ours True, published False"),
    ],
)
def test_a_field_of_the_header_counts(
    worlds: tuple[World, World], header: dict[str, Any], difference: str
) -> None:
    ours = worlds[0].response("ECS52", {"firmware_version": "00000001"}, **header)
    if "business_target_id" in header:
        target = worlds[0].ring.find(header["business_target_id"], _KA).certificate.public_key
        ours = with_mac(ours, worlds[0].ring.private_key(ESME, _KA).exchange(target))
    published = worlds[1].response("ECS52", {"firmware_version": "00000001"})
    assert outcome(worlds, ours, published) == ("different", difference)


def test_the_counter_for_an_unknown_party_is_a_value_of_state(worlds: tuple[World, World]) -> None:
    def other(counter: int | None) -> OtherInformation:
        return OtherInformation(
            message_code=USE_CASES["ECS52"].code,
            supplementary_remote_party_id=SUPPLIER,
            supplementary_remote_party_counter=1,
            supplementary_originator_counter=counter,
        )

    values: Parameters = {"firmware_version": "00000001"}
    ours = worlds[0].response("ECS52", values, other_information=other(2000))
    published = worlds[1].response("ECS52", values, other_information=other(2001))
    assert outcome(worlds, ours, published) == (
        "same_structure",
        "supplementary originator counter: ours 2000, published 2001",
    )
    absent = worlds[1].response("ECS52", values, other_information=other(None))
    assert outcome(worlds, ours, absent)[0] == "different"


def test_protection_that_does_not_verify_is_different(worlds: tuple[World, World]) -> None:
    values: Parameters = {"firmware_version": "00000001"}
    ours, published = (world.response("ECS52", values) for world in worlds)
    assert outcome(worlds, published, published) == ("different", "ours: MAC does not verify")
    assert outcome(worlds, ours, ours) == ("different", "published: MAC does not verify")
