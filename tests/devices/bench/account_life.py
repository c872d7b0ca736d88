"""Random lives of a meter that is paid in advance, each step of which is reconciled with a ledger.

What a meter of a fuel adds to `AccountLife` is how its commands are put and how its figures are found.
Commands are made from the elements of service requests, as the DCC makes them.

I2: the registers of rates add up to the import. I6: emergency credit remaining and owed is its limit. I7: no
code lifts the balance above its maximum. I8: no supply while there is a cause, in and outside of a
non-disablement calendar. I11: new firmware changes its version alone. I13: debts paid and remaining are debts
set. I15: no energy is lost or made over a power cut. I16: the account is conserved, to the thousandth of a
penny. I18: what was acknowledged survives a power cut at the next instant.
"""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from household_ledger import AccountLedger
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from smetslab import resources
from smetslab.crypto import PublicKey
from smetslab.devices.security.firmware_store import FirmwareRules
from smetslab.devices.security.installed import SecuritySettings
from smetslab.duis.srv import Context, find, read_body, to_parameters, write_body
from smetslab.firmware import Target
from smetslab.gbcs.values import Parameters
from smetslab.ids import Eui64

FIRST_LIMIT, EMERGENCY_THRESHOLD, THRESHOLD = 400_000, 200_000, -50_000
FOLDER = Path(str(resources.firmware_images()))
MANIFEST = json.loads((FOLDER / "manifest.json").read_text(encoding="utf-8"))
MOST = 3_000_000
"""The maximum balance."""
SPANS = st.sampled_from([timedelta(seconds=7), timedelta(minutes=50), timedelta(hours=13), timedelta(days=2)])


def maker(image_type: int, meter: Eui64) -> SecuritySettings:
    """What lets a meter take the firmware images of the project."""
    target = Target(manufacturer_code=0xFFF1, image_type=image_type, hardware_version=1, eui64=meter)
    makers = (PublicKey(bytes.fromhex(MANIFEST["maker_public_key"])),)
    rules = FirmwareRules(version=bytes.fromhex("00010000"), target=target, makers=makers)
    return SecuritySettings(firmware=rules)


def parameters_of(variant: str, use_case: str, elements: dict[str, Any], now: datetime) -> Parameters:
    """Of the command that a service request becomes."""
    row = find(variant)
    assert row is not None
    [mapping] = [one for one in row.mappings if one.use_case.name == use_case]
    body = read_body(row, write_body(row, elements))
    return to_parameters(mapping, body, Context(now=now, originator_counter=1))


class AccountLife(RuleBasedStateMachine):
    """One meter and its ledger."""

    make: Callable[..., Any]
    bench: Any
    ledger: AccountLedger

    @initialize()
    def begin(self) -> None:
        self.codes = 0
        self.fit()
        self.updated = False

    # ------------------------------------------------------------------------ of one fuel

    @abstractmethod
    def fit(self) -> None:
        """A meter, with tariff, rules and debts by commands, and a ledger of the same."""

    @abstractmethod
    def command(self, variant: str, elements: dict[str, Any]) -> bool:
        """A command that carries out a service request; False when the meter says that it has not."""

    @abstractmethod
    def enter(self, pence: int, *, by_command: bool) -> bool:
        """The next code; True when it was credited."""

    @abstractmethod
    def tariff(self, prices: tuple[int, ...], standing: int, kind: int) -> None:
        """New prices and a new calendar, on both sides."""

    @abstractmethod
    def configuration(self, limit: int) -> dict[str, Any]:
        """The elements of 2.1, with a non-disablement calendar."""

    @abstractmethod
    def debts(self, added: tuple[int, int, int]) -> None:
        """2.3, on both sides."""

    @abstractmethod
    def select_emergency_credit(self) -> bool: ...

    @abstractmethod
    def want_supply(self) -> None:
        """Somebody at the meter asks for supply, on both sides."""

    @abstractmethod
    def figures(self) -> dict[str, Any]:
        """What the meter has."""

    @abstractmethod
    def expected(self) -> dict[str, Any]:
        """What it must have."""

    @abstractmethod
    def change_firmware(self) -> None:
        """An image comes, and a command lets it run."""

    @abstractmethod
    def shown(self) -> dict[str, Any]:
        """Everything of the meter that new firmware must leave alone, and the version."""

    # ------------------------------------------------------------------------ what happens

    def reach(self) -> None:
        """The ledger goes on to the present."""
        self.ledger.run(self.bench.now)

    @rule(span=SPANS)
    def time_goes_by(self, span: timedelta) -> None:
        before = self.ledger.supply
        spared = self.ledger.spared(self.bench.now) and self.ledger.spared(self.bench.now + span)
        self.bench.pass_time(span)
        self.reach()
        if before and spared and span < timedelta(days=1):
            assert self.ledger.supply, "nobody is cut off in the middle of a non-disablement period"
        assert before or not self.ledger.supply, "supply came back by itself (I8)"

    @rule(span=SPANS)
    def power_cut(self, span: timedelta) -> None:
        """I15. The meter has worked out nothing since its last event when the power goes."""
        self.reach()
        self.bench.power_cut(span)
        self.ledger.cut(self.bench.now)

    @rule(pence=st.integers(0, 2_000), by_command=st.booleans(), cut=st.booleans())
    def top_up(self, pence: int, by_command: bool, cut: bool) -> None:
        self.codes += 1
        self.reach()
        before = self.ledger.worth
        if self.enter(pence, by_command=by_command):
            paid = self.ledger.payment_debt
            self.ledger.top_up(pence * 1_000)
            repaid = paid - self.ledger.payment_debt
            assert self.ledger.worth - before == pence * 1_000 - repaid, "I16"
            assert self.ledger.balance <= MOST, "I7"
        if cut:
            self.bench.power_cut(timedelta())

    @rule()
    def emergency_credit(self) -> None:
        self.reach()
        assert self.select_emergency_credit() == self.ledger.activate()

    @rule()
    def enable(self) -> None:
        self.reach()
        self.want_supply()

    @rule(first=st.integers(1_000, 30_000), standing=st.integers(0, 30_000), kind=st.integers(0, 2))
    def new_tariff(self, first: int, standing: int, kind: int) -> None:
        self.reach()
        self.tariff((first, first // 2, first // 3), standing, kind)

    @rule(limit=st.integers(0, 600_000))
    def new_rules(self, limit: int) -> None:
        """What is owed of emergency credit stays owed."""
        self.reach()
        assert self.command("2.1", self.configuration(limit))
        self.ledger.configure(limit=limit, emergency_threshold=EMERGENCY_THRESHOLD, weekly_cap=60_000)

    @rule(first=st.integers(0, 50_000), second=st.integers(0, 50_000), at_payment=st.integers(0, 100_000))
    def more_debt(self, first: int, second: int, at_payment: int) -> None:
        self.reach()
        self.debts((first, second, at_payment))

    @rule()
    def new_firmware(self) -> None:
        """I11."""
        if self.updated:
            return
        self.updated = True
        self.reach()
        before = self.shown()
        self.change_firmware()
        after = self.shown()
        assert before.pop("version") != after.pop("version")
        assert after == before

    # ------------------------------------------------------------------------ what holds

    @invariant()
    def every_figure_is_that_of_the_ledger(self) -> None:
        if hasattr(self, "ledger"):
            self.reach()
            assert self.figures() == self.expected()

    @invariant()
    def debts_are_conserved(self) -> None:
        """I13."""
        if hasattr(self, "ledger"):
            assert self.ledger.conserved


def common(ledger: AccountLedger) -> dict[str, Any]:
    """What a meter of either fuel must have."""
    return {
        "balance": ledger.balance,
        "emergency": ledger.emergency_shown,
        "owed": ledger.limit - ledger.emergency_shown,
        "accumulated": ledger.accumulated,
        "payment debt": ledger.payment_debt,
        "time debts": ledger.debts,
        "supply": "ENABLED" if ledger.supply else "ARMED" if ledger.armed else "DISABLED",
        "causes": ledger.cause,
    }
