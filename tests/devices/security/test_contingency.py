"""The contingency key: what replaces everything when root and recovery are lost, and nothing without it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from security_kit import (
    AUTHORITY,
    DEVICE,
    MANAGEMENT,
    SIGN,
    SUPPLIER,
    SUPPLIER_CELLS,
    Cell,
    Kit,
    fresh,
    statuses,
    update,
)

from smetslab.crypto import PrivateKey
from smetslab.devices.security.contingency import ContingencyKey
from smetslab.gbcs.codes import Cra, KeyUsage, RemotePartyRole
from smetslab.gbcs.message import Message, OtherInformation, encode_message
from smetslab.gbcs.security import with_mac, with_signature
from smetslab.gbcs.usecases import engine
from smetslab.gbcs.usecases.registry import USE_CASES
from smetslab.ids import Eui64
from smetslab.pki import Authority
from smetslab.rng import RootSeed

USE_CASE = USE_CASES["CS02b.anyByContingency"]
HOLDER = Eui64.parse("70B3D51F300017FF")
KEY, OTHER_KEY = PrivateKey.from_seed(b"contingency"), PrivateKey.from_seed(b"another")
SYMMETRIC = bytes(range(16))
ROOT: Cell = (RemotePartyRole.ROOT, SIGN, MANAGEMENT)
NEW = Authority(RootSeed(77))
ROOT_KEY_ID = AUTHORITY.root.certificate.subject_key_id or b""


@pytest.fixture
def kit(make_kit: Callable[..., Kit]) -> Kit:
    contingency = ContingencyKey.of(KEY.public, SYMMETRIC, ROOT_KEY_ID)
    return make_kit(contingency=contingency)


def command(
    counter: int = 5001,
    *,
    key: PrivateKey = KEY,
    symmetric: bytes | None = SYMMETRIC,
    mac: bytes | None = None,
    authority: Authority = NEW,
) -> bytes:
    """A new root, and the supplier's certificates below it."""
    replacements: list[Any] = [(authority.root.certificate, ROOT)]
    replacements += [(fresh(authority, SUPPLIER, cell), cell) for cell in SUPPLIER_CELLS]
    parameters = update(
        "anyByContingency",
        counter,
        replacements,
        path=(authority.issuing.certificate,),
        authorising=ROOT,
        floor=0,
        others=[(RemotePartyRole.SUPPLIER, 0)],
        control={} if symmetric is None else {"plaintext_symmetric_key": symmetric.hex().upper()},
    )
    header = Message(
        cra=Cra.COMMAND,
        originator_counter=counter,
        business_originator_id=HOLDER,
        business_target_id=DEVICE,
        other_information=OtherInformation(message_code=USE_CASE.code),
        content=b"",
    )
    content = engine.encode_content(USE_CASE, header, parameters)
    message = with_signature(replace(header, content=content), key)
    return encode_message(message if mac is None else with_mac(message, mac))


def root_of(kit: Kit) -> bytes:
    anchor = kit.application.trust_anchors.root
    assert anchor is not None
    return anchor.key_id


def test_a_new_root_and_what_stands_below_it(kit: Kit) -> None:
    answer = kit.answer(command())
    assert answer is not None
    assert statuses(answer) == ["success"] * 4
    assert answer["execution_outcome"]["credentials_replacement_mode"] == "anyByContingency"
    kit.power_cut()
    assert root_of(kit) == NEW.root.certificate.subject_key_id
    kit.signers[SUPPLIER] = NEW.organisation(
        SUPPLIER, RemotePartyRole.SUPPLIER, KeyUsage.DIGITAL_SIGNATURE, MANAGEMENT, generation=1
    ).private_key  # type: ignore[assignment]
    assert kit.answer(kit.command("CS02e", {"key_usage": "digitalSignature"}, counter=9)) is not None


def test_the_key_of_a_lost_root_is_worth_nothing_afterwards(kit: Kit) -> None:
    assert kit.answer(command()) is not None
    assert kit.answer(command(5002, authority=AUTHORITY)) is None
    assert root_of(kit) == NEW.root.certificate.subject_key_id


@pytest.mark.parametrize(
    "wrong",
    [
        {"key": OTHER_KEY},
        {"symmetric": bytes(16)},
        {"symmetric": b"short"},
        {"symmetric": None},
        {"mac": bytes(32)},
    ],
    ids=["signature", "other symmetric key", "no AES key", "no symmetric key", "with a MAC"],
)
def test_without_the_right_keys_nothing_is_replaced(kit: Kit, wrong: dict[str, Any]) -> None:
    before = root_of(kit)
    assert kit.answer(command(**wrong)) is None
    assert root_of(kit) == before
    assert kit.answer(command()) is not None, "the counter of a refused command is not used up"


def test_a_device_without_contingency_key_does_not_know_its_holder(make_kit: Callable[..., Kit]) -> None:
    kit = make_kit()
    assert kit.answer(command()) is None
    assert kit.codes() == ["8F3E"]


def test_the_holder_may_command_nothing_else(kit: Kit) -> None:
    kit.signers[HOLDER] = KEY
    assert kit.answer(kit.command("CS02e", {"key_usage": "digitalSignature"}, originator=HOLDER)) is None
