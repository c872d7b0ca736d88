"""Commands that change something: supply, clock, message, load limit, top-up.

Spec: SEC F4.3, F4.5 (send); GBCS use cases ECS10, ECS28a, ECS42 to ECS44, ECS70, CS01a.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from smetslab.gbcs.usecases import USE_CASES
from smetslab.gbcs.utrn import ValueClass, check_digit
from smetslab.gbcs.values import Value, date_time_value
from smetslab.harness.case import case, case_family, check, require, step
from smetslab.harness.suites.f4_smoke.bench import SmokeBench, parse_time

MAX_MESSAGE_LENGTH = 116

LOAD_LIMIT_ELEMENTS: dict[str, Value] = {
    "LoadLimitPeriod": 300,
    "LoadLimitPowerThreshold": 6900,
    "LoadLimitRestorationPeriod": 30,
    "LoadLimitSupplyState": "Unchanged",
}


@case(
    "ECS43-ECS44-ECS42-SUPPLY",
    version=1,
    title="ECS43, ECS44, ECS42: the load switch opens, arms and closes, and ECS45 shows each state",
    kind="critical command",
    obligations=("F4.3-C1", "F4.5-C1", "F4.1-C2"),
    use_cases=("ECS42", "ECS43", "ECS44", "ECS45"),
)
async def load_switch(bench: SmokeBench) -> None:
    with step("the supply is enabled"):
        require("state", await bench.supply_state(), equals="Enabled")
    for srv, what, state in (
        ("7.2", "open", "Disabled"),
        ("7.3", "arm", "Armed"),
        ("7.1", "close", "Enabled"),
    ):
        with step(f"{what} the load switch (SRV {srv})"):
            response = await bench.request(srv)
            check("no item failed", response.parameters.get("failures"), equals=None)
            check("state", await bench.supply_state(), equals=state)


@case_family(
    "{row}-CRITICAL",
    rows=("ECS42", "ECS43", "ECS44", "ECS70", "ECS28a"),
    version=1,
    title="{row}: signed by the user, MACed by the broker, the critical command is answered signed",
    kind="critical command",
    obligations=("F4.3-C1", "F4.5-C1"),
    use_cases=("{row}",),
)
async def critical_command(bench: SmokeBench, row: str) -> None:
    """The whole way: transform by the DCC, signature by the user, MAC by the broker, signature by the
    device."""
    srv = {"ECS42": "7.1", "ECS43": "7.2", "ECS44": "7.3", "ECS70": "6.11", "ECS28a": "6.4.1"}[row]
    elements: dict[str, dict[str, Value]] = {
        "ECS70": {"CurrentDateTime": bench.now_text(), "TolerancePeriod": 60},
        "ECS28a": LOAD_LIMIT_ELEMENTS,
    }
    with step(f"SRV {srv} through the DCC"):
        mark = bench.trace.next_sequence
        response = await bench.request(srv, elements.get(row, {}))
        proof = bench.proof(mark)
        check("no item failed", response.parameters.get("failures"), equals=None, of=proof)
        message = response.message
        check(
            "the response is signed",
            len(message.signature or b"") if message else 0,
            equals=64,
            spec="GBCS 6.2.2",
            of=proof,
        )
        check(
            "and has no MAC",
            message.message_mac if message else b"",
            equals=None,
            spec="GBCS 6.2.2",
            of=proof,
        )


@case(
    "ECS43-DISABLED-OVER-POWER-CUT",
    version=1,
    title="ECS43: a supply that was disabled is still disabled after a power cut",
    kind="power cut",
    obligations=("F4.3-C1",),
    use_cases=("ECS43", "ECS45"),
)
async def supply_state_over_power_cut(bench: SmokeBench) -> None:
    with step("open the load switch"):
        await bench.request("7.2")
    with step("cut the power and restore it"):
        await bench.power_cycle()
    with step("the supply is still disabled"):
        check("state", await bench.supply_state(), equals="Disabled", spec="SMETS2 5.5.8")


@case(
    "ECS43-NO-IMPORT",
    version=1,
    title="ECS43: with the load switch open the import register stands still",
    kind="consistency",
    obligations=("F4.1-C2",),
    use_cases=("ECS43", "ECS17b"),
)
async def open_switch_stops_import(bench: SmokeBench) -> None:
    with step("open the load switch and read the register"):
        await bench.request("7.2")
        first = await bench.import_wh()
    with step("six hours later"):
        await bench.wait(timedelta(hours=6))
        check("the register stands still", await bench.import_wh(), equals=first)
    with step("close the switch; six hours later"):
        await bench.request("7.1")
        await bench.wait(timedelta(hours=6))
        check("the register runs again", await bench.import_wh(), at_least=first + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    name: str
    text: str


@case_family(
    "ECS10-{row.name}",
    rows=(
        Text(name="SEND", text="Your meter reading is due"),
        Text(name="ONE-CHARACTER", text="!"),
        Text(name="LONGEST", text="x" * MAX_MESSAGE_LENGTH),
    ),
    version=1,
    title="ECS10: a message to the consumer is accepted ({row.name})",
    kind="positive write",
    obligations=("F4.3-C1", "F4.3-C6"),
    use_cases=("ECS10",),
)
async def message_to_consumer(bench: SmokeBench, row: Text) -> None:
    with step(f"send a message of {len(row.text)} characters"):
        response = await bench.request("3.1", {"SupplierMessage": row.text})
        check("no item failed", response.parameters.get("failures"), equals=None)


@case(
    "ECS10-TOO-LONG",
    version=1,
    title="ECS10: a message longer than the meter can show is refused by an error response",
    kind="boundary",
    obligations=("F4.3-C6",),
    use_cases=("ECS10",),
)
async def message_too_long(bench: SmokeBench) -> None:
    with step(f"send {MAX_MESSAGE_LENGTH + 1} characters past the DCC's own check"):
        message = bench.command("ECS10", {"supplier_message": "x" * (MAX_MESSAGE_LENGTH + 1)})
        response = await bench.answered(message)
        check(
            "the item failed",
            sorted(bench.failures(response)),
            equals=["supplier_message"],
            spec="GBCS 7.3",
        )


@case(
    "ECS70-SET-CLOCK",
    version=1,
    title="ECS70 (SRV 8.1.1): the clock is set and reported as reliable",
    kind="critical command",
    obligations=("F4.3-C1", "F4.5-C1"),
    use_cases=("ECS70",),
)
async def set_clock(bench: SmokeBench) -> None:
    with step("make the clock unreliable by an interval that has passed"):
        passed: dict[str, Value] = {
            "validity_interval_start": bench.now_text(-timedelta(hours=2)),
            "validity_interval_end": bench.now_text(-timedelta(hours=1)),
        }
        before = await bench.answered(bench.command("ECS70", {"validity_interval": passed}))
        check("status", before.get("device_time_status"), differs="reliable", spec="GBCS 9.1")
    with step("commission the clock"):
        now = bench.clock.now()
        response = await bench.request("8.1.1", {"CurrentDateTime": bench.now_text(), "TolerancePeriod": 60})
        reported = parse_time(response.parameters.get("device_time"))
        check("status", response.parameters.get("device_time_status"), equals="reliable", spec="GBCS 9.1")
        error_s = abs((reported - now).total_seconds())
        check("the meter's time is right", error_s, at_most=bench.tolerances.clock_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A validity interval relative to now that does not hold the present."""

    name: str
    start: timedelta
    end: timedelta


@case_family(
    "ECS70-{row.name}",
    rows=(
        Interval(name="INTERVAL-PAST", start=-timedelta(hours=2), end=-timedelta(hours=1)),
        Interval(name="INTERVAL-FUTURE", start=timedelta(hours=1), end=timedelta(hours=2)),
    ),
    version=1,
    title="ECS70: outside its validity interval the clock is not set and not called reliable ({row.name})",
    kind="clock outside tolerance",
    obligations=("F4.3-C6",),
    use_cases=("ECS70",),
)
async def clock_outside_interval(bench: SmokeBench, row: Interval) -> None:
    """The command is executed, but the hub's time lies outside the interval. Spec: GBCS 9.1."""
    with step("send a Set Clock whose interval does not hold the present time"):
        interval: dict[str, Value] = {
            "validity_interval_start": bench.now_text(row.start),
            "validity_interval_end": bench.now_text(row.end),
        }
        mark = bench.trace.next_sequence
        response = await bench.answered(bench.command("ECS70", {"validity_interval": interval}))
        check(
            "the clock is not reliable",
            response.get("device_time_status"),
            differs="reliable",
            of=bench.proof(mark),
        )
    with step("a Set Clock with a right interval makes it reliable again"):
        response_ = await bench.request("6.11", {"CurrentDateTime": bench.now_text(), "TolerancePeriod": 60})
        check("status", response_.parameters.get("device_time_status"), equals="reliable")


@case(
    "ECS70-STATUS-OVER-POWER-CUT",
    version=1,
    title="ECS70: a clock that is not reliable is still reported so after a power cut",
    kind="power cut",
    obligations=("F4.3-C6",),
    use_cases=("ECS70",),
)
async def clock_status_over_power_cut(bench: SmokeBench) -> None:
    def wrong_interval() -> dict[str, Value]:
        return {
            "validity_interval": {
                "validity_interval_start": bench.now_text(timedelta(hours=5)),
                "validity_interval_end": bench.now_text(timedelta(hours=6)),
            }
        }

    with step("make the clock unreliable"):
        first = await bench.answered(bench.command("ECS70", wrong_interval()))
        check("not reliable", first.get("device_time_status"), differs="reliable")
    with step("cut the power and restore it; ask again with another wrong interval"):
        await bench.power_cycle()
        second = await bench.answered(bench.command("ECS70", wrong_interval()))
        check("still not reliable", second.get("device_time_status"), differs="reliable", spec="GBCS 9.1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    name: str
    value: int


@case_family(
    "ECS28a-{row.name}",
    rows=(Limit(name="LOWEST", value=0), Limit(name="HIGHEST", value=0xFFFFFFFF)),
    version=1,
    title="ECS28a: the ends of the range of the load limit are accepted ({row.name})",
    kind="boundary",
    obligations=("F4.3-C6",),
    use_cases=("ECS28a",),
)
async def load_limit_ends(bench: SmokeBench, row: Limit) -> None:
    with step(f"set threshold and periods to {row.value}"):
        elements = {**LOAD_LIMIT_ELEMENTS, "LoadLimitPowerThreshold": row.value, "LoadLimitPeriod": row.value}
        response = await bench.request("6.4.1", elements)
        check("no item failed", response.parameters.get("failures"), equals=None)


@case(
    "CS01a-TOP-UP",
    version=1,
    title="CS01a: a top-up is accepted, and the response says when",
    kind="positive write",
    obligations=("F4.3-C1", "F4.5-C1"),
    use_cases=("CS01a",),
)
async def top_up(bench: SmokeBench) -> None:
    with step("send a UTRN for 10 pounds through SRV 2.2"):
        counter = bench.next_utrn_counter()
        started = bench.clock.now()
        response = await bench.request("2.2", {"UTRN": bench.utrn(counter).digits}, counter=counter)
        check("no item failed", response.parameters.get("failures"), equals=None, spec="GBCS use case CS01a")
        said = response.message.date_time if response.message else None
        moment = date_time_value(said) if said else None
        check(
            "the response says when",
            moment,
            within=(started - timedelta(seconds=1), bench.clock.now()),
            spec="GBCS 7.2.7",
        )


@case_family(
    "CS01a-{row.name}",
    rows=(Limit(name="NO-CREDIT", value=0), Limit(name="ONE-POUND", value=1)),
    version=1,
    title="CS01a: the lowest values are accepted ({row.name})",
    kind="boundary",
    obligations=("F4.3-C6",),
    use_cases=("CS01a",),
)
async def lowest_top_up(bench: SmokeBench, row: Limit) -> None:
    with step(f"send a UTRN for {row.value} pounds"):
        counter = bench.next_utrn_counter()
        message = bench.command("CS01a", {"utrn": bench.utrn(counter, row.value).digits}, counter=counter)
        check("no item failed", await bench.answered(message), equals={})


@case(
    "CS01a-BEYOND-MAXIMUM",
    version=1,
    title="CS01a: a top-up above the maximum credit is refused by an error response",
    kind="boundary",
    obligations=("F4.3-C6",),
    use_cases=("CS01a",),
)
async def top_up_beyond_maximum(bench: SmokeBench) -> None:
    with step("send a UTRN for 8191 pounds"):
        counter = bench.next_utrn_counter()
        message = bench.command("CS01a", {"utrn": bench.utrn(counter, 8191).digits}, counter=counter)
        response = await bench.answered(message)
        check("the item failed", sorted(bench.failures(response)), equals=["utrn"], spec="GBCS 14.6")


@case(
    "CS01a-REUSED-TOKEN",
    version=1,
    title="CS01a: a token is credited once, even in a fresh command",
    kind="replayed counter",
    obligations=("F4.3-C4",),
    use_cases=("CS01a",),
)
async def reused_token(bench: SmokeBench) -> None:
    counter = bench.next_utrn_counter()
    token = bench.utrn(counter).digits
    with step("apply the token"):
        check(
            "accepted",
            await bench.answered(bench.command("CS01a", {"utrn": token}, counter=counter)),
            equals={},
        )
    with step("apply it again"):
        mark = bench.trace.next_sequence
        response = await bench.exchange(bench.command("CS01a", {"utrn": token}, counter=counter))
        check(
            "it is not accepted again",
            bench.succeeded(response),
            equals=False,
            spec="GBCS 14.6",
            of=bench.proof(mark),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BadToken:
    name: str
    title: str


@case_family(
    "CS01a-{row.name}",
    rows=(
        BadToken(name="NOT-AUTHENTIC", title="a token whose authentication code is wrong"),
        BadToken(name="CHECK-DIGIT", title="a token with a wrong check digit"),
        BadToken(name="OTHER-COUNTER", title="a token of another counter than the command's"),
    ),
    version=1,
    title="CS01a: {row.title} gives no credit and an error response",
    kind="malformed payload",
    obligations=("F4.3-C3",),
    use_cases=("CS01a",),
)
async def bad_token(bench: SmokeBench, row: BadToken) -> None:
    counter = bench.next_utrn_counter()
    good = bench.utrn(counter)
    if row.name == "NOT-AUTHENTIC":
        digits = replace(good, mac_part=bytes(octet ^ 0x55 for octet in good.mac_part)).digits
    elif row.name == "CHECK-DIGIT":
        digits = good.digits[:-1] + str((int(check_digit(good.digits[:-1])) + 1) % 10)
    else:
        digits = bench.utrn(bench.next_utrn_counter(), 10, ValueClass.POUNDS).digits
    with step("send it in an authentic command"):
        response = await bench.answered(bench.command("CS01a", {"utrn": digits}, counter=counter))
        check("the item failed", sorted(bench.failures(response)), equals=["utrn"], spec="GBCS 14.6")
    with step("a right token is accepted afterwards"):
        fresh = bench.next_utrn_counter()
        good_message = bench.command("CS01a", {"utrn": bench.utrn(fresh).digits}, counter=fresh)
        check("accepted", await bench.answered(good_message), equals={})


@case_family(
    "{row}-BREAK-ON-ERROR",
    rows=("ECS24", "ECS17a"),
    version=1,
    title="{row}: after an item that fails no later item is executed, and each is reported so",
    kind="fault",
    obligations=("F4.3-C1",),
    use_cases=("{row}",),
)
async def break_on_error(bench: SmokeBench, row: str) -> None:
    """A fault is injected at the second item. Spec: GBCS 7.3 (break on error)."""
    user = bench.network_operator if row == "ECS17a" else bench.supplier
    with step("inject a hardware fault at the second item and send the read"):
        bench.meter.inject_hardware_fault(1)
        response = await bench.answered(bench.command(row, user=user))
        failures = list(bench.failures(response).values())
        items = bench.items(USE_CASES[row])
        expected = ["hardware-fault"] + ["other-reason"] * (items - 2)
        check(
            "the second item failed and all later ones were not executed",
            failures,
            equals=expected,
            spec="GBCS 7.3",
        )
    with step("without the fault the read succeeds"):
        again = await bench.answered(bench.command(row, user=user))
        check("no item failed", again.get("failures"), equals=None)
