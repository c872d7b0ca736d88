"""A home changes its supplier: through the DCC, on the device, in the inventory, and in what codes buy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from smetslab.clock import run_virtual
from smetslab.crypto import SharedSecrets
from smetslab.dcc.service_user import ServiceUser
from smetslab.devices.gas_records import CHANGE_OF_SUPPLIER
from smetslab.devices.gsme import Gsme
from smetslab.devices.prepay.token import Refusal
from smetslab.gbcs.codes import CellUsage, KeyUsage, RemotePartyRole
from smetslab.gbcs.utrn import ValueClass, build_utrn
from smetslab.ids import Eui64
from smetslab.lab.build import Lab
from smetslab.lab.config import LabConfig, load_lab

ESME, GSME = (Eui64.parse(f"00DB1234567890A{last}") for last in "01")
_USES = {
    "DigitalSigningCertificate": (KeyUsage.DIGITAL_SIGNATURE, CellUsage.MANAGEMENT),
    "KeyAgreementCertificate": (KeyUsage.KEY_AGREEMENT, CellUsage.MANAGEMENT),
    "KeyAgreementTopUpCertificate": (KeyUsage.KEY_AGREEMENT, CellUsage.PREPAYMENT_TOP_UP),
}
HOME = """
[[premises]]
name = "home"
hub = { eui64 = "00-DB-12-34-56-78-90-A2" }

[[premises.devices]]
name = "esme"
profile = "esme-reference-a"
eui64 = "00-DB-12-34-56-78-90-A0"
supplier = "supplier"
state = { payment_mode = "prepayment", charging = false }

[[premises.devices]]
name = "gas-meter"
profile = "gsme-prepayment"
eui64 = "00-DB-12-34-56-78-90-A1"
load_seed = 5
supplier = "supplier"

[[premises.devices]]
name = "gas-proxy"
profile = "gpf-reference"
eui64 = "00-DB-12-34-56-78-90-A3"
"""


@pytest.fixture
def config(tmp_path: Path) -> LabConfig:
    default = load_lab().source_text.decode()
    path = tmp_path / "home.toml"
    path.write_text(default[: default.index("[[premises]]")] + HOME)
    return load_lab(path)


def credentials(lab: Lab, party: Eui64) -> dict[str, Any]:
    """The elements of 6.23 that make a party the supplier."""
    issuers = [one for one in lab.keystore.authorities() if one.role is RemotePartyRole.ISSUING_AUTHORITY]
    return {
        "SupplierFloorSeqNumber": 5000,
        "SupplierPrepaymentTopUpFloorSeqNumber": 7 << 32,
        "SupplierReplacementCertificates": {
            name: lab.keystore.find(party, *use).certificate.der.hex().upper() for name, use in _USES.items()
        },
        "CertificationPathCertificates": {"Certificate": [one.der.hex().upper() for one in issuers]},
        "ApplyTimeBasedCPVChecks": True,
        "ImportMPxN": "1312345678333",
    }


def token(lab: Lab, user: ServiceUser, number: int, meter: Eui64 = ESME) -> str:
    private = lab.keystore.private_key(user.party, KeyUsage.KEY_AGREEMENT, CellUsage.PREPAYMENT_TOP_UP)
    public = lab.keystore.find(meter, KeyUsage.KEY_AGREEMENT).certificate.public_key
    return build_utrn(
        counter=number << 32,
        value_class=ValueClass.POUNDS,
        value=5,
        secret=SharedSecrets().get(private, public),
        supplier=user.party,
        device=meter,
    ).digits


async def change(lab: Lab, winner: ServiceUser, meter: Eui64, execution: str | None = None) -> dict[str, Any]:
    answer = await winner.request("6.23", meter, credentials(lab, winner.party), execution=execution)
    assert answer.ok, answer
    return answer.parameters


def statuses(outcome: dict[str, Any]) -> list[str]:
    return [one["status_code"] for one in outcome["execution_outcome"]["replacement_outcomes"]]


def test_the_meter_obeys_its_new_supplier_alone(config: LabConfig) -> None:
    async def scenario(clock: object) -> None:
        del clock
        async with Lab(config) as lab:
            old, new = lab.users["supplier"], lab.users["second-supplier"]
            first, second = token(lab, old, 1), token(lab, old, 8)
            meter = lab.esme(ESME)
            assert meter.enter_utrn(first) is None
            assert statuses(await change(lab, new, ESME)) == ["success"] * 3

            assert meter.enter_utrn(second) is Refusal.NOT_AUTHENTIC
            assert meter.enter_utrn(token(lab, new, 7)) is Refusal.DUPLICATE  # not above the floor
            assert meter.enter_utrn(token(lab, new, 8)) is None
            assert not (await old.request("6.24.1", ESME, {"RemotePartyRole": ["Supplier"]})).ok
            told = await new.request("6.24.1", ESME, {"RemotePartyRole": ["Supplier"]}, counter=5001)
            assert told.ok
            assert str(new.party) in str(told.parameters)
            assert lab.inventory.find(ESME).import_mpxn == "1312345678333"

            await meter.power_cut()
            await meter.power_restore()
            assert meter.enter_utrn(token(lab, new, 9)) is None

    run_virtual(scenario)


def test_a_gas_meter_records_what_its_old_supplier_may_bill(config: LabConfig) -> None:
    async def scenario(clock: object) -> None:
        del clock
        async with Lab(config) as lab:
            meter = lab.devices[GSME]
            assert isinstance(meter, Gsme)
            await lab.clock.sleep(3600)
            changes = meter._core.records.changes
            assert changes.entries == ()
            assert statuses(await change(lab, lab.users["second-supplier"], GSME)) == ["success"] * 3
            assert [snapshot.cause for snapshot in changes.entries] == [CHANGE_OF_SUPPLIER]

    run_virtual(scenario)


def test_a_change_at_a_date_comes_with_its_alert(config: LabConfig) -> None:
    async def scenario(clock: object) -> None:
        del clock
        async with Lab(config) as lab:
            new = lab.users["second-supplier"]
            await change(lab, new, ESME, "2026-01-05T02:00:00Z")
            early, late = token(lab, new, 8), token(lab, new, 9)
            await lab.clock.sleep(3600)
            assert lab.esme(ESME).enter_utrn(early) is Refusal.NOT_AUTHENTIC
            await lab.clock.sleep(2 * 3600)
            assert lab.esme(ESME).enter_utrn(late) is None
            codes = [one.detail["code"] for one in lab.trace.find(layer="device", event="AlertSent")]
            assert "8F66" in codes

    run_virtual(scenario)
