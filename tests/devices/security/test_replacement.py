"""Update Security Credentials: every mode, every way to be wrong, dated, cancelled, over power cuts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from security_kit import (
    AUTHORITY,
    BROKER,
    DS,
    KA,
    MANAGEMENT,
    PARTIES,
    RING,
    SECOND_SUPPLIER,
    SIGN,
    SUPPLIER,
    SUPPLIER_CELLS,
    TOP_UP,
    Cell,
    Kit,
    Steps,
    fresh,
    statuses,
    update,
)

from smetslab.devices.clock import ClockStatus
from smetslab.devices.payload_engine import Fault
from smetslab.devices.security.certificates import CertificateRules
from smetslab.devices.security.installed import SecuritySettings
from smetslab.gbcs.codes import CounterFamily, DeviceType, KeyUsage, RemotePartyRole
from smetslab.gbcs.usecases.registry import USE_CASES
from smetslab.pki import Authority, KeyRing, oids, template
from smetslab.rng import RootSeed
from smetslab.store import PowerCut

ISSUER = (AUTHORITY.issuing.certificate,)
OPERATOR, COS = PARTIES[RemotePartyRole.NETWORK_OPERATOR], PARTIES[RemotePartyRole.TRANSITIONAL_COS]
STRANGERS = Authority(RootSeed(99))


def details(kit: Kit, *roles: str) -> list[dict[str, Any]]:
    """What the ACB reads of the cells."""
    asked = {
        "authorising_remote_party_ta_cell_identifier": {
            "trust_anchor_cell_remote_party_role": "accessControlBroker",
            "trust_anchor_cell_key_usage": "keyAgreement",
        },
        "remote_party_roles_credentials_required": list(roles),
    }
    answer: Any = kit.ask("CS02a", asked, originator=BROKER)["remote_party_details"]
    return answer


def cells_of(read: list[dict[str, Any]]) -> list[Any]:
    """Who stands in the cells, whatever the counters are."""
    return [one.get("trust_anchor_cells_details") for one in read]


def key_ids(kit: Kit) -> set[bytes]:
    """The keys in the supplier's cells."""
    cells = kit.application.trust_anchors.cells
    return {cell.key_id for cell in cells if cell.role is RemotePartyRole.SUPPLIER}


def own_cells(role: RemotePartyRole, *usages: KeyUsage) -> tuple[Cell, ...]:
    return tuple((role, usage, MANAGEMENT) for usage in usages)


def renewed(counter: int = 1000, cells: tuple[Cell, ...] = SUPPLIER_CELLS, **options: Any) -> dict[str, Any]:
    """The supplier gets new certificates of its own."""
    replacements: list[Any] = [(fresh(AUTHORITY, SUPPLIER, cell), cell) for cell in cells]
    return update("supplierBySupplier", counter, replacements, path=ISSUER, floor=0, **options)


def test_a_supplier_renews_its_certificates(kit: Kit) -> None:
    before = details(kit, "supplier")[0]["trust_anchor_cells_details"]
    answer = kit.ask("CS02b.supplierBySupplier", renewed(), counter=1000)
    assert statuses(answer) == ["success"] * 3
    outcomes = answer["execution_outcome"]["replacement_outcomes"]
    for old, told, cell in zip(before, outcomes, SUPPLIER_CELLS, strict=True):
        assert told["existing_subject_key_identifier"] == old["existing_subject_key_identifier"]
        new = fresh(AUTHORITY, SUPPLIER, cell).subject_key_id
        assert new is not None
        assert told["replacing_subject_key_identifier"] == new.hex().upper()
    assert kit.codes() == ["8F70"]


def test_the_old_certificate_is_worth_nothing_from_then_on(kit: Kit) -> None:
    kit.ask("CS02b.supplierBySupplier", renewed(), counter=1000)
    asked = {"key_usage": "digitalSignature"}
    assert kit.answer(kit.command("CS02e", asked, counter=1001)) is None
    kit.signers[SUPPLIER] = _key(SUPPLIER, SUPPLIER_CELLS[0])
    assert kit.answer(kit.command("CS02e", asked, counter=1002)) is not None


def _key(party: Any, cell: Cell) -> Any:
    return AUTHORITY.organisation(party, cell[0], cell[1], cell[2], generation=1).private_key


def test_what_was_acknowledged_survives_a_power_cut(kit: Kit) -> None:
    kit.ask("CS02b.supplierBySupplier", renewed(), counter=1000)
    before = details(kit, "supplier", "networkOperator")
    kit.power_cut()
    assert details(kit, "supplier", "networkOperator") == before
    kit.signers[SUPPLIER] = _key(SUPPLIER, SUPPLIER_CELLS[0])
    assert kit.answer(kit.command("CS02e", {"key_usage": "keyAgreement"}, counter=1001)) is not None


@pytest.mark.parametrize("step", range(1, 6))
def test_a_power_cut_while_it_is_stored_leaves_all_or_nothing(kit: Kit, steps: Steps, step: int) -> None:
    """Nothing was said, so the head end sends it again."""
    command = kit.command("CS02b.supplierBySupplier", renewed(), counter=1000)
    old = key_ids(kit)
    steps.cut_at(step)
    with pytest.raises(PowerCut):
        kit.application.receive(command, kit.now)
    steps.cut_at(None)
    assert kit.place.outbox == []
    kit.power_cut()
    new = {fresh(AUTHORITY, SUPPLIER, cell).subject_key_id for cell in SUPPLIER_CELLS}
    found = key_ids(kit)
    assert found in (old, new)
    if found == old:
        assert kit.answer(command) is not None


# ------------------------------------------------------------------------------------------------ modes

LC = PARTIES[RemotePartyRole.LOAD_CONTROLLER]
OWN_MODES = (
    ("networkOperatorByNetworkOperator", RemotePartyRole.NETWORK_OPERATOR, DeviceType.ESME, (DS, KA)),
    ("accessControlBrokerByACB", RemotePartyRole.ACCESS_CONTROL_BROKER, DeviceType.ESME, (KA,)),
    ("wanProviderByWanProvider", RemotePartyRole.WAN_PROVIDER, DeviceType.CHF, (DS,)),
    ("transCoSByTransCoS", RemotePartyRole.TRANSITIONAL_COS, DeviceType.ESME, (DS,)),
    ("loadControllerByLoadController", RemotePartyRole.LOAD_CONTROLLER, DeviceType.ESME, (DS, KA)),
)


@pytest.mark.parametrize("row", OWN_MODES, ids=[row[0] for row in OWN_MODES])
def test_a_party_replaces_its_own(make_kit: Callable[..., Kit], row: Any) -> None:
    mode, role, device_type, usages = row
    kit, party, cells = make_kit(device_type), PARTIES[role], own_cells(role, *usages)
    command = update(mode, 7, [(fresh(AUTHORITY, party, cell), cell) for cell in cells], path=ISSUER, floor=3)
    name = f"CS02b.{mode}" if f"CS02b.{mode}" in USE_CASES else f"CS02g.{mode}"
    answer = kit.ask(name, command, originator=party, counter=7)
    assert statuses(answer) == ["success"] * len(cells)
    changes = answer["execution_outcome"]["remote_party_seq_number_changes"]
    assert [one["other_remote_party_floor_seq_number"] for one in changes] == [3]
    assert kit.application.execution_counters.get(party, CounterFamily.CS02B) == 7


def test_the_supplier_replaces_the_load_controller(kit: Kit) -> None:
    cells = own_cells(RemotePartyRole.LOAD_CONTROLLER, DS, KA)
    command = update(
        "loadControllerBySupplier",
        1000,
        [(fresh(AUTHORITY, LC, cell), cell) for cell in cells],
        path=ISSUER,
        others=[(RemotePartyRole.LOAD_CONTROLLER, 50)],
    )
    answer = kit.ask("CS02g.loadControllerBySupplier", command, counter=1000)
    assert statuses(answer) == ["success"] * 2
    assert kit.application.execution_counters.get(LC, CounterFamily.ORDINARY) == 50


def test_recovery_replaces_anything_without_the_broker(kit: Kit) -> None:
    recovery = PARTIES[RemotePartyRole.RECOVERY]
    cells: list[Cell] = [
        (RemotePartyRole.RECOVERY, DS, MANAGEMENT),
        *SUPPLIER_CELLS,
        (RemotePartyRole.ACCESS_CONTROL_BROKER, KA, MANAGEMENT),
    ]
    replacements: list[Any] = [(fresh(AUTHORITY, PARTIES[cell[0]], cell), cell) for cell in cells]
    command = update("anyExceptAbnormalRootByRecovery", 9, replacements, path=ISSUER, floor=0)
    answer = kit.ask("CS02b.anyExceptAbnormalRootByRecovery", command, originator=recovery, counter=9)
    assert statuses(answer) == ["success"] * 5
    # The broker's new key protects from now on.
    kit.broker = _key(BROKER, (RemotePartyRole.ACCESS_CONTROL_BROKER, KA, MANAGEMENT))
    assert details(kit, "recovery")[0]["status_code"] == "success"


def test_the_root_changes_to_one_that_the_old_root_vouches_for(kit: Kit) -> None:
    """And what stands below the new root is trusted from then on, what stands below the old one is not."""
    cell: Cell = (RemotePartyRole.ROOT, SIGN, MANAGEMENT)
    new = STRANGERS.root
    link = template.issue(
        template.Template(
            serial=0x4001,
            subject=new.certificate.subject,
            not_before=AUTHORITY.valid_from,
            not_after=datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC),
            extensions=(
                template.key_usage(SIGN),
                template.basic_constraints(1),
                template.policies(oids.ORGANISATION_POLICY),
                template.subject_key_id(new.certificate.public_key),
                template.authority_key_id(AUTHORITY.root.certificate.public_key),
            ),
        ),
        new.certificate.public_key,
        AUTHORITY.root.certificate.subject,
        AUTHORITY.root.private_key,  # type: ignore[arg-type]
    )
    command = update("rootBySupplier", 1000, [(link, cell)], path=())
    assert statuses(kit.ask("CS02b.rootBySupplier", command, counter=1000)) == ["success"]
    old = renewed(1001)
    assert statuses(kit.ask("CS02b.supplierBySupplier", old, counter=1001)) == ["noTrustAnchor"] * 3
    theirs = update(
        "supplierBySupplier",
        1002,
        [(fresh(STRANGERS, SUPPLIER, cell), cell) for cell in SUPPLIER_CELLS],
        path=(STRANGERS.issuing.certificate,),
        floor=0,
    )
    assert statuses(kit.ask("CS02b.supplierBySupplier", theirs, counter=1002)) == ["success"] * 3


def test_an_abnormal_root_is_not_taken_from_recovery(kit: Kit) -> None:
    cell: Cell = (RemotePartyRole.ROOT, SIGN, MANAGEMENT)
    command = update("anyExceptAbnormalRootByRecovery", 9, [(STRANGERS.root.certificate, cell)], path=())
    answer = kit.ask(
        "CS02b.anyExceptAbnormalRootByRecovery",
        command,
        originator=PARTIES[RemotePartyRole.RECOVERY],
        counter=9,
    )
    assert statuses(answer) == ["noTrustAnchor"]


# ------------------------------------------------------------------------------------------------ wrong

EXPIRED = AUTHORITY.organisation(
    SUPPLIER, RemotePartyRole.SUPPLIER, DS, generation=2, not_after=datetime(2020, 1, 1, tzinfo=UTC)
).certificate
SUPPLIER_DS = SUPPLIER_CELLS[0]


def damaged() -> bytes:
    der = bytearray(fresh(AUTHORITY, SUPPLIER, SUPPLIER_DS).der)
    der[-1] ^= 1
    return bytes(der)


THEIRS = (STRANGERS.issuing.certificate,)
WRONG: list[tuple[str, Any, Cell, tuple[Any, ...], str]] = [
    ("usage", fresh(AUTHORITY, SUPPLIER, SUPPLIER_CELLS[1]), SUPPLIER_DS, ISSUER, "badCertificate"),
    ("signature", damaged(), SUPPLIER_DS, ISSUER, "badCertificate"),
    ("garbage", bytes.fromhex("30030101FF"), SUPPLIER_DS, ISSUER, "badCertificate"),
    ("expired", EXPIRED, SUPPLIER_DS, ISSUER, "badCertificate"),
    ("a device", AUTHORITY.device(SUPPLIER, DS).certificate, SUPPLIER_DS, ISSUER, "badCertificate"),
    ("stranger", fresh(STRANGERS, SUPPLIER, SUPPLIER_DS), SUPPLIER_DS, ISSUER, "noTrustAnchor"),
    (
        "stranger's path",
        fresh(STRANGERS, SUPPLIER, SUPPLIER_DS),
        SUPPLIER_DS,
        THEIRS,
        "noTrustAnchor",
    ),
    ("no path", fresh(AUTHORITY, SUPPLIER, SUPPLIER_DS), SUPPLIER_DS, (), "noTrustAnchor"),
    (
        "cell not held",
        fresh(
            AUTHORITY, PARTIES[RemotePartyRole.WAN_PROVIDER], (RemotePartyRole.WAN_PROVIDER, DS, MANAGEMENT)
        ),
        (RemotePartyRole.WAN_PROVIDER, DS, MANAGEMENT),
        ISSUER,
        "trustAnchorNotFound",
    ),
    (
        "another's cell",
        fresh(AUTHORITY, OPERATOR, (RemotePartyRole.NETWORK_OPERATOR, DS, MANAGEMENT)),
        (RemotePartyRole.NETWORK_OPERATOR, DS, MANAGEMENT),
        ISSUER,
        "other",
    ),
]


@pytest.mark.parametrize("row", WRONG, ids=[row[0] for row in WRONG])
def test_a_wrong_replacement_has_its_status_and_leaves_the_others_alone(kit: Kit, row: Any) -> None:
    """Cells are judged one by one."""
    _, certificate, cell, path, status = row
    good: Cell = SUPPLIER_CELLS[2]
    both = [(certificate, cell), (fresh(AUTHORITY, SUPPLIER, good), good)]
    command = update("supplierBySupplier", 1000, both, path=(*path, *ISSUER) if path else (), floor=0)
    answer = kit.ask("CS02b.supplierBySupplier", command, counter=1000)
    assert statuses(answer) == [status, "success" if path else "noTrustAnchor"]
    told = answer["execution_outcome"]["replacement_outcomes"][0]
    assert told["replacing_subject_key_identifier"] == told["existing_subject_key_identifier"]


def test_validity_does_not_count_when_it_is_switched_off_or_the_time_is_unknown(
    make_kit: Callable[..., Kit],
) -> None:
    replacement: list[Any] = [(EXPIRED, SUPPLIER_DS)]
    off = update("supplierBySupplier", 1000, replacement, path=ISSUER, disapply=True)
    assert statuses(make_kit().ask("CS02b.supplierBySupplier", off)) == ["success"]
    plain = update("supplierBySupplier", 1000, replacement, path=ISSUER)
    unknown = make_kit(status=ClockStatus.INVALID, owner="no time")
    assert statuses(unknown.ask("CS02b.supplierBySupplier", plain)) == ["success"]


@pytest.mark.parametrize(("checks", "status"), [(False, "success"), (True, "badCertificate")])
def test_whether_the_role_in_a_certificate_counts_is_a_choice(
    make_kit: Callable[..., Kit], checks: bool, status: str
) -> None:
    """Published devices do not ask."""
    kit = make_kit(settings=SecuritySettings(certificates=CertificateRules(checks_role=checks)))
    cell: Cell = (RemotePartyRole.LOAD_CONTROLLER, DS, MANAGEMENT)
    command = update(
        "loadControllerBySupplier", 1000, [(fresh(AUTHORITY, SUPPLIER, SUPPLIER_DS), cell)], path=ISSUER
    )
    assert statuses(kit.ask("CS02g.loadControllerBySupplier", command)) == [status]


@pytest.mark.parametrize(
    ("result", "status"), [(None, "other"), (17, "insufficientMemory"), (30, "resourcesBusy")]
)
def test_an_injected_fault_hits_its_cell_alone(kit: Kit, result: int | None, status: str) -> None:
    kit.application.command_fault = Fault(1, result)
    assert statuses(kit.ask("CS02b.supplierBySupplier", renewed())) == ["success", status, "success"]


CONTROL = [
    ({"authorising_remote_party_seq_number": 999}, "sequence number"),
    ({"credentials_replacement_mode": "rootBySupplier"}, "message code"),
    (
        {
            "authorising_remote_party_ta_cell_identifier": {
                "trust_anchor_cell_remote_party_role": "networkOperator",
                "trust_anchor_cell_key_usage": "digitalSignature",
            }
        },
        "authorising cell",
    ),
]


@pytest.mark.parametrize(("control", "what"), CONTROL, ids=[what for _, what in CONTROL])
def test_a_command_that_contradicts_itself_replaces_nothing(
    kit: Kit, control: dict[str, Any], what: str
) -> None:
    before = details(kit, "supplier")
    answer = kit.ask("CS02b.supplierBySupplier", renewed(control=control), counter=1000)
    assert statuses(answer) == ["other"] * 3
    assert cells_of(details(kit, "supplier")) == cells_of(before)
    (refused,) = [one for one in kit.trace.observations if one.event == "CommandRefused"]
    assert what in str(refused.detail["detail"])


def test_nobody_acts_for_another_role(kit: Kit) -> None:
    """The network operator may not use the supplier's mode: silence, a log entry, an alert."""
    command = kit.command("CS02b.supplierBySupplier", renewed(5), originator=OPERATOR, counter=5)
    assert kit.answer(command) is None
    assert kit.codes() == ["8F3E"]
    assert [kit.told(alert)["alert_code"] for alert in kit.alerts] == ["8F30"]


def test_a_replay_is_dropped(kit: Kit) -> None:
    command = kit.command(
        "CS02b.networkOperatorByNetworkOperator", _operator(20), originator=OPERATOR, counter=20
    )
    assert kit.answer(command) is not None
    kit.signers[OPERATOR] = _key(OPERATOR, (RemotePartyRole.NETWORK_OPERATOR, DS, MANAGEMENT))
    again = kit.command(
        "CS02b.networkOperatorByNetworkOperator", _operator(20), originator=OPERATOR, counter=20
    )
    assert kit.answer(again) is None


def _operator(counter: int, **options: Any) -> dict[str, Any]:
    cells: list[Cell] = [(RemotePartyRole.NETWORK_OPERATOR, usage, MANAGEMENT) for usage in (DS, KA)]
    replacements: list[Any] = [(fresh(AUTHORITY, OPERATOR, cell), cell) for cell in cells]
    return update("networkOperatorByNetworkOperator", counter, replacements, path=ISSUER, floor=0, **options)


# ------------------------------------------------------------------------------------------------ dated

LATER = "2026-03-10T00:00:00Z"


def test_a_dated_update_waits_and_tells_what_became_of_it(kit: Kit) -> None:
    before = cells_of(details(kit, "supplier"))
    answer = kit.ask("CS02b.supplierBySupplier", renewed(at=LATER), counter=1000)
    assert answer == {"command_accepted": None}
    assert cells_of(details(kit, "supplier")) == before
    kit.power_cut()
    kit.pass_time(timedelta(days=9))
    (alert,) = kit.alerts
    told = kit.told(alert)
    assert (told["alert_code"], told["time_stamp"]) == ("8F66", LATER)
    assert statuses(told) == ["success"] * 3
    assert alert.business_target_id == SUPPLIER
    assert cells_of(details(kit, "supplier")) != before


def test_a_dated_update_that_fails_says_so(kit: Kit) -> None:
    bad: list[Any] = [(fresh(STRANGERS, SUPPLIER, SUPPLIER_DS), SUPPLIER_DS)]
    command = update("supplierBySupplier", 1000, bad, path=ISSUER, at=LATER)
    assert kit.ask("CS02b.supplierBySupplier", command) == {"command_accepted": None}
    kit.pass_time(timedelta(days=9))
    (alert,) = kit.alerts
    assert kit.told(alert)["alert_code"] == "8F67"
    assert statuses(kit.told(alert)) == ["noTrustAnchor"]


def test_a_cancelled_update_never_happens(kit: Kit) -> None:
    before = cells_of(details(kit, "supplier"))
    kit.ask("CS02b.supplierBySupplier", renewed(1000, at=LATER), counter=1000)
    assert kit.ask("CS02b.supplierBySupplier", renewed(1001, at="never"), counter=1001) == {
        "command_accepted": None
    }
    kit.pass_time(timedelta(days=30))
    assert (kit.alerts, cells_of(details(kit, "supplier"))) == ([], before)


# ------------------------------------------------------------------------------------------- changes of hands


def changed(counter: int, **options: Any) -> dict[str, Any]:
    replacements: list[Any] = [
        (RING.find(SECOND_SUPPLIER, c[1], c[2]).certificate, c) for c in SUPPLIER_CELLS
    ]
    return update("supplierByTransCoS", counter, replacements, path=ISSUER, **options)


def test_change_of_supplier(kit: Kit) -> None:
    """SRV 6.23: the Transitional CoS hands the meter to another supplier, at a date."""
    with kit.place.work(kit.now) as work:
        kit.utrns.remember(work, 9 << 32)
    floors = [(RemotePartyRole.SUPPLIER, 500)]
    kit.ask("CS02b.supplierByTransCoS", changed(6000, at=LATER, others=floors), originator=COS, counter=6000)
    asked = {"key_usage": "digitalSignature"}
    assert kit.answer(kit.command("CS02e", asked, originator=SUPPLIER, counter=1000)) is not None
    assert kit.answer(kit.command("CS02e", asked, originator=SECOND_SUPPLIER, counter=1000)) is None
    kit.pass_time(timedelta(days=9))
    alert = kit.alerts[-1]
    assert alert.business_target_id == COS
    assert kit.told(alert)["alert_code"] == "8F66"
    # The old supplier is a stranger, the new one begins above its floor.
    assert kit.answer(kit.command("CS02e", asked, originator=SUPPLIER, counter=1001)) is None
    assert kit.answer(kit.command("CS02e", asked, originator=SECOND_SUPPLIER, counter=500)) is None
    assert kit.answer(kit.command("CS02e", asked, originator=SECOND_SUPPLIER, counter=501)) is not None
    # Alerts go to the new supplier, and codes of the old one are not credited again.
    assert kit.application.trust_anchors.party(RemotePartyRole.SUPPLIER) == SECOND_SUPPLIER
    assert (kit.utrns.refuses(500), kit.utrns.refuses(501)) == (True, False)
    kit.power_cut()
    assert kit.answer(kit.command("CS02e", asked, originator=SECOND_SUPPLIER, counter=502)) is not None


def test_a_supplier_that_comes_back_cannot_be_replayed(kit: Kit) -> None:
    """Counters of a party never go back, whatever floor somebody names."""
    command = kit.command("CS02e", {"key_usage": "digitalSignature"}, counter=1000)
    assert kit.answer(command) is not None
    zero = [(RemotePartyRole.SUPPLIER, 0)]
    kit.ask("CS02b.supplierByTransCoS", changed(6000, others=zero), originator=COS, counter=6000)
    back: list[Any] = [(RING.find(SUPPLIER, c[1], c[2]).certificate, c) for c in SUPPLIER_CELLS]
    returned = update("supplierByTransCoS", 6001, back, path=ISSUER, others=zero)
    assert (
        statuses(kit.ask("CS02b.supplierByTransCoS", returned, originator=COS, counter=6001))
        == ["success"] * 3
    )
    assert kit.answer(command) is None


def test_handover_of_a_gas_proxy_function(make_kit: Callable[..., Kit]) -> None:
    """SRV 6.21: a GPF begins with the broker in every cell; the broker puts the others in."""
    parties = {**PARTIES, RemotePartyRole.SUPPLIER: BROKER, RemotePartyRole.NETWORK_OPERATOR: BROKER}
    top_up = AUTHORITY.organisation(BROKER, RemotePartyRole.ACCESS_CONTROL_BROKER, KA, TOP_UP)
    ring = KeyRing([*RING.entries, top_up])
    kit = make_kit(DeviceType.GPF, parties=parties, ring=ring)
    replacements: list[Any] = [(RING.find(SUPPLIER, c[1], c[2]).certificate, c) for c in SUPPLIER_CELLS]
    command = update("supplierBySupplier", 1300, replacements, path=ISSUER, floor=0, top_up_floor=0)
    answer = kit.ask(
        "CS02b.supplierBySupplier", command, originator=BROKER, counter=1300, role=RemotePartyRole.SUPPLIER
    )
    assert statuses(answer) == ["success"] * 3
    told = answer["execution_outcome"]["replacement_outcomes"]
    assert {one["existing_subject_unique_id"] for one in told} == {str(BROKER)}
    assert {one["replacing_subject_unique_id"] for one in told} == {str(SUPPLIER)}
    assert kit.application.trust_anchors.party(RemotePartyRole.SUPPLIER) == SUPPLIER
