"""The catalogue of the declarations: complete, searchable, and of the published schema."""

from __future__ import annotations

import json

import pytest

from smetslab.gbcs.catalogue import Catalogue, catalogue_schema, cosem_rows, row_of, rows, search, zcl_use
from smetslab.gbcs.dlms.wording import shape_words
from smetslab.gbcs.usecases import USE_CASES
from smetslab.gbcs.usecases.dlms import DlmsAccess
from smetslab.zigbee.zcl import CLUSTERS


def test_every_use_case_is_a_row_with_its_content() -> None:
    made = rows()
    assert [row.name for row in made] == list(USE_CASES)
    assert {row.payload for row in made} == {"DLMS", "GBZ", "ASN.1", "none"}
    assert [row.name for row in made if not row.items and row.payload != "none"] == []


def test_row_says_what_the_declaration_says() -> None:
    row = row_of(USE_CASES["ECS70"])
    assert (row.message_code, row.devices, row.critical, row.originator_roles, row.service_requests) == (
        "0x0062",
        ["ESME"],
        True,
        ["supplier"],
        ["6.11", "8.1.1"],
    )
    assert [item.name for item in row.items] == [
        "clock_base",
        "validity_interval",
        "adjust_to_preset_time",
        "device_time",
        "device_time_status",
    ]
    assert row.items[0].command == "always 1605"
    assert row.items[4].response == "unsigned (0 reliable, 1 invalid, 2 unreliable)"


def test_every_shape_has_words() -> None:
    for use_case in USE_CASES.values():
        for item in use_case.payload.items if isinstance(use_case.payload, DlmsAccess) else ():
            for shape in (item.command, item.response):
                assert shape is None or not shape_words(shape)[:1].isupper()


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("ECS17b", ["ECS17b"]),
        ("ecs17b", ["ECS17b"]),
        ("0x0062", ["ECS70"]),
        ("set clock", ["ECS70", "GCS28"]),
        ("clock gsme", ["GCS28"]),
        ("6.11 ESME", ["ECS70"]),
        ("validity_interval", ["ECS70"]),
        ("no such thing", []),
    ],
)
def test_search(query: str, expected: list[str]) -> None:
    assert [row.name for row in search(query)] == expected


def test_cosem_rows_gather_what_use_cases_do_to_an_object() -> None:
    (clock_time,) = [
        row
        for row in cosem_rows()
        if (row.class_id, str(row.obis), row.index, row.is_method) == (8, "0-0:1.0.0.255", 2, False)
    ]
    assert "device_time" in clock_time.names
    assert "ECS70" in clock_time.use_cases
    places = [(row.class_id, row.obis, row.index, row.is_method) for row in cosem_rows()]
    assert places == sorted(set(places))


def test_zcl_members_know_their_use_cases() -> None:
    used = zcl_use()
    assert "GCS13a" in used[0x0702, "current_summation_delivered"]
    assert all(
        name in CLUSTERS[cluster].attributes_by_name or name in CLUSTERS[cluster].commands_by_name
        for cluster, name in used
    )


def test_catalogue_is_of_its_schema() -> None:
    made = json.loads(Catalogue(use_cases=list(rows())).model_dump_json())
    assert Catalogue.model_validate(made).use_cases == list(rows())
    assert set(catalogue_schema()["properties"]) == {"schema_version", "use_cases"}  # type: ignore[arg-type]
