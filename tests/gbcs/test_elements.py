"""Every element that a declaration names is one of the schemas, and of its request."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from lxml import etree

from smetslab.duis.srv import SERVICE_REQUESTS
from smetslab.gbcs.asn1.codec import types
from smetslab.gbcs.catalogue import exchange_paths, member_paths, rows
from smetslab.gbcs.dlms.shapes import INTEGER, Struct
from smetslab.gbcs.dlms.wording import shape_elements
from smetslab.gbcs.elements import elements_of, known
from smetslab.gbcs.usecases import USE_CASES
from smetslab.gbcs.usecases.asn1 import Asn1Payload
from smetslab.gbcs.usecases.dlms import activate, get, optional
from smetslab.gbcs.usecases.gbz import GbzAccess

XS = "{http://www.w3.org/2001/XMLSchema}"


def test_declarations_take_names_apart() -> None:
    name = known("price_scale", "PriceScale")
    assert (name, elements_of(name), elements_of(str(name))) == ("price_scale", ("PriceScale",), ())
    assert known("plain") == "plain"
    shape = Struct({name: INTEGER})
    assert {type(member) for member, _ in shape.members} == {str}
    assert shape_elements(shape, "charge") == {"charge.price_scale": ("PriceScale",)}
    item = optional(get(name, 1, "0-0:0.2.1.255", 2, INTEGER))
    assert (type(item.name), item.elements) == (str, ("PriceScale",))
    assert activate("later", 1, "0-0:0.2.1.255", 2).elements == ("ExecutionDateTime",)


def test_declared_elements_are_of_parameters_that_exist() -> None:
    for use_case in USE_CASES.values():
        payload = use_case.payload
        paths: dict[str, None] = {}
        declared: list[str] = []
        if isinstance(payload, GbzAccess):
            for exchange in payload.exchanges:
                paths |= exchange_paths(exchange)
            declared = list(payload.elements)
        elif isinstance(payload, Asn1Payload):
            for name in (payload.command, payload.response, payload.alert):
                paths |= {} if name is None else member_paths(types()[name])
            declared = list(payload.elements)
        assert [path for path in declared if path not in paths] == [], use_case.name


def test_most_use_cases_with_a_service_request_say_what_it_calls_their_values() -> None:
    silent = [
        row.name for row in rows() if row.service_requests and not any(item.elements for item in row.items)
    ]
    # What these do needs no value, or one that the DCC makes itself.
    assert silent == [
        *("ECS05", "ECS09", "ECS28b", "ECS42", "ECS43", "ECS44", "ECS29e", "ECS29f", "ECS15a", "ECS15c"),
        *("CCS03", "DBCH05", "ECS14", "ECS50", "GCS06", "CS11", "GCS32", "GCS39", "GCS11", "GCS36"),
    ]


# Against the schemas ----------------------------------------------------------------------------------------


class Schema:
    """What a published schema can say, by type."""

    def __init__(self, path: Path) -> None:
        root = etree.parse(path).getroot()
        self.named = {
            (one.tag, one.get("name")): one
            for one in root.iter()
            if one.tag in {XS + "complexType", XS + "group"}
        }
        self.names = set(self._names(root))
        self.bodies = {
            one.get("name"): one.get("type") for one in root.iter(XS + "element") if one.get("type")
        }

    @staticmethod
    def _names(root: etree._Element) -> Iterator[str]:
        for one in root.iter(XS + "element", XS + "attribute"):
            if one.get("name"):
                yield ("@" if one.tag == XS + "attribute" else "") + str(one.get("name"))

    def inside(self, type_name: str) -> set[str]:
        """Every element and attribute below a type."""
        found: set[str] = set()
        waiting, seen = [type_name], set()
        while waiting:
            name = waiting.pop().rpartition(":")[2]
            if name in seen:
                continue
            seen.add(name)
            one = self.named.get((XS + "complexType", name))
            one = self.named.get((XS + "group", name)) if one is None else one
            if one is None:
                continue
            found.update(self._names(one))
            for inner in one.iter():
                waiting += [str(inner.get(key)) for key in ("type", "base", "ref") if inner.get(key)]
        return found


@cache
def schema(kind: str) -> Schema:
    return Schema(Path(os.environ["SMETSLAB_SCHEMA"]) / f"{kind} Schema V5.4.xsd")


needs_schema = pytest.mark.skipif(
    not os.environ.get("SMETSLAB_SCHEMA"),
    reason="SMETSLAB_SCHEMA is not set; point it at the DUIS and MMC schemas",
)


@needs_schema
def test_every_declared_element_exists() -> None:
    existing = schema("DUIS").names | schema("MMC").names
    declared = {
        element
        for row in rows()
        for item in row.items
        for names in item.elements.values()
        for element in names
    }
    assert sorted(declared - existing) == []
    assert len(declared) > 250


def speakable(bodies: list[str]) -> set[str]:
    """What requests with these elements in their body and their responses can carry."""
    found: set[str] = set()
    for body in bodies:
        found |= schema("DUIS").inside(schema("DUIS").bodies[body])
        # What a response holds has the name of the body and Rsp; one has another name.
        found |= schema("MMC").inside(
            f"{body.replace('ConfigurationBilling', 'ConfigurationDataBilling')}Rsp"
        )
    return found


@needs_schema
def test_every_declared_element_is_one_that_its_service_request_can_carry() -> None:
    wrong = []
    for row in rows():
        bodies = [SERVICE_REQUESTS[srv].element for srv in row.service_requests if srv in SERVICE_REQUESTS]
        if not bodies or len(bodies) < len(row.service_requests):
            continue
        said = speakable(bodies)
        wrong += [
            f"{row.name} {path}: {', '.join(names)}"
            for item in row.items
            for path, names in item.elements.items()
            if said.isdisjoint(names)
        ]
    assert wrong == []
