"""Random bodies of every variant: valid, read back as they were written, and commands that say them or errors
that name the element.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest
from fuzzing.bodies import random_body

from smetslab.duis.codes import CommandVariant
from smetslab.duis.document import Request, RequestHeader, RequestId, write_request
from smetslab.duis.schema import DuisSchema
from smetslab.duis.srv import (
    SERVICE_REQUESTS,
    Context,
    ServiceRequest,
    UseCaseMapping,
    read_body,
    restore,
    to_parameters,
    transform_elements,
    write_body,
)
from smetslab.duis.srv.shapes import Attributed, Present, Sequence
from smetslab.duis.srv.simple import Boolean, Shape, Word
from smetslab.errors import DuisError, GbcsEncodeError
from smetslab.gbcs.codes import Cra, DeviceType
from smetslab.gbcs.message import Message, OtherInformation
from smetslab.gbcs.usecases import UseCase, decode_content, encode_content
from smetslab.gbcs.values import Parameters, Value
from smetslab.ids import Eui64
from smetslab.pki import TEST_DEVICES, Authority
from smetslab.rng import RootSeed

SUPPLIER, DEVICE = Eui64.parse("90B3D51F30010000"), Eui64.parse("00DB1234567890A0")
BODIES = 6
TRIES = 600
BY_DEVICES = [row for row in SERVICE_REQUESTS.values() if row.mappings]


@cache
def certificates() -> tuple[bytes, ...]:
    return tuple(one.der for one in Authority(RootSeed(5)).keystore(TEST_DEVICES).certificates())


def bodies(row: ServiceRequest, count: int) -> Iterator[tuple[Parameters, random.Random]]:
    for number in range(count):
        rng = random.Random(f"{row.variant} {number}")
        yield random_body(row, rng, certificates()), rng


def surroundings(mapping: UseCaseMapping, rng: random.Random) -> Context:
    return Context(
        now=datetime(2015, 1, 1, tzinfo=UTC),
        originator_counter=1000,
        peer_type=(mapping.peers or (DeviceType.PPMID,))[0],
        peer_certificate=certificates()[0],
        hub_log_han="0102030405060708",
        hub_log_devices=[],
        gas_proxy_log=[],
        twin_element=rng.random() < 0.5,
        customer_identification_number="1234",
    )


def header(use_case: UseCase) -> Message:
    return Message(
        cra=Cra.COMMAND,
        originator_counter=1000,
        business_originator_id=SUPPLIER,
        business_target_id=DEVICE,
        other_information=OtherInformation(message_code=use_case.code),
        content=b"",
    )


def fits(mapping: UseCaseMapping, elements: Parameters) -> bool:
    try:
        to_parameters(mapping, elements)
    except DuisError as error:
        return not error.what.startswith("not a request for")
    return True


def command(
    row: ServiceRequest, mapping: UseCaseMapping, elements: Parameters, facts: Context
) -> tuple[Parameters, bytes]:
    """The parameters and the content of the command. Raises DuisError."""
    made = transform_elements(row, mapping, elements, facts)
    try:
        content = encode_content(mapping.use_case, header(mapping.use_case), made.parameters)
    except GbcsEncodeError as error:
        raise made.refused(row, mapping.use_case, error) from None
    return made.parameters, content


@pytest.mark.parametrize("row", SERVICE_REQUESTS.values(), ids=lambda row: row.variant)
def test_a_body_of_the_shape_is_read_as_it_was_written(row: ServiceRequest) -> None:
    for elements, _ in bodies(row, BODIES):
        assert read_body(row, write_body(row, elements)) == elements


@pytest.fixture(scope="module")
def schema(schema_dir: Path) -> DuisSchema:
    return DuisSchema(schema_dir)


@pytest.mark.skipif(not os.environ.get("SMETSLAB_SCHEMA"), reason="SMETSLAB_SCHEMA is not set")
@pytest.mark.parametrize("row", SERVICE_REQUESTS.values(), ids=lambda row: row.variant)
def test_a_body_of_the_shape_is_valid(row: ServiceRequest, schema: DuisSchema) -> None:
    for elements, _ in bodies(row, 5):
        request = RequestHeader(
            request_id=RequestId(SUPPLIER, DEVICE, 1000),
            command_variant=CommandVariant.TRANSFORM if row.critical else CommandVariant.SEND,
            service_reference=row.reference,
            variant=row.variant,
        )
        schema.validate(write_request(Request(header=request, body=write_body(row, elements))))


@pytest.mark.parametrize("row", BY_DEVICES, ids=lambda row: row.variant)
def test_a_body_becomes_a_command_that_says_it_or_the_element_is_named(row: ServiceRequest) -> None:
    for elements, rng in bodies(row, BODIES):
        for mapping in row.mappings:
            if not fits(mapping, elements):
                continue
            facts = surroundings(mapping, rng)
            try:
                parameters, content = command(row, mapping, elements, facts)
            except DuisError as error:
                assert error.path.startswith(f"Request/Body/{row.element}"), error
                continue
            message = replace(header(mapping.use_case), content=content)
            assert decode_content(mapping.use_case, message) == parameters
            # What asks for it need not be the same body, but is one, and asks for the same.
            again, known = restore(mapping, parameters)
            assert to_parameters(mapping, again, known) == parameters
            kept = {name.partition(".")[0] for name in row.dcc_elements}
            whole = {**{name: value for name, value in elements.items() if name in kept}, **again}
            assert read_body(row, write_body(row, whole)) == whole


@pytest.mark.parametrize("row", BY_DEVICES, ids=lambda row: row.variant)
def test_every_use_case_of_a_variant_is_reached(row: ServiceRequest) -> None:
    left = list(row.mappings)
    for elements, rng in bodies(row, TRIES):
        for mapping in list(left):
            if fits(mapping, elements):
                try:
                    command(row, mapping, elements, surroundings(mapping, rng))
                except DuisError:
                    continue
                left.remove(mapping)
        if not left:
            return
    pytest.fail("never reached: " + ", ".join(mapping.use_case.name for mapping in left))


NOT_TO_A_DEVICE = {
    # Roles whose credentials no user replaces in this way.
    "6.15.1": {f"RemotePartyRole={role}" for role in ("ACB", "Recovery", "Root", "TransCoS")},
    "6.21": {f"RemotePartyRole={role}" for role in ("ACB", "Recovery", "Root", "TransCoS", "LoadController")},
}


def places(shape: Shape | Sequence | Attributed | Present, path: str = "") -> Iterator[str]:
    """Every element and attribute that a shape has, with each word that it may say."""
    yield path
    if isinstance(shape, Word):
        yield from (f"{path}={word}" for word in shape.words)
    elif isinstance(shape, Boolean):
        yield from (f"{path}=True", f"{path}=False")
    elif isinstance(shape, Attributed):
        for attribute in shape.attributes:
            yield from places(attribute.simple, below(path, f"@{attribute.name}"))
        simple = not isinstance(shape.shape, (Sequence, Present))
        yield from places(shape.shape, below(path, "value") if simple else path)
    elif isinstance(shape, Sequence):
        for child in shape.children():
            yield from places(child.shape, below(path, child.name))


def below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def said(value: Value, path: str = "") -> Iterator[str]:
    yield path
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from said(inner, below(path, name))
    elif isinstance(value, list):
        for inner in value:
            yield from said(inner, path)
    else:
        yield f"{path}={value}"


def becomes_a_command(row: ServiceRequest, elements: Parameters, rng: random.Random) -> bool:
    for mapping in row.mappings:
        if fits(mapping, elements):
            with suppress(DuisError):
                command(row, mapping, elements, surroundings(mapping, rng))
                return True
    return False


@pytest.mark.parametrize("row", BY_DEVICES, ids=lambda row: row.variant)
def test_every_element_and_word_of_a_body_is_said_by_some_command(row: ServiceRequest) -> None:
    left = set(places(row.body)) - NOT_TO_A_DEVICE.get(row.variant, set())
    for elements, rng in bodies(row, 2 * TRIES):
        new = left.intersection(said(elements))
        if new and becomes_a_command(row, elements, rng):
            left -= new
        if not left:
            return
    pytest.fail("never said: " + ", ".join(sorted(left)))
