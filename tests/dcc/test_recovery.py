"""Recovery of a real virtual meter: its cells, its status, its alerts; and what it refuses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from smetslab.clock import LoopClock, run_virtual
from smetslab.crypto import PrivateKey
from smetslab.dcc.recovery import Contingency, Recovery, Replacement, replacement_statuses
from smetslab.duis.dcc_alerts import read_dcc_alert
from smetslab.duis.document import OtherBody, parse_response
from smetslab.errors import LocalProtocolError, RegistryError
from smetslab.gbcs.codes import CellUsage, KeyUsage, RemotePartyRole
from smetslab.gbcs.message import decode_message
from smetslab.gbcs.usecases.engine import decode_content
from smetslab.gbcs.usecases.registry import USE_CASES
from smetslab.ids import Eui64
from smetslab.lab.build import Lab
from smetslab.lab.config import load_lab
from smetslab.registry import DeviceStatus, KnownParty

ESME = Eui64.parse("00DB1234567890A0")
HUB = Eui64.parse("00DB1234567890A2")
SUPPLIER = Eui64.parse("90B3D51F30010000")
SECOND = Eui64.parse("90B3D51F30030000")
RECOVERY = Eui64.parse("90B3D51F30000001")


def play(story: Callable[[Lab], Awaitable[None]]) -> None:
    async def main(clock: LoopClock) -> None:
        del clock
        async with Lab(load_lab()) as lab:
            await story(lab)

    run_virtual(main)


def credentials(lab: Lab, party: Eui64) -> list[Replacement]:
    """The three certificates of a supplier, for the supplier's cells."""
    cells = (
        (KeyUsage.DIGITAL_SIGNATURE, CellUsage.MANAGEMENT),
        (KeyUsage.KEY_AGREEMENT, CellUsage.MANAGEMENT),
        (KeyUsage.KEY_AGREEMENT, CellUsage.PREPAYMENT_TOP_UP),
    )
    return [
        Replacement(
            certificate=lab.keystore.find(party, usage, cell).certificate.der,
            role=RemotePartyRole.SUPPLIER,
            usage=usage,
            cell_usage=cell,
        )
        for usage, cell in cells
    ]


def path(lab: Lab) -> list[bytes]:
    """The authority between organisations and root."""
    issuing = RemotePartyRole.ISSUING_AUTHORITY
    return [one.der for one in lab.keystore.authorities() if one.role is issuing]


def told(lab: Lab) -> list[object]:
    bodies = [parse_response(document).body for document in lab.dcc.alerts]
    return [read_dcc_alert(body.element)[2] for body in bodies if isinstance(body, OtherBody)]


def test_a_recovered_meter_has_the_new_supplier_and_everybody_is_told() -> None:
    async def story(lab: Lab) -> None:
        result = await lab.dcc.recovery.recover(ESME, credentials(lab, SECOND), path(lab))
        assert (result.ok, result.statuses) == (True, ("success",) * 3)
        meter = lab.inventory.find(ESME)
        assert meter is not None
        assert meter.status is DeviceStatus.RECOVERED
        assert KnownParty(party=SECOND, role=RemotePartyRole.SUPPLIER) in meter.known_parties
        assert not meter.knows(SUPPLIER, (RemotePartyRole.SUPPLIER,))
        changes = [members["DeviceStatusChange"] for members in told(lab)]  # type: ignore[index]
        assert {"RecoveryComplete": True} in changes
        # A recovered device answers reads, and is commissioned anew by who may.
        assert (await lab.users["network-operator"].request("4.1.1", ESME)).ok

    play(story)


def test_while_it_lasts_and_when_it_fails_the_meter_is_in_recovery() -> None:
    async def story(lab: Lab) -> None:
        # A certificate that leads to no root of the meter's.
        result = await lab.dcc.recovery.recover(ESME, credentials(lab, SECOND), [])
        assert not result.ok
        meter = lab.inventory.find(ESME)
        assert meter is not None
        assert meter.status is DeviceStatus.RECOVERY
        assert (await lab.users["supplier"].request("4.1.1", ESME)).code == "E5"

    play(story)


def test_a_meter_that_does_not_answer_stays_in_recovery() -> None:
    async def story(lab: Lab) -> None:
        await lab.devices[ESME].power_cut()
        result = await lab.dcc.recovery.recover(ESME, credentials(lab, SECOND), path(lab), timeout_s=60)
        assert result.statuses is None
        assert lab.inventory.find(ESME).status is DeviceStatus.RECOVERY  # type: ignore[union-attr]
        await lab.devices[ESME].power_restore()

    play(story)


def test_what_cannot_be_recovered_is_refused() -> None:
    async def story(lab: Lab) -> None:
        with pytest.raises(LocalProtocolError, match="at least one certificate"):
            await lab.dcc.recovery.recover(ESME, [])
        lab.inventory.set_status(ESME, DeviceStatus.DECOMMISSIONED)
        with pytest.raises(RegistryError, match="cannot be recovery has begun"):
            await lab.dcc.recovery.recover(ESME, credentials(lab, SECOND), path(lab))

    play(story)


def test_commands_say_who_what_and_by_which_mode() -> None:
    """By the recovery key as published; by contingency with the key that opens it."""

    async def story(lab: Lab) -> None:
        sent = []

        async def exchange(octets: bytes, target: Eui64, timeout_s: float) -> None:
            sent.append((decode_message(octets), target, timeout_s))

        dcc = lab.dcc
        recovery = Recovery(
            broker=dcc.broker,
            inventory=lab.inventory,
            notices=dcc._notices,
            party=RECOVERY,
            next_counter=iter((7000, 5001)).__next__,
            exchange=exchange,
        )
        await recovery.recover(ESME, credentials(lab, SECOND), path(lab), apply_time_checks=False)
        lab.inventory.set_status(ESME, DeviceStatus.COMMISSIONED)
        key = lab.keystore.private_key(RECOVERY, KeyUsage.DIGITAL_SIGNATURE)
        assert isinstance(key, PrivateKey)
        contingency = Contingency(
            originator=Eui64.parse("70B3D51F300017FF"), key=key, symmetric_key=bytes(range(16))
        )
        await recovery.recover(ESME, credentials(lab, SECOND), contingency=contingency)
        (by_key, _, _), (by_contingency, _, _) = sent
        assert (by_key.business_originator_id, by_key.originator_counter) == (RECOVERY, 7000)
        assert by_key.signature
        assert by_key.message_mac is None
        control = decode_content(USE_CASES["CS02b.anyExceptAbnormalRootByRecovery"], by_key)[
            "authorising_remote_party_control"
        ]
        assert control == {
            "credentials_replacement_mode": "anyExceptAbnormalRootByRecovery",
            "apply_time_based_cpv_checks": "disapply",
            "authorising_remote_party_ta_cell_identifier": {
                "trust_anchor_cell_remote_party_role": "recovery",
                "trust_anchor_cell_key_usage": "digitalSignature",
                "trust_anchor_cell_usage": "management",
            },
            "authorising_remote_party_seq_number": 7000,
            "other_remote_party_seq_number_changes": [
                {
                    "other_remote_party_role": "supplier",
                    "other_remote_party_floor_seq_number": 0,
                    "new_remote_party_specialist_floor_seq_number": [
                        {"seq_number_usage": "prepaymentTopUp", "seq_number": 0}
                    ],
                }
            ],
        }
        content = decode_content(USE_CASES["CS02b.anyByContingency"], by_contingency)
        assert content["authorising_remote_party_control"]["plaintext_symmetric_key"] == (  # type: ignore[index]
            bytes(range(16)).hex().upper()
        )
        assert by_contingency.business_originator_id == contingency.originator

    play(story)


def test_statuses_are_read_in_order_and_nothing_else_has_any() -> None:
    items = [{"status_code": "success"}, {"status_code": "noTrustAnchor"}]
    assert replacement_statuses({"execution_outcome": {"replacement_outcomes": items}}) == (
        "success",
        "noTrustAnchor",
    )
    assert replacement_statuses({}) == replacement_statuses({"execution_outcome": {}}) == ()
