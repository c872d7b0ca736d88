"""Alert and event codes and their names."""

from __future__ import annotations

from smetslab.gbcs.alert_codes import ALERT_NAMES, UNVERIFIED_NAMES, alert_name, alert_text
from smetslab.gbcs.dlms.forms import EVENT_BITS


def test_every_published_code_has_a_name_of_its_own() -> None:
    assert len(ALERT_NAMES) == 188
    assert len(set(ALERT_NAMES.values())) == 188
    assert all(name == name.strip() and "  " not in name for name in ALERT_NAMES.values())


def test_codes_are_in_order_and_have_the_three_prefixes_of_event_settings() -> None:
    assert list(ALERT_NAMES) == sorted(ALERT_NAMES)
    assert {code // EVENT_BITS for code in ALERT_NAMES} == {0x80, 0x81, 0x8F}


def test_names_by_code() -> None:
    assert alert_name(0x8F0A) == "Billing Data Log Updated"
    assert alert_text(0x8F66) == "8F66 Future-date HAN Interface Command Successfully Actioned"
    assert (alert_name(0x8FFF), alert_text(0x8FFF)) == (None, "8FFF")


def test_open_names_are_among_the_codes() -> None:
    assert set(UNVERIFIED_NAMES) < set(ALERT_NAMES)
