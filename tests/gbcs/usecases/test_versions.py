"""GBCS versions: order, three-valued knowledge, and which of two forms a device takes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from smetslab.errors import RegistryError, UsageError
from smetslab.gbcs.usecases import USE_CASES
from smetslab.gbcs.usecases.registry import _build
from smetslab.gbcs.usecases.versions import form_for, forms, newer_form, speaks
from smetslab.gbcs.versions import GbcsVersion, within

V = GbcsVersion.parse


def test_versions_are_in_order() -> None:
    texts = ("0.8.1", "1.0", "1.1", "2.0", "2.1", "3.2", "4.0", "4.1", "4.10")
    assert sorted(reversed([V(text) for text in texts])) == [V(text) for text in texts]
    assert [str(V(text)) for text in texts] == list(texts)
    assert V("GBCS v4.0") == V("4") == V("4.0.0")
    assert str(V("4")) == "4.0"


@pytest.mark.parametrize("text", ["", "4.x", "4 .1", "٤.1", "1.2.3.4.5", "-1", "GBCS"])
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="no GBCS version"):
        V(text)


@pytest.mark.parametrize(
    ("version", "answer"),
    [("1.0", False), ("2.0", False), ("2.1", None), ("3.2", True), ("4.0", True), ("4.1", False)],
)
def test_bounds_say_no_outside_yes_inside_and_nothing_where_nobody_knows(
    version: str, answer: bool | None
) -> None:
    if answer is None:
        assert within(V(version), first=None, last=V("4.0"), later_than=V("2.0")) is None
    else:
        assert within(V(version), first=V("3.2"), last=V("4.0"), later_than=V("2.0")) is answer


def test_newer_and_older_forms_are_ordered() -> None:
    old, new = USE_CASES["GCS21e"], USE_CASES["GCS21m"]
    assert newer_form(old) is new
    assert newer_form(new) is None
    assert forms(old) == forms(new) == (old, new)
    assert forms(USE_CASES["ECS17b"]) == (USE_CASES["ECS17b"],)


def test_both_forms_are_for_one_device_type_and_one_service() -> None:
    pairs = [(row, USE_CASES[row.replaces]) for row in USE_CASES.values() if row.replaces is not None]
    assert [(old.name, new.name) for new, old in pairs] == [
        ("ECS08", "ECS08a"),
        ("ECS26d", "ECS26l"),
        ("ECS26e", "ECS26m"),
        ("ECS26i", "ECS26n"),
        ("ECS30", "ECS30a"),
        ("ECS46c", "ECS46d"),
        ("ECS35f", "ECS35g"),
        ("CCS05/CCS04", "CCS06"),
        ("CS02a", "CS02f"),
        ("GCS21d", "GCS21k"),
        ("GCS25", "GCS25a"),
        ("GCS60", "GCS60a"),
        ("GCS24", "GCS24a"),
        ("GCS21e", "GCS21m"),
    ]
    for new, old in pairs:
        assert set(new.devices) & set(old.devices), new.name
        # 6.14.2 and 6.14.3 are one service in two forms as well.
        assert {srv.rpartition(".")[0] for srv in new.service_requests} == {
            srv.rpartition(".")[0] for srv in old.service_requests
        }, new.name


def test_what_the_schemas_need_is_in_the_version_they_are_aligned_with() -> None:
    assert speaks(USE_CASES["ECS26m"], V("4.3")) is True
    assert speaks(USE_CASES["ECS26e"], V("4.3")) is None
    assert speaks(USE_CASES["ECS26m"], V("2.0")) is None
    assert speaks(USE_CASES["ECS46d"], V("0.8.1")) is False
    first = replace(USE_CASES["ECS26m"], first_version=V("2.0"), version_source="this test")
    assert [speaks(first, V(text)) for text in ("1.0", "2.0", "3.2", "4.3", "9.0")] == [
        False,
        True,
        True,
        True,
        None,
    ]


def test_a_device_takes_the_newest_form_that_it_may_speak() -> None:
    assert form_for(USE_CASES["ECS26e"], V("4.1")).name == "ECS26m"
    assert form_for(USE_CASES["ECS46c"], V("0.8.1")).name == "ECS46c"
    assert form_for(USE_CASES["ECS46d"], V("0.8.1")).name == "ECS46c"


def test_a_form_of_nothing_is_refused() -> None:
    row = USE_CASES["ECS17b"]
    for odd in ("ECS17b", "ECS99"):
        with pytest.raises(RegistryError, match="cannot replace"):
            _build([replace(row, replaces=odd)])
    other = USE_CASES["ECS17a"]
    with pytest.raises(RegistryError, match="cannot replace"):
        _build(
            [
                row,
                other,
                replace(USE_CASES["ECS17c"], replaces="ECS17b"),
                replace(USE_CASES["ECS17d"], replaces="ECS17b"),
            ]
        )


def test_what_is_declared_has_a_source() -> None:
    for row in USE_CASES.values():
        declared = (row.first_version, row.last_version, row.later_than)
        assert all(version is None for version in declared) or row.version_source, row.name
