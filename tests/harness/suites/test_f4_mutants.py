"""Each kind of case can fail: a meter that is wrong in just that respect fails it.

The quirks of profiles are the wrong meters that a user can ask for, see test_f4_smoke. These here are wrong
inside, in ways that are of no use but to show that a check checks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from smetslab.devices import acceptance, cosem_engine, esme_prepay, payload
from smetslab.devices.application import Application
from smetslab.devices.clock import DeviceClock
from smetslab.devices.cosem import server
from smetslab.devices.cosem.server import ItemError
from smetslab.devices.cosem_engine import ActivationSchedule
from smetslab.devices.counters import UtrnCache
from smetslab.devices.credentials import TrustAnchorStore
from smetslab.devices.esme import Esme
from smetslab.devices.future_dated import FutureDated
from smetslab.devices.hub_relay import UpwardBuffer
from smetslab.devices.metering import EnergyMeter
from smetslab.devices.prepay.token import Genuine, Refusal, Rejected
from smetslab.devices.supply import Outcome, Supply
from smetslab.devices.work import Outgoing
from smetslab.errors import CodecError
from smetslab.gbcs.codes import Cra, RemotePartyRole
from smetslab.gbcs.dlms.apdu import DataAccessResult
from smetslab.gbcs.gbt import BlockTransfer
from smetslab.gbcs.usecases import USE_CASES, encode_content
from smetslab.gbcs.usecases.model import Protection
from smetslab.harness.runner import run_suite
from smetslab.harness.suites.f4_smoke import SUITE
from smetslab.harness.verdict import Verdict
from smetslab.lab.config import load_lab

Patch = pytest.MonkeyPatch
Mutant = Callable[[Patch], None]


def dead(patch: Patch) -> None:
    """Takes nothing."""
    patch.setattr(Esme, "receive", lambda self, data: None)


def dies_of_noise(patch: Patch) -> None:
    """Takes nothing any more after octets that are no message."""
    take = Esme._take

    def fragile(self, power, data):  # type: ignore[no-untyped-def]
        if getattr(self, "broken", False):
            return
        take(self, power, data)
        self.broken = data[:1] not in (b"\xdd", b"\xdf")

    patch.setattr(Esme, "_take", fragile)


def stuck_switch(patch: Patch) -> None:
    """Acknowledges every command to its load switch and does not move it."""
    patch.setattr(Supply, "handle", lambda self, work, event: Outcome())


def forgetful_switch(patch: Patch) -> None:
    """Comes back with its supply on."""
    init = Supply.__init__

    def fresh(self, nvm, state):  # type: ignore[no-untyped-def]
        init(self, nvm, state)
        self.state = state

    patch.setattr(Supply, "__init__", fresh)


def leaky_switch(patch: Patch) -> None:
    """Measures energy though its switch is open."""
    change = EnergyMeter.change
    patch.setattr(
        EnergyMeter, "change", lambda self, work, at, closed=None, **rest: change(self, work, at, **rest)
    )


def credits_everything(patch: Patch) -> None:
    """Credits whatever digits it is given."""
    patch.setattr(esme_prepay, "judge_token", lambda text, context, account, now: Genuine(0, 0))


def credits_nothing(patch: Patch) -> None:
    """Refuses every token."""
    patch.setattr(esme_prepay, "judge_token", lambda *arguments: Rejected(Refusal.NOT_AUTHENTIC))


def never_remembers_tokens(patch: Patch) -> None:
    """Credits a token as often as it comes."""
    patch.setattr(UtrnCache, "refuses", lambda self, counter: False)


def no_ranges(patch: Patch) -> None:
    """Takes any value."""
    patch.setattr(payload, "_judge_item", lambda *arguments: DataAccessResult.SUCCESS)
    patch.setattr(server, "in_range", lambda shape, data: True)


def narrow_ranges(patch: Patch) -> None:
    """Takes no value at the end of its range, and no long or short text."""
    judge = payload.in_range

    def narrow(shape, data):  # type: ignore[no-untyped-def]
        value = getattr(data, "value", None)
        ends = isinstance(value, int) and value in (0, 0xFFFFFFFF)
        lengths = isinstance(value, bytes) and len(value) in (1, 116)
        return judge(shape, data) and not ends and not lengths

    patch.setattr(payload, "in_range", narrow)


def lenient_reader(patch: Patch) -> None:
    """Executes what the message code asks for, whatever the content says."""
    read = cosem_engine.read_payload

    def lenient(use_case, message, judge):  # type: ignore[no-untyped-def]
        try:
            content = encode_content(use_case, message, {})
        except CodecError:
            return read(use_case, message, judge)
        return read(use_case, replace(message, content=content), judge)

    patch.setattr(cosem_engine, "read_payload", lenient)


def knows_everybody(patch: Patch) -> None:
    """Takes whoever is unknown for its supplier."""
    roles_of = TrustAnchorStore.roles_of
    patch.setattr(
        TrustAnchorStore,
        "roles_of",
        lambda self, entity: roles_of(self, entity) or (RemotePartyRole.SUPPLIER,),
    )
    key_of = TrustAnchorStore.key_of
    patch.setattr(
        TrustAnchorStore,
        "key_of",
        lambda self, entity, usage: (
            key_of(self, entity, usage) or self.public_key(RemotePartyRole.SUPPLIER, usage)
        ),
    )
    patch.setattr(acceptance.Acceptance, "_signature_is_right", lambda self, message: True)


def shifted_profile(patch: Patch) -> None:
    """Ends each half hour a minute late."""
    half_hours = EnergyMeter.half_hours
    patch.setattr(
        EnergyMeter,
        "half_hours",
        lambda self, *window: ((at + 60, energies) for at, energies in half_hours(self, *window)),
    )


def whole_profile(patch: Patch) -> None:
    """Returns the last day, whatever period it is asked for."""
    half_hours = EnergyMeter.half_hours
    patch.setattr(
        EnergyMeter,
        "half_hours",
        lambda self, now, first, last, entries: list(half_hours(self, now, None, None))[-48:],
    )


def empty_log(patch: Patch) -> None:
    """Keeps no daily reads."""
    patch.setattr("smetslab.devices.esme_logs.EsmeLogs.midnight", lambda self, work, at: None)


def cut_blocks(patch: Patch) -> None:
    """Loses every block but the first."""
    send = BlockTransfer.send

    def first_only(self, message, now):  # type: ignore[no-untyped-def]
        blocks = send(self, message, now)
        self._outgoing.clear()
        return blocks[:1]

    patch.setattr(BlockTransfer, "send", first_only)


def macs_instead_of_signing(patch: Patch) -> None:
    """Protects critical responses by a MAC."""
    patch.setattr(
        "smetslab.gbcs.usecases.model.UseCase.response_protection",
        lambda self, role: Protection(signature=False, message_mac=True),
    )


def wrong_version(patch: Patch) -> None:
    """States another firmware version than its profile."""
    read = Esme._build

    def other(self, workplace, now, off_since):  # type: ignore[no-untyped-def]
        core = read(self, workplace, now, off_since)
        with workplace.work(now) as work:
            core.server.put(work, "firmware_version", "FFFFFFFF")
        return core

    patch.setattr(Esme, "_build", other)


def one_read_only(patch: Patch) -> None:
    """Answers no octets twice, not even a read."""
    judge = acceptance.Acceptance.judge
    seen: set[bytes] = set()

    def once(self, data):  # type: ignore[no-untyped-def]
        if data in seen:
            return acceptance.Refused(reason="not-a-message")
        seen.add(data)
        return judge(self, data)

    patch.setattr(acceptance.Acceptance, "judge", once)


def stubborn_clock(patch: Patch) -> None:
    """Never becomes reliable again."""
    set_from_hub = DeviceClock.set_from_hub
    patch.setattr(
        DeviceClock,
        "set_from_hub",
        lambda self, work, hub_time, first, last: set_from_hub(self, work, None, first, last),
    )


def cancels_only_what_waits(patch: Patch) -> None:
    """Refuses a cancellation with nothing to cancel."""
    set_activation = ActivationSchedule.set_activation

    def refusing(self, call, trigger, octets):  # type: ignore[no-untyped-def]
        if octets[:2] == b"\xff\xff" and not self._future_dated.waiting:
            raise ItemError(DataAccessResult.OTHER_REASON, "nothing waits")
        return set_activation(self, call, trigger, octets)

    patch.setattr(ActivationSchedule, "set_activation", refusing)


def mixed_dates(patch: Patch) -> None:
    """Does not compare the dates of one command."""
    patch.setattr(payload, "_different_times", lambda apdu, present: None)


def impatient(patch: Patch) -> None:
    """Activates future-dated values half an hour early."""
    early = timedelta(minutes=30)
    due, deadline = FutureDated.due, Application.next_deadline
    patch.setattr(FutureDated, "due", lambda self, time: due(self, time + early))

    def earlier(self):  # type: ignore[no-untyped-def]
        moment = deadline(self)
        return None if moment is None else moment - early

    patch.setattr(Application, "next_deadline", earlier)


def logs_nothing(patch: Patch) -> None:
    """Refuses in silence, and tells neither log nor supplier."""
    quiet = {
        reason: replace(consequence, log=(), alerts=())
        for reason, consequence in acceptance.CONSEQUENCES.items()
    }
    patch.setattr(acceptance, "CONSEQUENCES", quiet)


def answers_under_another_counter(patch: Patch) -> None:
    """Answers what is not authentic, but in a way that no exchange takes for its response."""
    refuse = Application._refuse

    def talkative(self, refused, data, now):  # type: ignore[no-untyped-def]
        refuse(self, refused, data, now)
        if refused.message is not None and not refused.authentic:
            header = replace(
                self.scribe.response_header(refused.message, USE_CASES["ECS45"], now, None),
                originator_counter=refused.message.originator_counter + 7,
                cra=Cra.RESPONSE,
            )
            octets = self.scribe.response(header, b"\x00", Protection(signature=False, message_mac=True))
            with self._place.work(now) as work:
                work.send(
                    Outgoing(data=octets, target=header.business_target_id, event="ResponseSent", detail={})
                )

    patch.setattr(Application, "_refuse", talkative)


def forgetful_hub(patch: Patch) -> None:
    """A hub that keeps the latest message alone while the WAN is down."""
    add = UpwardBuffer.add

    def keep_one(self, octets, kind):  # type: ignore[no-untyped-def]
        dropped = add(self, octets, kind)
        del self._waiting[:-1]
        return dropped

    patch.setattr(UpwardBuffer, "add", keep_one)


MUTANTS: tuple[tuple[Mutant, tuple[str, ...]], ...] = (
    (dies_of_noise, ("NOISE-IN-THE-TUNNEL",)),
    (stuck_switch, ("ECS43-ECS44-ECS42-SUPPLY", "ECS43-DISABLED-OVER-POWER-CUT", "ECS43-NO-IMPORT")),
    (forgetful_switch, ("ECS43-DISABLED-OVER-POWER-CUT",)),
    (leaky_switch, ("ECS43-NO-IMPORT",)),
    (credits_everything, ("CS01a-NOT-AUTHENTIC", "CS01a-CHECK-DIGIT", "CS01a-OTHER-COUNTER")),
    (credits_everything, ("CS01a-BEYOND-MAXIMUM", "CS01a-REUSED-TOKEN")),
    (credits_nothing, ("CS01a-TOP-UP", "CS01a-NO-CREDIT", "CS01a-ONE-POUND", "CS01a-CHECK-DIGIT")),
    (never_remembers_tokens, ("CS01a-REUSED-TOKEN", "CS01a-REPLAY")),
    (no_ranges, ("ECS10-TOO-LONG",)),
    (narrow_ranges, ("ECS10-ONE-CHARACTER", "ECS10-LONGEST", "ECS28a-LOWEST", "ECS28a-HIGHEST")),
    (lenient_reader, ("ECS45-MALFORMED-TRUNCATED", "ECS17a-MALFORMED-TRAILING-BYTE")),
    (lenient_reader, ("ECS24-MALFORMED-NOISE", "ECS52-MALFORMED-LONG-LENGTH", "ECS43-MALFORMED-INVOKE-ID")),
    (knows_everybody, ("ECS17b-UNKNOWN-PARTY", "ECS43-UNKNOWN-PARTY", "ECS52-UNKNOWN-PARTY")),
    (shifted_profile, ("ECS22b-HALF-HOURS", "ECS22b-ONE-INSTANT")),
    (whole_profile, ("ECS22b-EMPTY-WINDOW", "ECS22b-ONE-INSTANT", "ECS22b-INVERTED-WINDOW")),
    (empty_log, ("ECS21a-LONG-LOG", "ECS21a-READ")),
    (cut_blocks, ("ECS21a-LONG-LOG",)),
    (macs_instead_of_signing, ("ECS42-CRITICAL", "ECS70-CRITICAL", "ECS28a-CRITICAL")),
    (wrong_version, ("ECS52-READ",)),
    (one_read_only, ("ECS17b-REPEATED-READ", "ECS45-REPEATED-READ", "ECS52-REPEATED-READ")),
    (stubborn_clock, ("ECS70-SET-CLOCK", "ECS70-INTERVAL-PAST")),
    (cancels_only_what_waits, ("ECS28a-CANCEL-NOTHING",)),
    (mixed_dates, ("ECS28a-UNEQUAL-DATES",)),
    (impatient, ("ECS28a-FUTURE",)),
    (logs_nothing, ("ECS43-WRONG-MAC", "ECS43-WRONG-SIGNATURE", "ECS43-WRONG-ROLE", "ECS43-LOWER-COUNTER")),
    (logs_nothing, ("ECS43-NO-SIGNATURE", "ECS43-UNKNOWN-PARTY", "ECS43-COUNTER-OVER-POWER-CUT")),
    (forgetful_hub, ("ALERTS-OVER-WAN-OUTAGE",)),
    (answers_under_another_counter, ("ECS45-WRONG-MAC", "ECS43-NO-MAC")),
)
"""What is wrong, and the cases that find it."""


def test_a_dead_meter_passes_no_case_that_is_about_it(monkeypatch: Patch, tmp_path: Path) -> None:
    """What is not done by a meter that does nothing is no proof of anything."""
    dead(monkeypatch)
    lab_file = tmp_path / "lab.toml"
    lab_file.write_bytes(load_lab().source_text.replace(b'kind = "radio"', b'kind = "direct"'))
    result = run_suite(SUITE, SUITE.prepare(lab_file), 7)
    not_failed = {entry.case for entry in result.results if entry.verdict is not Verdict.FAIL}
    assert not_failed == {"ECS52-READ-chf", "ECS80-INTERRUPTION"}, "what it is not asked for it still tells"


@pytest.mark.parametrize(
    ("mutant", "ids"), MUTANTS, ids=[f"{mutant.__name__}-{ids[0]}" for mutant, ids in MUTANTS]
)
def test_a_meter_that_is_wrong_in_this_fails_these(
    mutant: Mutant, ids: tuple[str, ...], monkeypatch: Patch
) -> None:
    cases = [case for case in SUITE.cases if case.id in ids]
    assert len(cases) == len(ids)
    mutant(monkeypatch)
    result = run_suite(SUITE, SUITE.prepare(None), 7, cases=cases)
    found = {entry.case: (entry.verdict, entry.reason) for entry in result.results}
    assert {name: verdict for name, (verdict, _) in found.items()} == dict.fromkeys(ids, Verdict.FAIL), found
