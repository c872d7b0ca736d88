"""The table of variants is complete for what it names, and refuses what cannot work."""

from __future__ import annotations

from dataclasses import replace

import pytest

from smetslab.duis.codes import FutureDating, UserRole
from smetslab.duis.element import Element
from smetslab.duis.srv import SERVICE_REQUESTS, find, read_body, registry, shapes, write_body
from smetslab.duis.srv.model import body, mapping
from smetslab.duis.srv.rules import Same
from smetslab.duis.srv.shapes import Child, Text
from smetslab.errors import DuisError, RegistryError
from smetslab.gbcs.codes import DeviceType
from smetslab.gbcs.usecases.registry import USE_CASES

TOP_UP = SERVICE_REQUESTS["2.2"]


def test_the_first_variants_are_there_with_their_use_cases() -> None:
    found = {
        variant: [one.use_case.name for one in row.mappings] for variant, row in SERVICE_REQUESTS.items()
    }
    wanted = {
        "2.2": "CS01a",
        "3.1": "ECS10",
        "4.1.1": "ECS17b",
        "4.2": "ECS17a",
        "4.6.1": "ECS21a",
        "4.8.1": "ECS22b",
        "4.11.1": "ECS24",
        "4.13": "ECS26a",
        "6.4.1": "ECS28a",
        "6.11": "ECS70",
        "7.1": "ECS42",
        "7.2": "ECS43",
        "7.3": "ECS44",
        "7.4": "ECS45",
        "8.1.1": "ECS70",
        "11.2": "ECS52",
    }
    for variant, use_case in wanted.items():
        assert use_case in found[variant], variant


def test_every_use_case_that_names_a_declared_variant_is_mapped_by_it() -> None:
    unmapped = [
        (use_case.name, variant)
        for use_case in USE_CASES.values()
        for variant in use_case.service_requests
        if variant in SERVICE_REQUESTS
        and SERVICE_REQUESTS[variant].mapping_to(use_case) is None
        and DeviceType.ESME in use_case.devices
    ]
    assert unmapped == []


def test_a_variant_is_found_by_number_and_carried_out_by_device_type() -> None:
    row = find("11.2")
    assert row is not None
    assert find("99.9") is None
    for device_type in (DeviceType.ESME, DeviceType.CHF):
        found = row.mapping_for(device_type)
        assert found is not None
        assert found.use_case.name == "ECS52"
    assert row.mapping_for(DeviceType.TYPE_2) is None


def test_criticality_and_future_dating_agree_with_the_use_cases() -> None:
    for row in SERVICE_REQUESTS.values():
        for one in row.mappings:
            assert row.critical == one.use_case.critical, row.variant
            by_device = row.future_dating in {FutureDating.DEVICE, FutureDating.DSP_AND_DEVICE}
            assert by_device == one.use_case.future_dateable, row.variant


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (replace(TOP_UP, dcc_elements=("Absent",)), "no element of the body"),
        (
            replace(TOP_UP, body=body(Child("UTRN", Text(1, 20)), Child("More", Text(1, 1)))),
            "not used exactly once: More",
        ),
        (replace(TOP_UP, body=shapes.EMPTY), "not used exactly once: UTRN"),
        (
            replace(TOP_UP, mappings=(mapping("CS01a", Same("UTRN", "utrn"), Same("UTRN", "other")),)),
            "not used exactly",
        ),
        (
            replace(TOP_UP, mappings=(mapping("CS01a", Same("UTRN", "token")),)),
            "parameters not filled: token, utrn",
        ),
        (
            replace(TOP_UP, mappings=(mapping("ECS10", Same("UTRN", "supplier_message")),)),
            "does not serve this variant",
        ),
        (replace(TOP_UP, critical=True), "one is critical"),
    ],
)
def test_a_row_that_cannot_work_is_refused_at_import(row: registry.ServiceRequest, message: str) -> None:
    registry.check_row(TOP_UP)
    with pytest.raises(RegistryError, match=message):
        registry.check_row(row)


def test_a_variant_declared_twice_is_refused() -> None:
    with pytest.raises(RegistryError, match="declared twice"):
        registry._build([TOP_UP, TOP_UP])
    with pytest.raises(RegistryError, match="declared twice"):
        registry._build([TOP_UP, replace(SERVICE_REQUESTS["7.4"], element=TOP_UP.element)])


def test_the_body_of_another_variant_is_refused() -> None:
    with pytest.raises(
        DuisError, match="not the body of this service request, expected TopUpDevice, found EnableSupply"
    ):
        read_body(TOP_UP, Element("EnableSupply"))
    with pytest.raises(DuisError, match="TopUpDevice/UTRN: wrong value, expected 20 digits"):
        write_body(TOP_UP, {"UTRN": "1234"})


def test_roles_are_the_words_of_the_matrix() -> None:
    assert [role.value for role in UserRole] == ["IS", "ES", "GS", "RSA", "ED", "GT", "OU"]
    assert set(SERVICE_REQUESTS["11.2"].eligible_roles) == set(UserRole)
    assert SERVICE_REQUESTS["7.1"].eligible_roles == (UserRole.IMPORT_SUPPLIER,)
