"""The variants that the DCC answers itself: bodies of published templates are read and written back."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from smetslab.duis.codes import CommandVariant
from smetslab.duis.document import Request, parse_request, write_request
from smetslab.duis.schema import DuisSchema
from smetslab.duis.srv import SERVICE_REQUESTS, read_body, write_body
from smetslab.duis.srv.nondevice import SCHEDULED
from smetslab.errors import DuisError

NON_DEVICE = (
    "5.1", "5.2", "5.3", "8.2", "8.3", "8.4", "8.6", "8.13", "8.14.1", "8.14.2", "8.14.3", "8.14.4", "11.1",
    "11.4", "12.1", "12.2",
)  # fmt: skip


def templates(rtds: Path) -> dict[str, Request]:
    found = {}
    for path in sorted((rtds / "duis").iterdir()):
        octets = path.read_bytes()
        if b"CommandVariant>8<" in octets:
            request = parse_request(octets)
            found[request.header.variant] = request
    return found


def test_sixteen_variants_are_answered_without_a_device() -> None:
    rows = {variant: row for variant, row in SERVICE_REQUESTS.items() if row.non_device}
    assert set(rows) == set(NON_DEVICE)
    assert all(not row.critical and not row.mappings for row in rows.values())


def test_published_bodies_are_read_and_written_back_and_stay_valid(rtds: Path, schema_dir: Path) -> None:
    schema = DuisSchema(schema_dir)
    requests = templates(rtds)
    assert len(requests) >= 12
    for variant, request in requests.items():
        row = SERVICE_REQUESTS[variant]
        assert request.header.command_variant is CommandVariant.NON_DEVICE
        elements = read_body(row, request.body)
        again = write_body(row, elements)
        assert read_body(row, again) == elements, variant
        schema.validate(write_request(Request(header=request.header, body=again)))


def test_every_schedulable_variant_has_its_own_element() -> None:
    elements = [element for element, _ in SCHEDULED.values()]
    assert len(set(elements)) == len(SCHEDULED) == 14
    assert all(re.fullmatch(r"DSP[A-Za-z]+", element) for element in elements)


@pytest.mark.parametrize(
    ("variant", "elements"),
    [
        ("8.2", {}),
        ("8.2", {"UPRN": 10**12}),
        ("8.2", {"UPRN": 1, "MPxN": "1"}),
        ("8.4", {"DeviceID": "00DB1234567890A0", "UpdateDeviceStatusExceptCH": "Commissioned"}),
        ("11.1", {"FirmwareImage": "00", "FirmwareVersion": "1", "DeviceIDList": "00-DB"}),
        ("12.2", {"DeviceID": "00DB1234567890A0", "DeviceManufacturer": "A", "DeviceModel": "B"}),
    ],
)
def test_a_body_that_the_schema_refuses_is_refused(variant: str, elements: dict[str, object]) -> None:
    with pytest.raises(DuisError):
        write_body(SERVICE_REQUESTS[variant], elements)  # type: ignore[arg-type]
