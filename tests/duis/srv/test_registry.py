"""The table of variants is complete for what it names, and refuses what cannot work."""

from __future__ import annotations

from dataclasses import replace

import pytest

from smetslab.duis.codes import UserRole
from smetslab.duis.element import Element
from smetslab.duis.srv import SERVICE_REQUESTS, find, read_body, registry, shapes, write_body
from smetslab.duis.srv.holes import At
from smetslab.duis.srv.model import Originator, body, mapping
from smetslab.duis.srv.shapes import Child
from smetslab.duis.srv.simple import Text
from smetslab.errors import DuisError, RegistryError
from smetslab.gbcs.codes import DeviceType
from smetslab.gbcs.usecases.registry import USE_CASES

TOP_UP = SERVICE_REQUESTS["2.2"]


def test_every_variant_of_the_schema_is_declared() -> None:
    assert len(SERVICE_REQUESTS) == 129
    for variant, row in SERVICE_REQUESTS.items():
        assert row.non_device != bool(row.mappings), variant


def test_every_use_case_that_names_a_variant_is_mapped_by_it_for_all_its_devices() -> None:
    unmapped = [
        (use_case.name, variant)
        for use_case in USE_CASES.values()
        for variant in use_case.service_requests
        if SERVICE_REQUESTS[variant].mapping_to(use_case) is None
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


def test_a_critical_command_has_somebody_who_signs_it() -> None:
    for row in SERVICE_REQUESTS.values():
        for one in row.mappings:
            by_dcc = one.originator is not Originator.USER
            assert row.critical or not one.use_case.critical or by_dcc, row.variant


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (replace(TOP_UP, dcc_elements=("Absent",)), "no element of the body"),
        (
            replace(TOP_UP, body=body(Child("UTRN", Text(1, 20)), Child("More", Text(1, 1)))),
            "elements that nothing reads: More",
        ),
        (replace(TOP_UP, body=shapes.EMPTY), "no such elements: UTRN"),
        (
            replace(TOP_UP, mappings=(mapping("CS01a", {"token": At("UTRN")}),)),
            "parameters not filled: utrn",
        ),
        (
            replace(TOP_UP, mappings=(mapping("ECS10", {"supplier_message": At("UTRN")}),)),
            "does not serve this variant",
        ),
        (replace(TOP_UP, critical=True), "one is critical"),
        (replace(SERVICE_REQUESTS["2.3"], critical=False), "nobody signs it"),
    ],
)
def test_a_row_that_cannot_work_is_refused(row: registry.ServiceRequest, message: str) -> None:
    registry.check_row(TOP_UP)
    with pytest.raises(RegistryError, match=message):
        registry.check_row(row)


@pytest.mark.parametrize("row", SERVICE_REQUESTS.values(), ids=SERVICE_REQUESTS)
def test_every_declared_row_can_work(row: registry.ServiceRequest) -> None:
    registry.check_row(row)


def test_a_gbz_command_that_is_no_part_of_the_use_case_is_refused() -> None:
    with pytest.raises(RegistryError, match="CS01b has no command publish_calendar"):
        mapping("CS01b", components_of={"publish_calendar": {}})
    with pytest.raises(ValueError, match="CS01a has no GBZ content"):
        mapping("CS01a", components_of={})


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
