"""A meter that lives: credit, debts, tariff, logs and credentials after time, energy, top-ups and power cuts.

Spec: SEC F4.1, F4.3; SMETS 5.5, 5.7.4, 5.7.5; GBCS use cases CS01a, CS02a, CS02e, ECS03, ECS15a, ECS19,
ECS21a, ECS24, ECS80.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from smetslab.devices.esme_objects import credit_charges
from smetslab.devices.load import DAY_US
from smetslab.gbcs.asn1.codec import LENGTH_FORM
from smetslab.gbcs.codes import KeyUsage
from smetslab.gbcs.values import Parameters, Value, dig, list_at, number_at, parse_utc, utc_text
from smetslab.harness.case import case, check, require, step
from smetslab.harness.suites.f4_smoke.bench import SmokeBench
from smetslab.ids import Eui64

DAY = timedelta(microseconds=DAY_US)
MILLIPENCE = 100_000
"""Thousandths of a penny in a pound."""
THRESHOLD = -500_000
MUCH_KWH = 600
"""More energy than the credit of any sensible meter pays for."""


async def balances(bench: SmokeBench) -> Parameters:
    """The six balances."""
    answer = await bench.answered(bench.command("ECS19"))
    found = dig(answer, "prepayment_registers", "prepayment_balance_collection")
    return found if isinstance(found, dict) else {}


async def prepaying(bench: SmokeBench) -> None:
    """Bring the meter into prepayment mode, with all its charges. Spec: GBCS use case ECS03."""
    with step("set the payment mode to prepayment"):
        charges = credit_charges(suspend_debt_disabled=True)
        await bench.answered(
            bench.command(
                "ECS03",
                {
                    "account_mode_and_status": {"payment_mode": "prepayment", "account_status": "new"},
                    "disablement_threshold": THRESHOLD,
                    "credit_charge_configuration": charges,
                    "account_activation_time": "immediate",
                    "disablement_threshold_activation_time": "immediate",
                },
            )
        )


async def top_up(bench: SmokeBench, pounds: int) -> bool:
    """Whether a new token of the supplier is credited."""
    counter = bench.next_utrn_counter()
    command = bench.command("CS01a", {"utrn": bench.utrn(counter, pounds).digits}, counter=counter)
    return bench.succeeded(await bench.exchange(command))


@case(
    "CS01a-REPAYS-DEBT",
    version=1,
    title="CS01a: a share of a top-up repays payment-based debt up to the cap, then accumulated debt",
    kind="consistency",
    obligations=("F4.3-C1", "F4.1-C2"),
    use_cases=("CS01a", "ECS19", "ECS26a"),
)
async def repays_debt(bench: SmokeBench) -> None:
    await prepaying(bench)
    with step("read balances and rules"):
        before = await balances(bench)
        rules = await bench.answered(bench.command("ECS26a"))
        share = 10 * MILLIPENCE * number_at(rules, "debt_recovery_per_payment") // 10_000
        cap = number_at(rules, "debt_recovery_rate_cap_amount")
        owed = number_at(before, "payment_debt_register")
        expected = min(share, owed, cap or share)
        require("the meter owes payment-based debt that it may recover", expected, at_least=1)
    with step("top up by ten pounds"):
        check("the token is credited", await top_up(bench, 10), equals=True)
    with step("every thousandth of a penny is where it belongs"):
        after = await balances(bench)
        spec = "SMETS 5.7.4 (Debt Recovery per Payment, Debt Recovery Rate Cap)"
        repaid = owed - number_at(after, "payment_debt_register")
        check("payment-based debt is repaid", repaid, equals=expected, spec=spec)
        accumulated = number_at(before, "accumulated_debt_register")
        settled = accumulated - number_at(after, "accumulated_debt_register")
        check(
            "accumulated debt is repaid",
            settled,
            equals=min(accumulated, 10 * MILLIPENCE - expected),
            spec=spec,
        )


@case(
    "CS01a-ZERO-VALUE",
    version=1,
    title="CS01a: a token of no value is processed like any other",
    kind="boundary",
    obligations=("F4.3-C6",),
    use_cases=("CS01a",),
)
async def zero_value(bench: SmokeBench) -> None:
    with step("enter a token of no pounds"):
        check("it is credited", await top_up(bench, 0), equals=True, spec="GBCS 14.6")


@case(
    "PREPAYMENT-DISABLES",
    version=1,
    title="8F0F: when the credit is gone, the supply is disabled and the supplier told",
    kind="consistency",
    obligations=("F4.1-C2",),
    use_cases=("ECS45", "ECS19"),
)
async def disables(bench: SmokeBench) -> None:
    await prepaying(bench)
    with step("use more energy than there is credit for"):
        mark = bench.trace.next_sequence
        bench.meter.consume(kwh=MUCH_KWH)
        await bench.wait(timedelta(minutes=2))
    with step("the supply is disabled"):
        check("state", await bench.supply_state(), equals="Disabled", spec="SMETS 5.5")
        told = bench.trace.find(layer="device", event="AlertSent", source=str(bench.esme), since=mark)
        codes = [seen.detail.get("code") for seen in told]
        check("alerts of 8F0F", codes.count("8F0F"), equals=1, spec="GBCS 16.2", of=told)


@case(
    "CS01a-ARMS-ONLY",
    version=1,
    title="CS01a: credit arms a supply that want of credit had disabled; a person turns it on",
    kind="consistency",
    obligations=("F4.3-C1", "F4.1-C2"),
    use_cases=("CS01a", "ECS45"),
)
async def arms_only(bench: SmokeBench) -> None:
    await prepaying(bench)
    with step("use more energy than there is credit for"):
        bench.meter.consume(kwh=MUCH_KWH)
        await bench.wait(timedelta(minutes=2))
        require("state", await bench.supply_state(), equals="Disabled")
    with step("top up until there is credit again"):
        check("the token is credited", await top_up(bench, 50), equals=True)
        check("state", await bench.supply_state(), equals="Armed", spec="SMETS 5.6.3.7")
    with step("the consumer turns the supply on"):
        bench.meter.keypad.enable_supply()
        check("state", await bench.supply_state(), equals="Enabled", spec="SMETS 5.6.3.7")


@case(
    "MIDNIGHT-DEBTS",
    version=1,
    title="Time-based debts fall by their daily rates at midnight",
    kind="consistency",
    obligations=("F4.1-C2",),
    use_cases=("ECS19", "ECS26a"),
)
async def midnight_debts(bench: SmokeBench) -> None:
    await prepaying(bench)
    with step("read debts and rates"):
        before = await balances(bench)
        rules = await bench.answered(bench.command("ECS26a"))
    with step("two midnights later"):
        await bench.wait(2 * DAY)
        after = await balances(bench)
        for number in (1, 2):
            rate = number_at(
                rules, f"debt_recovery_rate_{number}_value", "charge_table", 0, "charge_per_unit"
            )
            register = f"time_debt_register_{number}"
            owed = number_at(before, register)
            check(
                f"time-based debt {number} has fallen",
                owed - number_at(after, register),
                equals=min(owed, 2 * rate),
                spec="SMETS 5.7.4 (Debt Recovery Rates)",
            )


@case(
    "ECS24-RATE-SWITCHES",
    version=1,
    title="ECS24: the active price is that of the rate which the switching table selects",
    kind="consistency",
    obligations=("F4.1-C2",),
    use_cases=("ECS24",),
)
async def rate_switches(bench: SmokeBench) -> None:
    seen: list[int] = []
    with step("read the active price every two hours of a day"):
        for _ in range(12):
            answer = await bench.answered(bench.command("ECS24"))
            seen.append(number_at(answer, "active_tariff_price"))
            await bench.wait(timedelta(hours=2))
    with step("a day has more than one price"):
        check("different prices", len(set(seen)), at_least=2, spec="SMETS 5.7.4.49 (Tariff Switching Table)")


@case(
    "ECS21a-EVERY-MIDNIGHT",
    version=1,
    title="ECS21a: the daily read log has an entry for every midnight that goes by",
    kind="consistency",
    obligations=("F4.1-C2",),
    use_cases=("ECS21a",),
)
async def every_midnight(bench: SmokeBench) -> None:
    with step("let three midnights go by"):
        begin = bench.clock.now()
        await bench.wait(3 * DAY)
        first = begin.replace(hour=0, minute=0, second=0, microsecond=0) + DAY
    with step("read the log"):
        window: Value = {
            "start_date_time": utc_text(begin + timedelta(seconds=1)),
            "end_date_time": utc_text(bench.clock.now()),
        }
        answer = await bench.answered(bench.command("ECS21a", {"read_log_period": window}))
        entries = list_at(answer, "read_log_period", "daily_read_log")
        times = [parse_utc(dig(entry, "timestamp")) for entry in entries]
        wanted = [first + day * DAY for day in range(3)]
        check("midnights in the log", times, equals=wanted, spec="SMETS 5.7.5 (Daily Read Log)")


@case(
    "ECS15a-KEEPS-SECURITY-LOG",
    version=1,
    title="ECS15a: clearing the Event Log leaves the Security Log alone and is written into it",
    kind="consistency",
    obligations=("F4.3-C1",),
    use_cases=("ECS15a", "ECS35b"),
)
async def keeps_security_log(bench: SmokeBench) -> None:
    window: Value = {
        "start_date_time": "2000-01-01T00:00:00Z",
        "end_date_time": "2100-01-01T00:00:00Z",
    }

    async def entries() -> list[Value]:
        answer = await bench.answered(bench.command("ECS35b", {"security_log_period": window}))
        return list_at(answer, "security_log")

    with step("make an entry of the Security Log: a token that is refused"):
        counter = bench.next_utrn_counter()
        wrong = bench.utrn(counter + (1 << 32))
        await bench.exchange(bench.command("CS01a", {"utrn": wrong.digits}, counter=counter))
        before = await entries()
        require("entries of the Security Log", len(before), at_least=1)
    with step("clear the Event Log"):
        await bench.answered(bench.command("ECS15a"))
        after = await entries()
        check("the earlier entries", after[: len(before)], equals=before, spec="SMETS 5.7.5.31")
        check("entries since then", len(after) - len(before), at_least=1, spec="GBCS 16.2 (8F52)")


@case(
    "ECS80-INTERRUPTION",
    version=1,
    title="ECS80: after an interruption the network operator is told when it began and ended",
    kind="power cut",
    obligations=("F4.1-C2",),
    use_cases=("ECS80",),
)
async def interruption(bench: SmokeBench) -> None:
    with step("cut the power for five minutes"):
        mark, begin = bench.trace.next_sequence, bench.clock.now()
        await bench.power_cycle(timedelta(minutes=5))
    with step("the network operator is told"):
        try:
            seen = await bench.alert("8F36", since=mark)
        except TimeoutError:
            check("alert 8F36 arrives", False, equals=True, spec="GBCS ECS80; 16.2")
            return
        told = bench.check_alert(seen)
        interrupted = parse_utc(told.get("interruption_date_time"))
        restored = parse_utc(told.get("restoration_date_time"))
        tolerance = bench.tolerances.clock_s
        apart = abs((interrupted - begin).total_seconds())
        check("the beginning is right, in seconds", apart, at_most=tolerance, spec="GBCS ECS80")
        lasted = abs((restored - interrupted).total_seconds() - 300)
        check("the length is right, in seconds", lasted, at_most=tolerance, spec="GBCS ECS80")
        recipient = bench.decode(seen).business_target_id
        operator: Eui64 = bench.network_operator.party
        check("the recipient", str(recipient), equals=str(operator), spec="GBCS ECS80", of=seen)


@case(
    "CS02e-OWN-CERTIFICATES",
    version=1,
    title="CS02e: the meter shows the certificate of the key that it is asked for",
    kind="consistency",
    obligations=("F4.3-C1",),
    use_cases=("CS02e",),
)
async def own_certificates(bench: SmokeBench) -> None:
    for name, usage in (
        ("digitalSignature", KeyUsage.DIGITAL_SIGNATURE),
        ("keyAgreement", KeyUsage.KEY_AGREEMENT),
    ):
        with step(f"ask for the certificate of {name}"):
            answer = await bench.answered(bench.command("CS02e", {"key_usage": name}))
            held = bench.lab.keystore.find(bench.esme, usage).certificate.der.hex().upper()
            check("the certificate", answer.get("certificate"), equals=held, spec="GBCS use case CS02e")


@case(
    "CS02a-STRICT-DER",
    version=1,
    title="CS02a: the meter lists its credentials, in DER",
    kind="consistency",
    obligations=("F4.3-C1",),
    use_cases=("CS02a",),
)
async def strict_der(bench: SmokeBench) -> None:
    broker = bench.lab.dcc.broker.identity
    with step("the access control broker asks for the credentials of supplier and network operator"):
        asked: Parameters = {
            "authorising_remote_party_ta_cell_identifier": {
                "trust_anchor_cell_remote_party_role": "accessControlBroker",
                "trust_anchor_cell_key_usage": "keyAgreement",
            },
            "remote_party_roles_credentials_required": ["supplier", "networkOperator"],
        }
        command = bench.maced(replace(bench.command("CS02a", asked), business_originator_id=broker))
        answer = await bench.answered(command)
        told = [found for found in list_at(answer, "remote_party_details") if isinstance(found, dict)]
        roles = [found.get("remote_party_role") for found in told]
        check("the roles", roles, equals=["supplier", "networkOperator"], spec="GBCS use case CS02a")
        form = answer.get(LENGTH_FORM, "shortest")
        check("the form of lengths", form, equals="shortest", spec="X.690 10.1")
