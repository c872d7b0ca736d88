"""A small data set of our own, laid out like the published one: messages in subfolders and a key store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from smetslab.gbcs.codes import CellUsage, Cra, KeyUsage
from smetslab.gbcs.message import Message, OtherInformation, encode_message
from smetslab.gbcs.security import with_mac, with_signature
from smetslab.gbcs.usecases import USE_CASES, encode_content
from smetslab.gbcs.utrn import ValueClass, build_utrn
from smetslab.ids import Eui64
from smetslab.pki import Authority, KeyRing
from smetslab.pki.files import export_pem
from smetslab.rng import RootSeed

BROKER, SUPPLIER = Eui64.parse("90B3D51F30000002"), Eui64.parse("90B3D51F30010000")
ESME, PPMID = Eui64.parse("00DB1234567890A0"), Eui64.parse("00DB1234567890A4")


def header(cra: Cra, code: int) -> Message:
    ends = (SUPPLIER, ESME) if cra is Cra.COMMAND else (ESME, SUPPLIER)
    return Message(
        cra=cra,
        originator_counter=1000,
        business_originator_id=ends[0],
        business_target_id=ends[1],
        other_information=OtherInformation(message_code=code),
        content=b"",
    )


@pytest.fixture(scope="session")
def ring() -> KeyRing:
    return Authority(RootSeed(2026)).keystore((ESME, PPMID))


@pytest.fixture(scope="session")
def secret(ring: KeyRing) -> Callable[[Eui64, Eui64], bytes]:
    def between(one: Eui64, other: Eui64) -> bytes:
        peer = ring.find(other, KeyUsage.KEY_AGREEMENT).certificate.public_key
        return ring.private_key(one, KeyUsage.KEY_AGREEMENT).exchange(peer)

    return between


@pytest.fixture(scope="session")
def messages(ring: KeyRing, secret: Callable[[Eui64, Eui64], bytes]) -> dict[str, Message]:
    """One message of every kind and protection."""
    read, close = USE_CASES["ECS17b"], USE_CASES["ECS42"]
    registers = {
        "active": 10,
        "active_scaler_unit": {"scaler": 0, "unit": "Wh"},
        "reactive": 20,
        "reactive_scaler_unit": {"scaler": 0, "unit": "varh"},
    }
    values = {"import_registers": {"import_register_collection": registers}}
    command, answer = header(Cra.COMMAND, read.code), header(Cra.RESPONSE, read.code)
    order = header(Cra.COMMAND, close.code)
    pre_command = replace(order, content=encode_content(close, order, {}))
    report = replace(header(Cra.ALERT, 0x7FFF), content=bytes.fromhex("010900"))
    own, broker = secret(ESME, SUPPLIER), secret(ESME, BROKER)
    content = encode_content(read, answer, values, own)  # type: ignore[arg-type]
    signed = with_signature(pre_command, ring.private_key(SUPPLIER, KeyUsage.DIGITAL_SIGNATURE))
    top_up = replace(header(Cra.COMMAND, USE_CASES["CS01a"].code), originator_counter=3 << 32)
    token = build_utrn(
        counter=3 << 32,
        value_class=ValueClass.POUNDS,
        value=10,
        secret=ring.private_key(SUPPLIER, KeyUsage.KEY_AGREEMENT, CellUsage.PREPAYMENT_TOP_UP).exchange(
            ring.find(ESME, KeyUsage.KEY_AGREEMENT).certificate.public_key
        ),
        supplier=SUPPLIER,
        device=ESME,
    )
    credit = encode_content(USE_CASES["CS01a"], top_up, {"utrn": token.digits})
    between = replace(header(Cra.COMMAND, 0x7FFE), business_originator_id=PPMID, content=b"\x05\x00")
    return {
        "read/command": with_mac(replace(command, content=encode_content(read, command, {})), broker),
        "read/response": with_mac(replace(answer, content=content), own),
        "close/pre-command": pre_command,
        "close/command": with_mac(signed, broker),
        "alert": with_signature(report, ring.private_key(ESME, KeyUsage.DIGITAL_SIGNATURE)),
        "top-up/command": with_mac(replace(top_up, content=credit), broker),
        "between/devices": with_mac(between, secret(PPMID, ESME)),
    }


@pytest.fixture
def folder(tmp_path: Path, ring: KeyRing, messages: dict[str, Message]) -> Path:
    """The data set on disk."""
    root = tmp_path / "set"
    for name, message in messages.items():
        file = root / "gbcs" / f"{name}.HEX"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(encode_message(message).hex().upper())
    export_pem(ring, root / "keystore")
    return root
