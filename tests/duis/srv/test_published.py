"""Published request documents, as they are and with one value altered: the command says what the XML says.

The XML is read here by another library and without any declaration, so that a value that the mappings lose,
mix up or take from a constant shows.
"""

from __future__ import annotations

import os
import random
import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
from lxml import etree

from smetslab.duis.document import parse_request
from smetslab.duis.srv import (
    SERVICE_REQUESTS,
    Context,
    Target,
    UseCaseMapping,
    choose,
    read_body,
    restore,
    to_parameters,
    transform_elements,
    write_body,
)
from smetslab.errors import DuisError
from smetslab.gbcs.codes import DeviceType
from smetslab.gbcs.values import Parameters, Value

SR = "{http://www.dccinterface.co.uk/ServiceUserGateway}"
FOLDER = os.environ.get("SMETSLAB_RTDS", "")
TEMPLATES = sorted(Path(FOLDER, "duis").glob("*.XML")) if FOLDER else []
ALTERED = 8
# The device ids of the data set. Spec: the data set itself (last octet of the target).
DEVICES = {
    0xA0: DeviceType.ESME,
    0xA1: DeviceType.GSME,
    0xA2: DeviceType.CHF,
    0xA3: DeviceType.GPF,
    0xA4: DeviceType.PPMID,
    0xA5: DeviceType.HCALCS,
    0xA6: DeviceType.ESME,
}
KNOWN = Context(
    now=datetime(2015, 1, 1, tzinfo=UTC),
    originator_counter=1000,
    peer_type=DeviceType.PPMID,
    peer_certificate=b"\x30\x03\x02\x01\x05",
    hub_log_han="0102030405060708",
    hub_log_devices=[],
    gas_proxy_log=[],
    customer_identification_number="1234",
)

pytestmark = pytest.mark.skipif(not TEMPLATES, reason="SMETSLAB_RTDS is not set")


@cache
def sent(template: Path) -> tuple[UseCaseMapping, Parameters] | None:
    """The use case and the elements of a document, None where no device is asked."""
    request = parse_request(template.read_bytes())
    row = SERVICE_REQUESTS[request.header.variant]
    elements = read_body(row, request.body)
    device = DEVICES.get(request.header.request_id.target.raw[-1])
    mapping = None if device is None else choose(row, Target(device_type=device), elements)
    return None if mapping is None else (mapping, elements)


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name.partition("_REQUEST")[0])
def test_a_published_document_is_read_whole_and_found_again_in_its_command(template: Path) -> None:
    request = parse_request(template.read_bytes())
    row = SERVICE_REQUESTS[request.header.variant]
    elements = read_body(row, request.body)
    assert read_body(row, write_body(row, elements)) == elements
    found = sent(template)
    if found is None:
        assert row.non_device or row.variant == "4.1.1"
        return
    mapping, elements = found
    # Everything has a part in the command, or this is an error.
    parameters = transform_elements(row, mapping, elements, KNOWN).parameters
    again, facts = restore(mapping, parameters)
    assert to_parameters(mapping, again, facts) == parameters
    kept = {name.partition(".")[0] for name in row.dcc_elements}
    write_body(row, {**{name: value for name, value in elements.items() if name in kept}, **again})


# One value altered ------------------------------------------------------------------------------------------

# What the command has no place for, or where only certain values make a difference.
WITHOUT_EFFECT = {
    # Section 1.6 of the published world's rules: not visible in the charge list of ECS03.
    "ECS03_1.6": r"SuspendDebtEmergency",
    # A cancellation sets no floors.
    "CS02bSupplierByTransCoS_6.23_CANCELLATION": r"Supplier(PrepaymentTopUp)?FloorSeqNumber",
    # Asks for the published number of samples whatever the window.
    "GCS18_4.10": r"ReadLogPeriod",
    "": r"NumberOfThresholds|OldCHFID|ImportMP|ExportMP|GPFDeviceID",
}


def later(text: str, form: str, width: timedelta) -> str:
    return (datetime.strptime(text, form) + width).strftime(form)  # noqa: DTZ007 (always UTC)


def alterations(text: str) -> Iterator[str]:
    """Other values of the same kind, as XML writes them."""
    if re.fullmatch(r"[+-]?[0-9]{1,19}", text):
        yield from (str(int(text) + 1), str(int(text) - 1))
    elif re.fullmatch(r"[0-9]+\.[0-9]+", text):
        for last in "13":
            yield text[:-1] + last
    elif re.fullmatch(r"[0-9]{4}-[0-9-]{5}T[0-9:]{8}\.00Z", text):
        yield later(text, "%Y-%m-%dT%H:%M:%S.00Z", timedelta(days=1))
    elif re.fullmatch(r"[0-9]{4}-[0-9-]{5}Z", text):
        yield later(text, "%Y-%m-%dZ", timedelta(days=1))
    elif re.fullmatch(r"[0-9:]{8}\.00Z", text):
        yield later(text, "%H:%M:%S.00Z", timedelta(minutes=30))
    elif text in {"true", "false"}:
        yield "false" if text == "true" else "true"
    elif re.fullmatch(r"(?:[0-9A-F]{2}-){7}[0-9A-F]{2}", text):
        yield text[:-1] + ("1" if text[-1] != "1" else "2")
    elif 0 < len(text) < 200:
        yield text[:-1] + ("x" if text[-1] != "x" else "y")


def leaves(value: Value) -> Iterator[str]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner)
    else:
        yield str(value)


def is_said(where: str, text: str, effect: set[str]) -> bool:
    """Whether the command got a number or a moment as its own: as it is, as a part of a date or a long text,
    or counted from the start of its own list.
    """
    if re.search(r"TolerancePeriod|SpecialDayID|ConsumptionLog/ReadLogPeriod/EndDateTime", where):
        # The end of an interval, bits, and a number of days.
        return True
    if re.search(r"Specified|DayOfMonth|Month|MPAN", where):
        return any(text.rjust(2, "0") in one for one in effect)
    ways = ways_to_say(text)
    return not ways or bool(effect & ways)


def ways_to_say(text: str) -> set[str]:
    if re.fullmatch(r"[+-]?[0-9]+", text):
        number = int(text)
        # Texts of digits stay texts; scripts begin at 100 and 200; a block's threshold lies below its price.
        return {text, str(number), f"{number & 0xFF:02X}", *(str(number + base) for base in (100, 200, -1))}
    if text.endswith(".00Z") and "T" in text:
        return {text.replace(".00Z", "Z")}
    return set()


def place(element: etree._Element) -> str:
    """The names of an element and all above it in the body."""
    names = [str(one.tag).removeprefix(SR) for one in element.iterancestors()]
    names = [*reversed(names[: names.index("Body")]), str(element.tag).removeprefix(SR)]
    return "/".join(names)


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name.partition("_REQUEST")[0])
def test_an_altered_value_is_in_the_command(template: Path) -> None:
    found = sent(template)
    if found is None:
        return
    mapping, elements = found
    row = SERVICE_REQUESTS[parse_request(template.read_bytes()).header.variant]
    before = Counter(leaves(to_parameters(mapping, elements, KNOWN)))
    tree = etree.parse(template)
    body = tree.getroot().find(f"{SR}Body")
    assert body is not None
    values = [one for one in body.iter(f"{SR}*") if not len(one) and one.text]
    for element in random.Random(template.name).sample(values, min(ALTERED, len(values))):
        where = place(element)
        old = str(element.text)
        if any(where.startswith(f"{row.element}/{kept}") for kept in row.dcc_elements):
            continue
        for new in alterations(old):
            element.text = new
            try:
                altered = read_body(row, parse_request(etree.tostring(tree)).body)
            except DuisError:
                continue
            try:
                parameters = transform_elements(row, mapping, altered, KNOWN).parameters
            except DuisError as error:
                # Another use case says it, or none does.
                named = re.sub(r"\[[0-9]+\]", "", error.path).removeprefix("Request/Body/")
                assert where.startswith(named) or named.startswith(where), error
                continue
            after = Counter(leaves(parameters))
            effect = set(after - before)
            if after != before:
                assert not effect or is_said(where, new, effect), f"{where}: {new} became {effect}"
            else:
                silent = [name for stem, name in WITHOUT_EFFECT.items() if template.name.startswith(stem)]
                assert re.search("|".join(silent), where), f"{where}: {new} is nowhere in the command"
            break
        element.text = old


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name.partition("_REQUEST")[0])
def test_a_list_with_an_item_less_is_a_shorter_list_in_the_command(template: Path) -> None:
    found = sent(template)
    if found is None:
        return
    mapping, elements = found
    row = SERVICE_REQUESTS[parse_request(template.read_bytes()).header.variant]
    before = Counter(leaves(to_parameters(mapping, elements, KNOWN)))
    tree = etree.parse(template)
    last = [
        one
        for one in tree.getroot().iter(f"{SR}*")
        if (previous := one.getprevious()) is not None
        and previous.tag == one.tag
        and ((following := one.getnext()) is None or following.tag != one.tag)
    ]
    for element in last:
        where, parent = place(element), element.getparent()
        assert parent is not None
        parent.remove(element)
        try:
            shorter = read_body(row, parse_request(etree.tostring(tree)).body)
            parameters = transform_elements(row, mapping, shorter, KNOWN).parameters
        except DuisError as error:
            assert error.path.startswith("Request/Body/"), error
        else:
            after = Counter(leaves(parameters))
            assert after != before, where
        return
