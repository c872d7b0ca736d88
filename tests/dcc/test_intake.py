"""Signed pre-commands: what a user may not send under a RequestID, however it is protected."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from smetslab.dcc import DccRules
from smetslab.duis.codes import CommandVariant
from smetslab.duis.document import parse_response
from smetslab.gbcs.codes import Cra
from smetslab.gbcs.message import Message, OtherInformation, encode_message
from smetslab.gbcs.usecases.engine import encode_content
from smetslab.gbcs.usecases.registry import USE_CASES
from smetslab.ids import Eui64

ESME = Eui64.parse("00DB1234567890A0")
SUPPLIER = Eui64.parse("90B3D51F30010000")
LIMITS = {
    "LoadLimitPeriod": 300,
    "LoadLimitPowerThreshold": 6900,
    "LoadLimitRestorationPeriod": 30,
    "LoadLimitSupplyState": "Disable",
}

OPERATORS = {"NetworkOperatorESMECommon": {"x8014": "Enable"}}
SUPPLIERS = {"SupplierESMECommon": {"x810D": "Enable"}}

Tamper = Callable[[object, Message], Message]


def _sign(bench, message: Message) -> Message:
    return bench.supplier.sign(message)


def _other_times(bench, message: Message) -> Message:
    """A command that no request makes: its items wait for different moments."""
    use_case = USE_CASES["ECS28a"]
    parameters = use_case.payload.decode(message, None)
    parameters["load_limit_period_activation_time"] = "never"
    return _sign(bench, replace(message, content=encode_content(use_case, message, parameters)))


TAMPERED: dict[str, tuple[Tamper, str]] = {
    "bit of the content flipped": (
        lambda b, m: replace(_sign(b, m), content=m.content[:-1] + bytes((m.content[-1] ^ 1,))),
        "activation_time",
    ),
    "power threshold changed after signing": (
        lambda b, m: replace(
            _sign(b, m), content=m.content.replace(b"\x00\x00\x1a\xf4", b"\x00\x00\x1a\xf5")
        ),
        "signature: not that of the originator",
    ),
    "bit of the signature flipped": (
        lambda b, m: replace(_sign(b, m), signature=bytes((1,)) + (_sign(b, m).signature or b"")[1:]),
        "signature: not that of the originator",
    ),
    "signed by somebody else": (
        lambda b, m: b.operator.sign(m),
        "signature: not that of the originator",
    ),
    "not signed": (lambda b, m: replace(m, signature=b""), "not a command that is signed"),
    "with a MAC already": (lambda b, m: b.dcc.broker.protect(_sign(b, m)), "not a command that is signed"),
    "not a command": (lambda b, m: _sign(b, replace(m, cra=Cra.RESPONSE)), "not a command that is signed"),
    "another use case": (
        lambda b, m: _sign(b, replace(m, other_information=OtherInformation(message_code=0x0050))),
        "its use case does not serve 6.4.1",
    ),
    "use case that nobody declared": (
        lambda b, m: _sign(b, replace(m, other_information=OtherInformation(message_code=0x7FFF))),
        "its use case does not serve 6.4.1",
    ),
    "on behalf of somebody": (
        lambda b, m: _sign(
            b,
            replace(
                m,
                other_information=replace(
                    m.other_information,
                    supplementary_remote_party_id=SUPPLIER,
                    supplementary_remote_party_counter=1,
                ),
            ),
        ),
        "its grouping header is not that of a pre-command",
    ),
    "different activation times": (_other_times, "activation_time"),
    "content of no use case": (lambda b, m: _sign(b, replace(m, content=b"\xd9")), "APDU"),
}


@pytest.mark.parametrize(("tamper", "reason"), TAMPERED.values(), ids=TAMPERED)
def test_a_signed_pre_command_that_is_not_in_order_is_refused(play, tamper: Tamper, reason: str) -> None:
    async def story(bench) -> None:
        message = await bench.supplier.pre_command("6.4.1", ESME, LIMITS)
        answer = await bench.supplier.send_signed("6.4.1", tamper(bench, message))
        assert (answer.code, answer.message) == ("E65", None)
        refusal = bench.events("RequestRefused")[0]
        assert refusal["check"] == "signed pre-command"
        assert reason in refusal["reason"]
        # The counter is not used up: the right one still goes through.
        assert (await bench.supplier.send_signed("6.4.1", bench.supplier.sign(message))).ok

    assert len(play(story).esme.received) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"originator_counter": 4711},
        {"business_target_id": Eui64.parse("00DB1234567890A2")},
        {"business_originator_id": Eui64.parse("90B3D51F30020000")},
    ],
)
def test_a_header_that_is_not_the_request_id_is_refused(play, change: dict[str, object]) -> None:
    async def story(bench) -> None:
        message = await bench.supplier.pre_command("7.2", ESME)
        right = bench.supplier.sign(message)
        wrong = bench.supplier.sign(replace(message, **change))
        sent: list[bytes] = []
        submit = bench.dcc.submit

        async def swapping(xml: bytes, service: object) -> bytes:
            from base64 import b64encode

            sent.append(xml)
            old, new = (b64encode(encode_message(one)) for one in (right, wrong))
            assert old in xml
            return await submit(xml.replace(old, new), service)

        bench.dcc.submit = swapping
        assert (await bench.supplier.send_signed("7.2", right)).code == "E65"
        assert "differ from the RequestID" in bench.events("RequestRefused")[0]["reason"]

    assert play(story).esme.received == []


def test_octets_that_are_no_message_are_refused(play) -> None:
    from smetslab.duis.document import (
        Request,
        RequestHeader,
        RequestId,
        signed_pre_command_body,
        write_request,
    )

    async def story(bench) -> None:
        header = RequestHeader(
            request_id=RequestId(SUPPLIER, ESME, 1),
            command_variant=CommandVariant.SEND_SIGNED,
            service_reference="7.2",
            variant="7.2",
        )
        for octets in (b"", b"\xdf\x09", b"\x00" * 100):
            request = Request(header=header, body=signed_pre_command_body(octets))
            assert parse_response(await bench.dcc.submit(write_request(request))).code == "E65"

    play(story)


def test_with_verification_off_a_wrong_command_reaches_the_device(play) -> None:
    async def story(bench) -> None:
        message = await bench.supplier.pre_command("7.2", ESME)
        answer = await bench.supplier.send_signed("7.2", bench.operator.sign(message))
        assert answer.code == "I0"

    assert len(play(story, rules=DccRules(verify_users=False)).esme.received) == 1


@pytest.mark.parametrize(
    ("user", "variant", "elements", "code"),
    [
        ("supplier", "6.22", {"ElectricityNetworkOperatorAlerts": OPERATORS}, "E062202"),
        ("supplier", "6.22", {"ElectricityNetworkOperatorLoggingSettings": OPERATORS}, "E062202"),
        ("operator", "6.22", {"ElectricitySupplierAlerts": SUPPLIERS}, "E062201"),
        ("supplier", "6.22", {"GasSupplierAlerts": {"x810D": "Enable"}}, "E062203"),
        ("operator", "7.7", {}, "E2"),
    ],
)
def test_what_the_device_would_not_do_for_this_role_is_refused(
    play, user: str, variant: str, elements: dict[str, object], code: str
) -> None:
    """An eligible role does not reach the use case of another role, which the device would not answer."""

    async def story(bench) -> None:
        document = getattr(bench, user).document(variant, ESME, elements, CommandVariant.SEND)
        assert parse_response(await bench.dcc.receive(document)).code == code

    assert play(story).esme.received == []


def test_with_roles_unchecked_the_device_decides(play) -> None:
    async def story(bench) -> None:
        elements = {"ElectricityNetworkOperatorAlerts": OPERATORS}
        document = bench.supplier.document("6.22", ESME, elements, CommandVariant.SEND)
        assert parse_response(await bench.dcc.receive(document)).code == "I99"
        await bench.clock.sleep(5)

    assert len(play(story, rules=DccRules(check_roles=False)).esme.received) == 1
