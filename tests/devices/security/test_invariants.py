"""Credentials, pairing and firmware through random commands, replays, faults, power cuts and passing time.

I5: a replay of what was accepted is rejected. I10: a device that was restored answers as before.
I17: counters never go back. I18: what a response acknowledged survives a power cut at the next instant.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from security_kit import (
    AUTHORITY,
    BROKER,
    PARTIES,
    RING,
    SUPPLIER_CELLS,
    Kit,
    fresh,
    update,
)

from smetslab.devices.payload_engine import Fault
from smetslab.devices.security.firmware_store import FirmwareRules, HeldImage
from smetslab.devices.security.installed import SecuritySettings
from smetslab.gbcs.codes import RemotePartyRole
from smetslab.gbcs.values import utc_text
from smetslab.ids import Eui64
from smetslab.store import Store

ISSUER = (AUTHORITY.issuing.certificate,)
COS = PARTIES[RemotePartyRole.TRANSITIONAL_COS]
SUPPLIERS = (PARTIES[RemotePartyRole.SUPPLIER], Eui64.parse("90B3D51F30030000"))
DEVICES = tuple(Eui64(bytes(7) + bytes((n,))) for n in range(1, 5))
IMAGE = HeldImage(image_hash=bytes(32), version=bytes.fromhex("00000002"))


class Life(RuleBasedStateMachine):
    """One meter, two suppliers, and whatever happens to it."""

    def __init__(self) -> None:
        super().__init__()
        self.store = Store()
        self.store.__enter__()
        self.counter = 1
        self.accepted: list[bytes] = []
        """Commands that were executed."""
        self.counters: dict[Any, int] = {}

    @initialize()
    def begin(self) -> None:
        rules = FirmwareRules(version=bytes.fromhex("00000001"), held=IMAGE)
        self.kit = Kit(self.store, settings=SecuritySettings(firmware=rules))

    def teardown(self) -> None:
        self.store.__exit__(None, None, None)

    # ---------------------------------------------------------------------------- what may happen

    def next_counter(self) -> int:
        self.counter += 1
        return self.counter

    @property
    def supplier(self) -> Eui64:
        party = self.kit.application.trust_anchors.party(RemotePartyRole.SUPPLIER)
        assert party is not None
        return party

    def tell(self, name: str, parameters: dict[str, Any], originator: Eui64) -> None:
        data = self.kit.command(name, parameters, originator=originator, counter=self.counter)
        if self.kit.answer(data) is not None:
            # I18: the power goes right after the answer has left.
            acknowledged = self.seen()
            self.kit.power_cut()
            assert self.seen() == acknowledged
            self.accepted.append(data)

    def seen(self) -> Any:
        """Everything that the device shows of itself."""
        kit = self.kit
        return (
            [(cell.name, cell.entity_id, cell.key_id) for cell in kit.application.trust_anchors.cells],
            [(entry.device, entry.device_type) for entry in kit.security.log.entries],
            (kit.security.firmware.store.version, kit.security.firmware.store.held),
            [(one.key, one.at, one.counter) for one in kit.application.future_dated.waiting],
            kit.application.keys.ds.public,
            kit.application.execution_counters.items(),
        )

    @rule(own=st.booleans(), later=st.sampled_from(("immediate", "later", "never")))
    def renew(self, own: bool, later: str) -> None:
        """The supplier renews its certificates, or forgets to whom they belong."""
        party = self.supplier if own else SUPPLIERS[0]
        counter = self.next_counter()
        replacements: list[Any] = [(fresh(AUTHORITY, party, cell, 0), cell) for cell in SUPPLIER_CELLS]
        at = utc_text(self.kit.now + timedelta(hours=5)) if later == "later" else later
        command = update("supplierBySupplier", counter, replacements, path=ISSUER, floor=0, at=at)
        self.tell("CS02b.supplierBySupplier", command, party)

    @rule(party=st.sampled_from(SUPPLIERS), floor=st.integers(0, 3), later=st.booleans())
    def hand_over(self, party: Eui64, floor: int, later: bool) -> None:
        counter = self.next_counter()
        cells: list[Any] = [(RING.find(party, cell[1], cell[2]).certificate, cell) for cell in SUPPLIER_CELLS]
        at = utc_text(self.kit.now + timedelta(hours=3)) if later else "immediate"
        others = [(RemotePartyRole.SUPPLIER, floor)]
        command = update("supplierByTransCoS", counter, cells, path=ISSUER, others=others, at=at)
        self.tell("CS02b.supplierByTransCoS", command, COS)

    @rule(device=st.sampled_from(DEVICES), kind=st.sampled_from(("ppmid", "hcalcs")))
    def pair(self, device: Eui64, kind: str) -> None:
        self.next_counter()
        asked = {
            "join_method_and_role": "methodAInitiator",
            "other_device_entity_identifier": str(device),
            "other_device_type": kind,
        }
        self.tell("CS03A1", asked, self.supplier)

    @rule(device=st.sampled_from(DEVICES))
    def part(self, device: Eui64) -> None:
        self.next_counter()
        self.tell("CS04AC", {"other_device_entity_identifier": str(device)}, self.supplier)

    @rule(right=st.booleans(), later=st.booleans())
    def activate(self, right: bool, later: bool) -> None:
        counter = self.next_counter()
        asked = {
            "manufacturer_image_hash": (bytes(32) if right else b"\x01" * 32).hex().upper(),
            "originator_counter": counter,
            "execution_date_time": utc_text(self.kit.now + timedelta(hours=4)) if later else "immediate",
        }
        self.tell("CS06", asked, self.supplier)

    @rule(item=st.integers(-1, 3))
    def break_next(self, item: int) -> None:
        self.kit.application.command_fault = Fault(item)

    @rule(hours=st.integers(1, 6))
    def wait(self, hours: int) -> None:
        self.kit.pass_time(timedelta(hours=hours))

    @rule()
    def power_cut(self) -> None:
        """I10."""
        before = self.seen()
        self.kit.power_cut()
        assert self.seen() == before

    @rule(data=st.data())
    def replay(self, data: st.DataObject) -> None:
        """I5."""
        if not self.accepted:
            return
        command = data.draw(st.sampled_from(self.accepted))
        before = self.seen()
        assert self.kit.answer(command) is None
        assert self.seen() == before

    @rule()
    def read(self) -> None:
        """A read never fails and shows what is there."""
        self.next_counter()
        asked = {
            "authorising_remote_party_ta_cell_identifier": {
                "trust_anchor_cell_remote_party_role": "accessControlBroker",
                "trust_anchor_cell_key_usage": "keyAgreement",
            },
            "remote_party_roles_credentials_required": ["supplier"],
        }
        self.kit.application.command_fault = None
        answer: Any = self.kit.ask("CS02a", asked, originator=BROKER, counter=self.counter)
        (told,) = answer["remote_party_details"]
        cells = told["trust_anchor_cells_details"]
        assert {one["existing_subject_unique_id"] for one in cells} <= {str(party) for party in SUPPLIERS}

    @invariant()
    def counters_never_go_back(self) -> None:
        """I17."""
        if not hasattr(self, "kit"):
            return
        for party, family, value in self.kit.application.execution_counters.items():
            assert value >= self.counters.get((party, family), 0)
            self.counters[party, family] = value


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=8, stateful_step_count=25, deadline=None)
