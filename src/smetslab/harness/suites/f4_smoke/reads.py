"""Reads: each use case through the DCC, as the service user whose right it is.

Spec: SEC F4.3 (devices answer the DCC's Commands), F4.5 (interrogate, obtain data).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise

from smetslab.gbcs.gbt import is_block
from smetslab.gbcs.usecases import USE_CASES
from smetslab.gbcs.values import Value, dig, list_at, number_at
from smetslab.harness.case import case, case_family, check, require, step
from smetslab.harness.suites.f4_smoke.bench import SmokeBench, parse_time

HALF_HOUR = timedelta(minutes=30)
MAX_HALF_HOUR_WH = 11_500
"""100 A at 230 V for half an hour: no single-phase meter can truly record more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """One read: its Service Reference Variant and who sends it. `log` is where the entries of the last `days`
    stand in the response.
    """

    use_case: str
    srv: str
    user: str = "supplier"
    days: int = 0
    log: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        return f"{self.use_case}-READ" + ("" if self.user == "supplier" else f"-{self.user}")

    @property
    def title(self) -> str:
        return USE_CASES[self.use_case].title

    @property
    def who(self) -> str:
        return self.user.replace("_", " ")


READERS = (
    Reader(use_case="ECS17a", srv="4.2", user="network_operator"),
    Reader(use_case="ECS17b", srv="4.1.1"),
    Reader(use_case="ECS17b", srv="4.1.1", user="network_operator"),
    Reader(use_case="ECS21a", srv="4.6.1", days=3, log=("read_log_period", "daily_read_log")),
    Reader(use_case="ECS22b", srv="4.8.1", days=1, log=("read_log_period", "active_energy_imported_log")),
    Reader(use_case="ECS24", srv="4.11.1"),
    Reader(use_case="ECS26a", srv="4.13"),
    Reader(use_case="ECS45", srv="7.4"),
    Reader(use_case="ECS45", srv="7.4", user="network_operator"),
    Reader(use_case="ECS52", srv="11.2"),
)


@case_family(
    "{row.id}",
    rows=READERS,
    version=1,
    title="{row.use_case}: {row.title}, asked by the {row.who}",
    kind="positive read",
    obligations=("F4.3-C1", "F4.5-C2"),
    use_cases=("{row.use_case}",),
)
async def read_is_answered(bench: SmokeBench, row: Reader) -> None:
    """The read goes through the DCC and comes back with every value of the use case and no failed item."""
    elements: dict[str, Value] = {}
    if row.days:
        start = bench.now_text(-timedelta(days=row.days))
        elements = {"ReadLogPeriod": {"StartDateTime": start, "EndDateTime": bench.now_text()}}
    with step(f"SRV {row.srv} through the DCC"):
        mark = bench.trace.next_sequence
        response = await bench.request(row.srv, elements, user=getattr(bench, row.user))
        proof = bench.proof(mark)
        check("no item failed", response.parameters.get("failures"), equals=None, spec="GBCS 7.3", of=proof)
        check("values came back", len(response.parameters), at_least=1, of=proof)
        if row.log:
            entries = list_at(response.parameters, *row.log)
            check("the log has an entry for each day at least", len(entries), at_least=row.days, of=proof)
        if row.use_case == "ECS52":
            check(
                "the version is the one that the profile states",
                response.parameters.get("firmware_version"),
                equals=bench.meter.profile.identity.firmware_version,
                of=proof,
            )


@case(
    "ECS52-READ-chf",
    version=1,
    title="ECS52: the hub's firmware version, asked by the supplier through the access control broker",
    kind="positive read",
    obligations=("F4.2-C1", "F4.5-C2"),
    use_cases=("ECS52",),
)
async def hub_firmware_version(bench: SmokeBench) -> None:
    """The supplier is unknown to the hub, so the broker asks on its behalf and the response names both."""
    with step("SRV 11.2 to the hub"):
        mark = bench.trace.next_sequence
        response = await bench.request("11.2", target=bench.hub)
        proof = bench.proof(mark)
        message = response.message
        require("a response message came", message is not None, equals=True, of=proof)
        if message is None:
            return
        other = message.other_information
        check(
            "the broker is the recipient",
            message.business_target_id,
            equals=bench.lab.dcc.broker.identity,
            of=proof,
        )
        check(
            "the supplier is named as supplementary remote party",
            other.supplementary_remote_party_id,
            equals=bench.supplier.party,
            spec="GBCS 7.2.7",
            of=proof,
        )
        check(
            "the version is the one that the profile states",
            response.parameters.get("firmware_version"),
            equals=bench.lab.hubs[bench.hub].profile.identity.firmware_version,
            of=proof,
        )


@case(
    "ECS17b-REGISTER-ADVANCES",
    version=1,
    title="ECS17b, ECS22b: the import register advances by what the half-hour profile says",
    kind="consistency",
    obligations=("F4.1-C2", "F4.5-C4"),
    use_cases=("ECS17b", "ECS22b"),
)
async def register_agrees_with_profile(bench: SmokeBench) -> None:
    """Two reads of the register, a day apart, and the profile between them tell the same energy."""
    with step("the supply is enabled"):
        require("state", await bench.supply_state(), equals="Enabled")
    with step("at a half-hour, read the import register"):
        await _to_next_half_hour(bench)
        start = bench.now_text()
        before = await bench.import_wh()
    with step("a day later, read it again"):
        await bench.wait(timedelta(days=1))
        await _to_next_half_hour(bench)
        end = bench.now_text()
        after = await bench.import_wh()
    with step("read the profile of the time between"):
        entries = await _profile(bench, start, end)
        total = sum(number_at(entry, "primary_value") for entry in entries[1:])
        check("the house used energy", after - before, at_least=1)
        check(
            "the register agrees with the profile to a few watt-hours",
            abs(after - before - total),
            at_most=len(entries),
        )


@case(
    "ECS22b-HALF-HOURS",
    version=1,
    title="ECS22b: one entry for each half-hour of a day, in order, of a plausible size",
    kind="consistency",
    obligations=("F4.1-C2", "F4.5-C4"),
    use_cases=("ECS22b",),
)
async def profile_has_every_half_hour(bench: SmokeBench) -> None:
    """Entries stand at the half-hours, both ends of the period included."""
    with step("read one day of the profile"):
        await _to_next_half_hour(bench)
        end = bench.clock.now().replace(microsecond=0, second=0)
        entries = await _profile(bench, bench.now_text(-timedelta(days=1)), bench.now_text())
        stamps = [parse_time(dig(entry, "timestamp")) for entry in entries]
        check("49 entries, both ends included", len(stamps), equals=49, spec="GBCS use case ECS22b")
        gaps = {(later - earlier).total_seconds() for earlier, later in pairwise(stamps)}
        check("half an hour lies between neighbours", sorted(gaps), equals=[HALF_HOUR.total_seconds()])
        check("the last entry is of the end of the period", stamps[-1], equals=end)
        check(
            "no entry is impossible",
            max(number_at(entry, "primary_value") for entry in entries),
            at_most=MAX_HALF_HOUR_WH,
        )


@case(
    "ECS22b-EMPTY-WINDOW",
    version=1,
    title="ECS22b: a period before the first entry gives an empty log, not an error",
    kind="boundary",
    obligations=("F4.3-C6",),
    use_cases=("ECS22b",),
)
async def empty_window(bench: SmokeBench) -> None:
    with step("read a day of the year 2001"):
        entries = await _profile(bench, "2001-01-01T00:00:00Z", "2001-01-02T00:00:00Z")
        check("no entries", len(entries), equals=0)


@case(
    "ECS22b-ONE-INSTANT",
    version=1,
    title="ECS22b: a period of one instant gives the one entry of that instant",
    kind="boundary",
    obligations=("F4.3-C6",),
    use_cases=("ECS22b",),
)
async def one_instant(bench: SmokeBench) -> None:
    with step("ask for the half-hour that has just ended and nothing else"):
        await _to_next_half_hour(bench)
        moment = bench.now_text()
        entries = await _profile(bench, moment, moment)
        check("one entry", [dig(entry, "timestamp") for entry in entries], equals=[moment])


@case(
    "ECS22b-INVERTED-WINDOW",
    version=1,
    title="ECS22b: a period that ends before it starts gives an empty log",
    kind="boundary",
    obligations=("F4.3-C6",),
    use_cases=("ECS22b",),
)
async def inverted_window(bench: SmokeBench) -> None:
    with step("ask for a period of minus one day"):
        entries = await _profile(bench, bench.now_text(), bench.now_text(-timedelta(days=1)))
        check("no entries", len(entries), equals=0)


@case(
    "ECS21a-LONG-LOG",
    version=1,
    title="ECS21a: a month of daily reads, longer than one transfer can carry, arrives whole",
    kind="boundary",
    obligations=("F4.3-C6", "F4.5-C4"),
    use_cases=("ECS21a",),
)
async def long_log_arrives_whole(bench: SmokeBench) -> None:
    """The response has some ten thousand octets, so it comes in blocks. Spec: GBCS 7.2.11."""
    with step("read 31 days of the daily read log"):
        mark = bench.trace.next_sequence
        period: dict[str, Value] = {
            "StartDateTime": bench.now_text(-timedelta(days=31)),
            "EndDateTime": bench.now_text(),
        }
        response = await bench.request("4.6.1", {"ReadLogPeriod": period})
        log = list_at(response.parameters, "read_log_period", "daily_read_log")
        check("an entry for each day", len(log), at_least=30, of=bench.proof(mark))
        blocks = [o for o in bench.proof(mark) if o.source == str(bench.hub) and is_block(o.data)]
        check("it came in blocks", len(blocks), at_least=2, spec="GBCS 7.2.11", of=blocks)
        totals = [number_at(entry, "active_import_register") for entry in log]
        check("the register never runs backwards", totals, equals=sorted(totals), of=bench.proof(mark))


@case(
    "ECS17b-SEALED",
    version=1,
    title="ECS17b: the registers travel encrypted, and only the asking party can open them",
    kind="confidentiality",
    obligations=("F4.3-C1",),
    use_cases=("ECS17b",),
)
async def registers_travel_sealed(bench: SmokeBench) -> None:
    """The octets of the register's value do not stand in the message in clear. Spec: GBCS 8.4."""
    with step("read the import register"):
        mark = bench.trace.next_sequence
        response = await bench.request("4.1.1")
        proof = bench.proof(mark)
        require("a response message came", response.message is not None, equals=True, of=proof)
        if response.message is None:
            return
        value = number_at(response.parameters, "import_registers", "import_register_collection", "active")
        clear = b"\x06" + value.to_bytes(4, "big")
        check(
            "the value is not in clear",
            clear in response.message.content,
            equals=False,
            spec="GBCS 8.4",
            of=proof,
        )
        check(
            "another party cannot open it",
            bench.can_open(response.message, bench.network_operator.party),
            equals=False,
            spec="GBCS 8.4",
            of=proof,
        )


@case_family(
    "{row.use_case}-REPEATED-READ",
    rows=(
        Reader(use_case="ECS17b", srv="4.1.1"),
        Reader(use_case="ECS45", srv="7.4"),
        Reader(use_case="ECS52", srv="11.2"),
    ),
    version=1,
    title="{row.use_case}: a read is not replay protected, so the same octets are answered twice",
    kind="repeated read",
    obligations=("F4.3-C4",),
    use_cases=("{row.use_case}",),
)
async def repeated_read_is_answered(bench: SmokeBench, row: Reader) -> None:
    message = bench.command(row.use_case)
    with step("send the read"):
        first = await bench.answered(message)
    with step("send the very same octets again"):
        second = await bench.answered(message)
        check("the same values are named", sorted(second), equals=sorted(first))


async def _profile(bench: SmokeBench, start: str, end: str) -> list[Value]:
    """The entries of the half-hour profile of a period, both ends included."""
    period: dict[str, Value] = {"StartDateTime": start, "EndDateTime": end}
    response = await bench.request("4.8.1", {"ReadLogPeriod": period})
    return list_at(response.parameters, "read_log_period", "active_energy_imported_log")


async def _to_next_half_hour(bench: SmokeBench) -> None:
    """Wait until just after the next half-hour has been recorded."""
    now = bench.clock.now()
    await bench.wait(HALF_HOUR - timedelta(seconds=now.timestamp() % HALF_HOUR.total_seconds()))
