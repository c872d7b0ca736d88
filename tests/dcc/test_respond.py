"""What responses and alerts say, and whom they are for."""

from __future__ import annotations

from pathlib import Path

import pytest

from smetslab.dcc.respond import alert_code_of, alert_recipient, instruction_of, instruction_place
from smetslab.errors import GbcsDecodeError
from smetslab.gbcs.codes import Cra
from smetslab.gbcs.message import Message, OtherInformation, decode_message
from smetslab.gbcs.usecases.registry import USE_CASES
from smetslab.ids import Eui64

BROKER = Eui64.parse("90B3D51F30000002")
USER = Eui64.parse("90B3D51F30010000")
DEVICE = Eui64.parse("00DB1234567890A0")


def alert(content: bytes, target: Eui64 = USER, named: Eui64 | None = None) -> Message:
    return Message(
        cra=Cra.ALERT,
        originator_counter=2000,
        business_originator_id=DEVICE,
        business_target_id=target,
        other_information=OtherInformation(message_code=0x1000, supplementary_remote_party_id=named),
        content=content,
    )


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("0F200007D000020212" + "8F3E" + "090C07EA0301FF000000008000FF", "8F3E"),
        ("0109008F0A1C374A80", "8F0A"),
        ("0109018F66388188900E006C00000000000003E9070501", "8F66"),
    ],
)
def test_the_alert_code_is_found_in_both_kinds_of_content(content: str, code: str) -> None:
    assert alert_code_of(alert(bytes.fromhex(content))) == code


@pytest.mark.parametrize("content", ["", "0109", "30030201", "0F200007D00002", "0F200007D000020116", "D920"])
def test_content_without_an_alert_code_is_refused(content: str) -> None:
    with pytest.raises(GbcsDecodeError):
        alert_code_of(alert(bytes.fromhex(content)))


def test_an_alert_is_for_its_addressee_or_whom_it_names_behind_the_broker() -> None:
    other = Eui64(bytes(8))
    assert alert_recipient(alert(b""), BROKER) == USER
    assert alert_recipient(alert(b"", BROKER), BROKER) == BROKER
    assert alert_recipient(alert(b"", BROKER, USER), BROKER) == USER
    assert alert_recipient(alert(b"", USER, other), BROKER) == USER


def test_published_outcomes_name_the_place_of_their_instruction(rtds: Path) -> None:
    places = {}
    for path in sorted((rtds / "gbcs" / "6.4.1_ECS28a").glob("*ALERT*.HEX")):
        instruction = instruction_of(decode_message(bytes.fromhex(path.read_text().strip())))
        assert instruction is not None
        places[path.stem.partition("_ALERT_")[2]] = instruction_place(USE_CASES["ECS28a"], instruction)
    wanted = {"SUPPLY_STATE_GBCS": (1, 4), "PERIOD_GBCS": (3, 4), "RESTORATION_PERIOD_GBCS": (4, 4)}
    assert places == {**wanted, **{name: place for name, place in places.items() if name not in wanted}}
    assert wanted.keys() <= places.keys()


def test_every_published_alert_has_a_code(rtds: Path) -> None:
    codes = []
    for path in sorted((rtds / "gbcs").rglob("*.HEX")):
        message = decode_message(bytes.fromhex(path.read_text().strip()))
        if message.cra is Cra.ALERT:
            codes.append(alert_code_of(message))
            named = [part for part in path.stem.split("_") if len(part) == 4 and part[:2] in {"8F", "81"}]
            assert not named or codes[-1] in named, path.name
    assert codes
    assert all(len(code) == 4 for code in codes)


@pytest.mark.parametrize(
    ("use_case", "change", "place"),
    [
        ("ECS28a", {}, (2, 4)),
        ("ECS28a", {"attribute": 4}, None),
        ("ECS28a", {"class_id": 1}, None),
        ("ECS28a", {"message_code": "0x0044"}, None),
        ("ECS42", {"message_code": "0x004F"}, None),
        ("GCA", {"message_code": "0x1000"}, None),
    ],
)
def test_an_instruction_has_its_place_among_the_activations(
    use_case: str, change: dict[str, object], place: tuple[int, int] | None
) -> None:
    instruction = {
        "message_code": "0x0043",
        "originator_counter": 1000,
        "class_id": 9000,
        "logical_name": "0-0:94.44.128.7",
        "attribute": 6,
        **change,
    }
    assert instruction_place(USE_CASES[use_case], instruction) == place  # type: ignore[arg-type]
