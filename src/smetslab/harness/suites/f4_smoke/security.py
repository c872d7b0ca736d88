"""Commands that must be refused: not authentic, not permitted, not for this device, not new, not understood.

Whoever sends such a command learns nothing: no response, no alert to the sender. Each row spoils exactly
one thing in a command that is right otherwise.

Spec: SEC F4.3; GBCS 4.3.1, 6.2.4 (acceptance).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import pairwise

from smetslab.gbcs.codes import Cra
from smetslab.gbcs.dlms.apdu import AccessRequest, decode_apdu
from smetslab.gbcs.message import Message, OtherInformation, encode_message
from smetslab.gbcs.usecases import USE_CASES
from smetslab.gbcs.values import Parameters
from smetslab.harness.case import case, case_family, check, expect, step
from smetslab.harness.suites.f4_smoke.bench import SmokeBench
from smetslab.ids import Eui64

LOAD_LIMIT: Parameters = {
    "load_limit_supply_state": "Unchanged",
    "load_limit_power_threshold": 6900,
    "load_limit_period": 300,
    "load_limit_restoration_period": 30,
    "load_limit_supply_state_activation_time": "immediate",
    "load_limit_power_threshold_activation_time": "immediate",
    "load_limit_period_activation_time": "immediate",
    "load_limit_restoration_period_activation_time": "immediate",
}

NOT_AUTHENTIC = ("8F3D", "8F1E", "8F53")
NOT_AUTHORISED = ("8F30", "8F3E")
NOT_NEW = ("8F53",)
"""Security events of a command that is not authentic, not permitted, not new. Which of them a meter uses for
which breach is unverified. Spec: GBCS 16.2.
"""


def parameters_of(bench: SmokeBench, use_case: str) -> Parameters:
    """Good parameters for a command of `use_case`."""
    day: Parameters = {
        "start_date_time": bench.now_text(-timedelta(days=1)),
        "end_date_time": bench.now_text(),
    }
    interval: Parameters = {
        "validity_interval_start": bench.now_text(-timedelta(minutes=1)),
        "validity_interval_end": bench.now_text(timedelta(minutes=1)),
    }
    table: dict[str, Parameters] = {
        "ECS10": {"supplier_message": "Hello"},
        "ECS21a": {"read_log_period": day},
        "ECS22b": {"read_log_period": day},
        "ECS28a": LOAD_LIMIT,
        "ECS70": {"validity_interval": interval},
    }
    return dict(table.get(use_case, {}))


def good_command(bench: SmokeBench, use_case: str, *, counter: int | None = None) -> Message:
    """A command that the ESME would execute, sent by the party whose right it is."""
    user = bench.network_operator if use_case == "ECS17a" else bench.supplier
    if use_case == "CS01a":
        used = counter if counter is not None else bench.next_utrn_counter()
        return bench.command("CS01a", {"utrn": bench.utrn(used).digits}, counter=used)
    return bench.command(use_case, parameters_of(bench, use_case), user=user, counter=counter)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    use_case: str

    @property
    def title(self) -> str:
        return USE_CASES[self.use_case].title


ALL = tuple(
    Row(use_case=name)
    for name in (
        "CS01a", "ECS10", "ECS17a", "ECS17b", "ECS21a", "ECS22b", "ECS24", "ECS26a", "ECS28a",
        "ECS42", "ECS43", "ECS44", "ECS45", "ECS52", "ECS70",
    )
)  # fmt: skip
CRITICAL = tuple(row for row in ALL if USE_CASES[row.use_case].critical)
PROTECTED = tuple(row for row in ALL if USE_CASES[row.use_case].replay_protected)


@case_family(
    "{row.use_case}-WRONG-MAC",
    rows=ALL,
    version=1,
    title="{row.use_case}: a command whose MAC is wrong in one bit is refused in silence",
    kind="wrong MAC",
    obligations=("F4.3-C3",),
    use_cases=("{row.use_case}",),
)
async def wrong_mac(bench: SmokeBench, row: Row) -> None:
    message = good_command(bench, row.use_case)
    mac = message.message_mac or b""
    with step("send the command with one bit of its MAC changed"):
        spoilt = replace(message, message_mac=mac[:-1] + bytes((mac[-1] ^ 1,)))
        await bench.refused(spoilt, "a command with a wrong MAC", spec="GBCS 6.2.4", events=NOT_AUTHENTIC)
    with step("send the command as it should be"):
        await bench.answered(message)


@case_family(
    "{row.use_case}-WRONG-SIGNATURE",
    rows=CRITICAL,
    version=1,
    title="{row.use_case}: a critical command signed by somebody else is refused, though its MAC is right",
    kind="wrong signature",
    obligations=("F4.3-C3",),
    use_cases=("{row.use_case}",),
)
async def wrong_signature(bench: SmokeBench, row: Row) -> None:
    message = good_command(bench, row.use_case)
    with step("send the command with the network operator's signature in place of the supplier's"):
        other = bench.protect(
            replace(message, business_originator_id=bench.network_operator.party), USE_CASES[row.use_case]
        )
        spoilt = bench.maced(replace(message, signature=other.signature))
        await bench.refused(
            spoilt, "a command with a wrong signature", spec="GBCS 6.2.4", events=NOT_AUTHENTIC
        )
    with step("send the command as it should be"):
        await bench.answered(message)


@case_family(
    "{row.use_case}-NO-SIGNATURE",
    rows=CRITICAL,
    version=1,
    title="{row.use_case}: a critical command without a signature is refused, though its MAC is right",
    kind="missing signature",
    obligations=("F4.3-C3",),
    use_cases=("{row.use_case}",),
)
async def no_signature(bench: SmokeBench, row: Row) -> None:
    message = good_command(bench, row.use_case)
    with step("send the command with a MAC alone"):
        spoilt = bench.maced(replace(message, signature=b"", message_mac=None))
        await bench.refused(
            spoilt, "a critical command without signature", spec="GBCS 6.2.1", events=NOT_AUTHENTIC
        )
    with step("send the command as it should be"):
        await bench.answered(message)


@case_family(
    "{row.use_case}-NO-MAC",
    rows=CRITICAL,
    version=1,
    title="{row.use_case}: a critical command without the broker's MAC is refused, though signed",
    kind="missing MAC",
    obligations=("F4.3-C3", "F4.5-C5"),
    use_cases=("{row.use_case}",),
)
async def no_mac(bench: SmokeBench, row: Row) -> None:
    """Only the DCC can reach the device: a party that goes past it is not heard."""
    message = good_command(bench, row.use_case)
    with step("send the signed command without a MAC"):
        await bench.refused(
            replace(message, message_mac=None),
            "a command without MAC",
            spec="GBCS 6.2.1",
            events=NOT_AUTHENTIC,
        )
    with step("send the command as it should be"):
        await bench.answered(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongRole:
    """A use case and a party that the device knows but that has no right to it."""

    use_case: str
    user: str = "network_operator"

    @property
    def who(self) -> str:
        return self.user.replace("_", " ")


@case_family(
    "{row.use_case}-WRONG-ROLE",
    rows=(
        WrongRole(use_case="CS01a"),
        WrongRole(use_case="ECS10"),
        WrongRole(use_case="ECS17a", user="supplier"),
        WrongRole(use_case="ECS21a"),
        WrongRole(use_case="ECS24"),
        WrongRole(use_case="ECS26a"),
        WrongRole(use_case="ECS28a"),
        WrongRole(use_case="ECS42"),
        WrongRole(use_case="ECS43"),
        WrongRole(use_case="ECS44"),
        WrongRole(use_case="ECS70"),
    ),
    version=1,
    title="{row.use_case}: an authentic command of the {row.who}, who has no right to it, is not executed",
    kind="wrong role",
    obligations=("F4.3-C2",),
    use_cases=("{row.use_case}",),
)
async def wrong_role(bench: SmokeBench, row: WrongRole) -> None:
    good = good_command(bench, row.use_case)
    party = getattr(bench, row.user).party
    with step(f"send the command as the {row.who}, protected with its own keys"):
        message = bench.protect(replace(good, business_originator_id=party), USE_CASES[row.use_case])
        mark = bench.trace.next_sequence
        response = await bench.exchange(message)
        check("no response", response, equals=None, spec="GBCS 6.2.4", of=bench.proof(mark))
        executed = bench.trace.find(
            layer="device", event="CommandExecuted", source=str(bench.esme), since=mark
        )
        check("nothing is executed", len(executed), equals=0, spec="GBCS 6.2.4", of=executed)
    with step("the attempt is recorded"):
        bench.check_security_event(NOT_AUTHORISED, since=mark)


@case_family(
    "{row.use_case}-UNKNOWN-PARTY",
    rows=(Row(use_case="ECS17b"), Row(use_case="ECS43"), Row(use_case="ECS52")),
    version=1,
    title="{row.use_case}: a command of a party that the meter holds no credentials of is refused in silence",
    kind="unknown originator",
    obligations=("F4.3-C2", "F4.3-C3"),
    use_cases=("{row.use_case}",),
)
async def unknown_party(bench: SmokeBench, row: Row) -> None:
    message = good_command(bench, row.use_case)
    with step("send the command under the second supplier's name, which is not this meter's supplier"):
        stranger = bench.protect(
            replace(message, business_originator_id=bench.second_supplier.party), USE_CASES[row.use_case]
        )
        await bench.refused(
            stranger, "a command of an unknown party", spec="GBCS 6.2.4", events=NOT_AUTHORISED
        )
    with step("the rightful command is still answered"):
        await bench.answered(message)


@case_family(
    "{row.use_case}-REPLAY",
    rows=PROTECTED,
    version=1,
    title="{row.use_case}: the same command, sent again octet for octet, is not executed a second time",
    kind="replayed counter",
    obligations=("F4.3-C4",),
    use_cases=("{row.use_case}",),
)
async def replay(bench: SmokeBench, row: Row) -> None:
    message = good_command(bench, row.use_case)
    with step("send the command"):
        await bench.answered(message)
    with step("send it again"):
        mark = bench.trace.next_sequence
        response = await bench.exchange(message)
        executed = bench.trace.find(
            layer="device", event="CommandExecuted", source=str(bench.esme), since=mark
        )
        successes = [e for e in executed if e.detail.get("failed_item") is None]
        check("it is not executed again", len(successes), equals=0, spec="GBCS 4.3.1", of=executed)
        if row.use_case != "CS01a":  # a top-up is judged by its token, and answered with a failure
            check("no response", response, equals=None, spec="GBCS 4.3.1", of=bench.proof(mark))


@case_family(
    "{row.use_case}-LOWER-COUNTER",
    rows=tuple(row for row in PROTECTED if row.use_case != "CS01a"),
    version=1,
    title="{row.use_case}: a fresh command with a counter below one already used is refused in silence",
    kind="lower counter",
    obligations=("F4.3-C4",),
    use_cases=("{row.use_case}",),
)
async def lower_counter(bench: SmokeBench, row: Row) -> None:
    low = bench.next_counter()
    with step("send a command with a higher counter"):
        await bench.answered(good_command(bench, row.use_case, counter=bench.next_counter() + 10))
    with step("send one with a lower counter, freshly signed"):
        late = good_command(bench, row.use_case, counter=low)
        await bench.refused(late, "a command with a lower counter", spec="GBCS 4.3.1", events=NOT_NEW)


@case_family(
    "{row.use_case}-COUNTER-OVER-POWER-CUT",
    rows=(Row(use_case="ECS43"), Row(use_case="ECS28a")),
    version=1,
    title="{row.use_case}: a power cut does not make the meter forget which counters were used",
    kind="replayed counter",
    obligations=("F4.3-C4",),
    use_cases=("{row.use_case}",),
)
async def replay_over_power_cut(bench: SmokeBench, row: Row) -> None:
    message = good_command(bench, row.use_case)
    with step("send the command"):
        await bench.answered(message)
    with step("cut the power and restore it"):
        await bench.power_cycle()
    with step("send the same octets again"):
        await bench.refused(
            message, "a command replayed after a power cut", spec="GBCS 4.3.1", events=NOT_NEW
        )


@case_family(
    "{row.use_case}-WRONG-RECIPIENT",
    rows=(Row(use_case="ECS17b"), Row(use_case="ECS43"), Row(use_case="ECS52")),
    version=1,
    title="{row.use_case}: a command for another device, put into this meter's tunnel, is refused in silence",
    kind="wrong recipient",
    obligations=("F4.3-C3",),
    use_cases=("{row.use_case}",),
)
async def wrong_recipient(bench: SmokeBench, row: Row) -> None:
    """The message is authentic under the keys of this meter, but its header names another one."""
    message = good_command(bench, row.use_case)
    other = Eui64(bench.esme.raw[:-1] + bytes((bench.esme.raw[-1] ^ 0x7F,)))
    with step("address the command to another device, protect it with this meter's keys, deliver it here"):
        readdressed = replace(message, business_target_id=other, signature=None, message_mac=None)
        spoilt = bench.protect(readdressed, USE_CASES[row.use_case], keys_of=bench.esme)
        mark = bench.trace.next_sequence
        bench.deliver(encode_message(spoilt))
        await bench.wait(timedelta(seconds=60))
        check("nothing leaves the premises", len(bench.upward(mark)), equals=0, spec="GBCS 6.2.4")
        executed = bench.trace.find(
            layer="device", event="CommandExecuted", source=str(bench.esme), since=mark
        )
        check("nothing is executed", len(executed), equals=0, spec="GBCS 6.2.4", of=executed)
    with step("deliver the command as it should be in the same way"):
        mark = bench.trace.next_sequence
        bench.deliver(encode_message(message))
        await bench.wait(timedelta(seconds=60))
        answers = [m.originator_counter for m in bench.upward(mark) if m.cra is Cra.RESPONSE]
        check("it is answered", answers, equals=[message.originator_counter], of=bench.proof(mark))


@case(
    "UNSUPPORTED-CODE",
    version=1,
    title="8F85: an authentic command with a message code that no ESME supports is reported by an alert",
    kind="unsupported code",
    obligations=("F4.3-C3",),
    use_cases=("ECS100",),
)
async def unsupported_code(bench: SmokeBench) -> None:
    message = bench.command("ECS52")
    with step("send a command with message code 0x0FFF"):
        unknown = bench.maced(
            replace(
                message,
                other_information=OtherInformation(message_code=0x0FFF),
                message_mac=None,
                signature=b"",
            )
        )
        mark = bench.trace.next_sequence
        response = await bench.exchange(unknown)
        check("no response", response, equals=None, spec="GBCS 6.2.4", of=bench.proof(mark))
    with step("the alert names code and counter of the command"):
        sent = await expect(
            "alert 8F85 is sent", bench.alert("8F85", since=mark), spec="GBCS use case ECS100"
        )
        parameters = bench.check_alert(sent)
        check(
            "it names the command",
            parameters.get("unsupported_command"),
            equals={"message_code": "0x0FFF", "originator_counter": message.originator_counter},
            of=sent,
        )


@case(
    "ALERT-COUNTER-RISES",
    version=2,
    title="Alerts of one meter have rising counters, over a power cut too",
    kind="counter",
    obligations=("F4.5-C3",),
    use_cases=("ECS100",),
)
async def alert_counter_rises(bench: SmokeBench) -> None:
    began = bench.trace.next_sequence
    for pause in ("before", "after"):
        with step(f"provoke an alert {pause} a power cut"):
            mark = bench.trace.next_sequence
            message = bench.command("ECS52")
            await bench.exchange(
                bench.maced(
                    replace(
                        message,
                        other_information=OtherInformation(message_code=0x0FFE),
                        message_mac=None,
                        signature=b"",
                    )
                )
            )
            await expect("alert 8F85 is sent", bench.alert("8F85", since=mark))
        if pause == "before":
            await bench.power_cycle()
    with step("compare the counters of these and of those that the power cut itself brought"):
        sent = bench.trace.find(layer="device", event="AlertSent", source=str(bench.esme), since=began)
        counters = [bench.decode(alert).originator_counter for alert in sent]
        rising = all(earlier < later for earlier, later in pairwise(counters))
        check("each is greater than the one before", rising, equals=True, of=sent, spec="GBCS 7.2.7")


@dataclass(frozen=True, slots=True, kw_only=True)
class Malformed:
    """One way to make the content of an authentic command wrong."""

    name: str
    title: str
    use_case: str
    spoil: Callable[[bytes], bytes]


def _truncated(content: bytes) -> bytes:
    return content[:-1]


def _trailing(content: bytes) -> bytes:
    return content + b"\x00"


def _random_like(content: bytes) -> bytes:
    return bytes((octet * 73 + 41) & 0xFF for octet in content)


def _long_length(content: bytes) -> bytes:
    # The count of the access list in two octets where one is enough.
    return content[:6] + b"\x81" + content[6:]


def _swapped_items(content: bytes) -> bytes:
    apdu = decode_apdu(content)
    if not isinstance(apdu, AccessRequest):
        raise TypeError("an access-request was expected")
    return replace(apdu, specifications=apdu.specifications[::-1], data=apdu.data[::-1]).encode()


def _other_invoke_id(content: bytes) -> bytes:
    return content[:4] + bytes((content[4] ^ 0xFF,)) + content[5:]


MALFORMED = (
    Malformed(name="TRUNCATED", title="content that ends too early", use_case="ECS45", spoil=_truncated),
    Malformed(
        name="TRAILING-BYTE", title="content with an octet too many", use_case="ECS17a", spoil=_trailing
    ),
    Malformed(name="NOISE", title="content that is no DLMS at all", use_case="ECS24", spoil=_random_like),
    Malformed(
        name="LONG-LENGTH", title="a count not in its shortest form", use_case="ECS52", spoil=_long_length
    ),
    Malformed(
        name="SWAPPED-ITEMS",
        title="the items of the access list in reverse",
        use_case="ECS28a",
        spoil=_swapped_items,
    ),
    Malformed(
        name="INVOKE-ID",
        title="a long-invoke-id of another counter",
        use_case="ECS43",
        spoil=_other_invoke_id,
    ),
)


@case_family(
    "{row.use_case}-MALFORMED-{row.name}",
    rows=MALFORMED,
    version=1,
    title="{row.use_case}: an authentic command with {row.title} changes nothing",
    kind="malformed payload",
    obligations=("F4.3-C3",),
    use_cases=("{row.use_case}",),
)
async def malformed_payload(bench: SmokeBench, row: Malformed) -> None:
    """The command is authentic, so an error response is allowed; a success, an effect or a fall-over is
    not."""
    good = good_command(bench, row.use_case)
    with step("send the command with its content spoilt and everything protected anew"):
        mark = bench.trace.next_sequence
        spoilt = bench.protect(replace(good, content=row.spoil(good.content)), USE_CASES[row.use_case])
        response = await bench.exchange(spoilt)
        check(
            "it is not reported as a success",
            bench.succeeded(response),
            equals=False,
            spec="GBCS 7.3",
            of=bench.proof(mark),
        )
        changed = bench.trace.find(layer="device", event="StateChanged", source=str(bench.esme), since=mark)
        check("no state changes", len(changed), equals=0, of=changed)
    with step("the meter is alive: a right command is answered"):
        await bench.answered(good_command(bench, row.use_case))


@case(
    "NOISE-IN-THE-TUNNEL",
    version=1,
    title="Octets that are no message, put into the tunnel, are dropped and the meter lives on",
    kind="malformed payload",
    obligations=("F4.3-C3",),
)
async def noise_in_the_tunnel(bench: SmokeBench) -> None:
    good = encode_message(bench.command("ECS52"))
    samples = (
        b"",
        b"\x00",
        b"\xdd",
        b"\xdf\x09",
        good[:20],
        good[:-1],
        good + b"\x00",
        bytes(1200),
        b"\xff" * 300,
    )
    with step("deliver nine kinds of noise"):
        mark = bench.trace.next_sequence
        for sample in samples:
            bench.deliver(sample)
            await bench.wait(timedelta(seconds=2))
        check("nothing leaves the premises", len(bench.upward(mark)), equals=0)
    with step("the meter still answers"):
        await bench.answered(bench.command("ECS52"))
