"""Future-dated commands: accepted now, executed later, reported, cancelled, replaced, kept over a power cut.

Spec: SEC F4.3; GBCS 9.2, use case ECS28a, alert 8F66.
"""

from __future__ import annotations

from datetime import timedelta

from smetslab.gbcs.values import Parameters, Value, dig, number_at
from smetslab.harness.case import case, check, expect, step
from smetslab.harness.suites.f4_smoke.bench import SmokeBench
from smetslab.harness.suites.f4_smoke.commands import LOAD_LIMIT_ELEMENTS
from smetslab.harness.suites.f4_smoke.security import LOAD_LIMIT
from smetslab.trace import Observation

ACTIVATIONS = tuple(name for name in LOAD_LIMIT if name.endswith("_activation_time"))
OBJECTS = ("0-0:94.44.0.3", "0-0:94.44.128.7", "0-0:94.44.128.6", "0-0:94.44.128.8")
"""What ECS28a activates, in the order of its access list, which is the order of the alerts."""

DELAY = timedelta(hours=2)
MARGIN_S = 120.0


def dated(text: str) -> Parameters:
    """Load limit parameters with every activation at `text`."""
    return {**LOAD_LIMIT, **dict.fromkeys(ACTIVATIONS, text)}


@case(
    "ECS28a-FUTURE",
    version=1,
    title="ECS28a: future-dated, it is executed at its time and each activation reported by 8F66",
    kind="future-dated",
    obligations=("F4.3-C5", "F4.5-C3"),
    use_cases=("ECS28a", "FDEI-DLMS"),
)
async def future_dated(bench: SmokeBench) -> None:
    with step("SRV 6.4.1 for two hours from now"):
        mark = bench.trace.next_sequence
        when = bench.now_text(DELAY)
        counter = bench.next_counter()
        response = await bench.request("6.4.1", LOAD_LIMIT_ELEMENTS, execution=when, counter=counter)
        check("accepted", response.parameters.get("failures"), equals=None, of=bench.proof(mark))
    with step("until then nothing is executed"):
        await bench.wait(DELAY - timedelta(minutes=5))
        check("no alert yet", len(_alerts(bench, mark)), equals=0, spec="GBCS 9.2")
        check("nothing is activated yet", len(_activated(bench, mark)), equals=0, spec="GBCS 9.2")
    with step("at its time four alerts arrive, in order"):
        await bench.wait(timedelta(minutes=5, seconds=MARGIN_S))
        alerts = _alerts(bench, mark)
        check("one alert for each activation", len(alerts), equals=4, spec="GBCS 9.2.2", of=alerts)
        instructions = [bench.check_alert(alert) for alert in alerts]
        check(
            "success is reported",
            [dig(i, "alert_code") for i in instructions],
            equals=["8F66"] * 4,
            of=alerts,
        )
        check(
            "the time stamp is the activation time",
            [dig(i, "time_stamp") for i in instructions],
            equals=[when] * 4,
            of=alerts,
        )
        named = [dig(i, "instruction") for i in instructions]
        check(
            "the objects, in the command's order",
            [dig(n, "logical_name") for n in named],
            equals=list(OBJECTS),
            of=alerts,
        )
        check(
            "the command's counter",
            {number_at(n, "originator_counter") for n in named} == {counter},
            equals=True,
            of=alerts,
        )


@case(
    "ECS28a-CANCELLED",
    version=1,
    title="ECS28a: cancelled before its time, it is not executed",
    kind="future-dated and cancelled",
    obligations=("F4.3-C5",),
    use_cases=("ECS28a",),
)
async def cancelled(bench: SmokeBench) -> None:
    with step("date it two hours from now"):
        mark = bench.trace.next_sequence
        await bench.request("6.4.1", LOAD_LIMIT_ELEMENTS, execution=bench.now_text(DELAY))
    with step("cancel it an hour later"):
        await bench.wait(timedelta(hours=1))
        response = await bench.request("6.4.1", LOAD_LIMIT_ELEMENTS, execution="never")
        check("the cancellation succeeds", response.parameters.get("failures"), equals=None, spec="GBCS 9.2")
    with step("its time passes"):
        await bench.wait(timedelta(hours=2))
        check("no alert", len(_alerts(bench, mark)), equals=0, spec="GBCS 9.2", of=_alerts(bench, mark))
        check("nothing is activated", len(_activated(bench, mark)), equals=0, spec="GBCS 9.2")


@case(
    "ECS28a-CANCEL-NOTHING",
    version=1,
    title="ECS28a: a cancellation with nothing to cancel succeeds and does nothing",
    kind="future-dated and cancelled",
    obligations=("F4.3-C5",),
    use_cases=("ECS28a",),
)
async def cancel_nothing(bench: SmokeBench) -> None:
    with step("cancel"):
        mark = bench.trace.next_sequence
        response = await bench.request("6.4.1", LOAD_LIMIT_ELEMENTS, execution="never")
        check("accepted", response.parameters.get("failures"), equals=None, spec="GBCS 9.2")
        await bench.wait(timedelta(hours=1))
        check("no alert", len(_alerts(bench, mark)), equals=0)


@case(
    "ECS28a-PENDING-OVER-POWER-CUT",
    version=1,
    title="ECS28a: what waits for its time is not lost by a power cut, and is executed once",
    kind="power cut",
    obligations=("F4.3-C5",),
    use_cases=("ECS28a", "FDEI-DLMS"),
)
async def pending_over_power_cut(bench: SmokeBench) -> None:
    with step("date it two hours from now"):
        mark = bench.trace.next_sequence
        await bench.request("6.4.1", LOAD_LIMIT_ELEMENTS, execution=bench.now_text(DELAY))
    with step("cut the power for half an hour"):
        await bench.power_cycle(timedelta(minutes=30))
    with step("its time passes"):
        await bench.wait(DELAY)
        alerts = _alerts(bench, mark)
        check("each activation is reported exactly once", len(alerts), equals=4, spec="GBCS 9.2", of=alerts)


@case(
    "ECS28a-TIME-IN-POWER-CUT",
    version=1,
    title="ECS28a: what falls due while the power is off is executed once when it returns",
    kind="power cut",
    obligations=("F4.3-C5",),
    use_cases=("ECS28a", "FDEI-DLMS"),
)
async def due_in_power_cut(bench: SmokeBench) -> None:
    with step("date it ten minutes from now and cut the power for half an hour"):
        mark = bench.trace.next_sequence
        await bench.request("6.4.1", LOAD_LIMIT_ELEMENTS, execution=bench.now_text(timedelta(minutes=10)))
        await bench.power_cycle(timedelta(minutes=30))
    with step("after power returns"):
        await bench.wait(timedelta(minutes=30))
        alerts = _alerts(bench, mark)
        check("each activation is reported exactly once", len(alerts), equals=4, spec="GBCS 9.2", of=alerts)


@case(
    "ECS28a-REPLACED",
    version=1,
    title="ECS28a: a later command takes the place of the one that waits",
    kind="future-dated",
    obligations=("F4.3-C5",),
    use_cases=("ECS28a", "FDEI-DLMS"),
)
async def replaced(bench: SmokeBench) -> None:
    with step("date it one hour from now, then three hours from now"):
        mark = bench.trace.next_sequence
        await bench.request("6.4.1", LOAD_LIMIT_ELEMENTS, execution=bench.now_text(timedelta(hours=1)))
        second = bench.next_counter()
        when = bench.now_text(timedelta(hours=3))
        await bench.request("6.4.1", LOAD_LIMIT_ELEMENTS, execution=when, counter=second)
    with step("the first time passes"):
        await bench.wait(timedelta(hours=2))
        check("no alert", len(_alerts(bench, mark)), equals=0, spec="GBCS 9.2")
    with step("the second time passes"):
        await bench.wait(timedelta(hours=2))
        alerts = _alerts(bench, mark)
        check("the second command is executed", len(alerts), equals=4, of=alerts)
        counters = {number_at(bench.check_alert(a), "instruction", "originator_counter") for a in alerts}
        check("and named", sorted(counters), equals=[second], of=alerts)


@case(
    "ECS28a-UNEQUAL-DATES",
    version=1,
    title="ECS28a: a command whose activations have different times is not accepted",
    kind="malformed payload",
    obligations=("F4.3-C5",),
    use_cases=("ECS28a",),
)
async def unequal_dates(bench: SmokeBench) -> None:
    """All dates of one command are equal. Spec: GBCS 9.2."""
    parameters: dict[str, Value] = dict(dated(bench.now_text(DELAY)))
    parameters[ACTIVATIONS[-1]] = bench.now_text(DELAY + timedelta(hours=1))
    with step("send it past the DCC"):
        mark = bench.trace.next_sequence
        response = await bench.exchange(bench.command("ECS28a", parameters))
        check(
            "it is not reported as a success",
            bench.succeeded(response),
            equals=False,
            spec="GBCS 9.2",
            of=bench.proof(mark),
        )
    with step("both times pass"):
        await bench.wait(DELAY + timedelta(hours=2))
        check("nothing is executed", len(_alerts(bench, mark)), equals=0, of=_alerts(bench, mark))
        check("nothing is activated", len(_activated(bench, mark)), equals=0, spec="GBCS 9.2")
    with step("with equal dates it is accepted"):
        response_ = await bench.answered(bench.command("ECS28a", dated(bench.now_text(DELAY))))
        check("no item failed", bench.failures(response_), equals={})


@case(
    "ECS28a-ACTIVATION-FAILS",
    version=1,
    title="ECS28a: an activation that fails is reported by 8F67",
    kind="fault",
    obligations=("F4.3-C5", "F4.5-C3"),
    use_cases=("ECS28a", "FDEI-DLMS"),
)
async def activation_fails(bench: SmokeBench) -> None:
    with step("date it an hour from now, with a fault waiting for its second activation"):
        mark = bench.trace.next_sequence
        bench.meter.inject_activation_fault(1)
        await bench.request("6.4.1", LOAD_LIMIT_ELEMENTS, execution=bench.now_text(timedelta(hours=1)))
    with step("its time passes"):
        failed = await expect(
            "alert 8F67 is sent", bench.alert("8F67", since=mark, limit_s=7200), spec="GBCS 9.2.2"
        )
        parameters = bench.check_alert(failed)
        check(
            "it names the object",
            dig(parameters, "instruction", "logical_name"),
            equals=OBJECTS[1],
            of=failed,
        )


@case(
    "ALERTS-OVER-WAN-OUTAGE",
    version=1,
    title="Alerts raised while the WAN is down arrive after it, in order",
    kind="outage",
    obligations=("F4.5-C3", "F4.2-C1"),
    use_cases=("ECS28a", "FDEI-DLMS"),
)
async def alerts_over_wan_outage(bench: SmokeBench) -> None:
    with step("date a command one hour from now and take the WAN down"):
        await bench.request("6.4.1", LOAD_LIMIT_ELEMENTS, execution=bench.now_text(timedelta(hours=1)))
        mark = bench.trace.next_sequence
        bench.lab.wan.outage(True)
    with step("the time passes; nothing reaches the DCC"):
        await bench.wait(timedelta(hours=2))
        check("the meter sent its alerts", len(_alerts(bench, mark)), equals=4)
        check("none arrived", len(_arrived(bench, mark)), equals=0)
    with step("the WAN returns"):
        bench.lab.wan.outage(False)
        await bench.wait(timedelta(minutes=30))
        counters = [bench.decode(o).originator_counter for o in _arrived(bench, mark)]
        check("all four arrived", len(set(counters)), equals=4, spec="SEC F4.5", of=_arrived(bench, mark))
        check("in order", counters, equals=sorted(counters), of=_arrived(bench, mark))


def _alerts(bench: SmokeBench, since: int) -> list[Observation]:
    """The future-dating alerts that the ESME sent since `since`."""
    sent = bench.trace.find(layer="device", event="AlertSent", source=str(bench.esme), since=since)
    return [alert for alert in sent if alert.detail.get("code") in {"8F66", "8F67"}]


def _activated(bench: SmokeBench, since: int) -> list[Observation]:
    """What the ESME has activated since `since`, whether it says so to anybody or not."""
    return bench.trace.find(layer="device", event="FutureDatedExecuted", source=str(bench.esme), since=since)


def _arrived(bench: SmokeBench, since: int) -> list[Observation]:
    return bench.trace.find(layer="gbcs", event="AlertReceived", since=since)
