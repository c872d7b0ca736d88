"""Every published message as a document of named values, and back."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import replace

import pytest

from smetslab.crypto import SIGNATURE_BYTES
from smetslab.errors import CodecError
from smetslab.gbcs.asn1.codec import LENGTH_FORM
from smetslab.gbcs.codes import Cra
from smetslab.gbcs.describe import describe
from smetslab.gbcs.document_text import read_document
from smetslab.gbcs.generic import content_from_generic, content_to_generic
from smetslab.gbcs.keys import opening_secret, sealed_parts
from smetslab.gbcs.message import Message, content_offset, decode_message, encode_message
from smetslab.gbcs.named import AUTO, MessageDocument, document_to_message, message_to_document
from smetslab.gbcs.triage import explain
from smetslab.gbcs.usecases import UseCase, encode_content, find
from smetslab.gbcs.values import Parameters, Value
from smetslab.rtds import MessageKeys

LEAVES = 8
"""So many leaves of each message are changed, chosen by chance from its octets."""


def text_of(document: MessageDocument) -> str:
    return json.dumps(document.model_dump(mode="json"))


def declared(message: Message) -> UseCase:
    use_case = find(message)
    assert use_case is not None
    return use_case


def test_the_json_of_its_names_gives_the_message_back(vector: bytes, keys: MessageKeys) -> None:
    message = decode_message(vector)
    document = message_to_document(message)
    assert document.parameters is not None
    assert document.content is None
    assert encode_message(document_to_message(read_document(text_of(document)))) == vector
    # What is protected in it is opened and sealed again.
    secret = opening_secret(message, keys.lookup)
    assert (secret is not None) is bool(sealed_parts(message))
    document = message_to_document(message, secret)
    assert "3100000000" not in json.dumps(document.parameters)
    assert encode_message(document_to_message(read_document(text_of(document)), keys.lookup)) == vector
    # So is the form that knows no use case.
    form = content_to_generic(message)
    assert list(form) != ["hex"]
    assert (
        content_from_generic(json.loads(json.dumps(form)), replace(message, content=b"")) == message.content
    )


def test_command_is_made_from_parameters_and_header(command: bytes, keys: MessageKeys) -> None:
    """MAC-only ones whole, MAC included; signed ones whole when the 64 octets of the signature are given.

    The signature of a remote party is made as well, and verifies.
    """
    message = decode_message(command)
    assert message.cra is Cra.COMMAND
    document = message_to_document(message)
    bare = document.model_copy(
        update={"signature": document.signature if message.signature else AUTO, "mac": AUTO}
    )
    if message.message_mac is not None and keys.check_mac(message) == "uncheckable":
        bare = bare.model_copy(update={"mac": document.mac})  # between devices whose keys nobody published
    if message.is_pre_command or (message.signature and message.message_mac is None):
        bare = bare.model_copy(update={"mac": None})
    assert encode_message(document_to_message(read_document(text_of(bare)), keys.lookup)) == command
    if not message.signature or keys.lookup.signing_key(message.business_originator_id) is None:
        return
    open_document = message_to_document(message).model_copy(update={"signature": AUTO, "mac": None})
    made = document_to_message(open_document, keys.lookup)
    assert len(made.signature or b"") == SIGNATURE_BYTES
    assert keys.check_signature(made) == "verified"
    assert made.content == message.content
    assert document_to_message(open_document, keys.lookup) == made


def test_nothing_is_wrong_with_it(vector: bytes, keys: MessageKeys) -> None:
    explanation = explain(vector, keys.lookup)
    assert [one.text for one in explanation.failures] == []
    assert explanation.use_case == declared(decode_message(vector)).name


# One leaf, its octets alone ---------------------------------------------------------------------------------

Path = tuple[str | int, ...]


def leaves(value: Value, path: Path = ()) -> Iterator[Path]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, (*path, name))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from leaves(inner, (*path, place))
    elif path[-1] not in {LENGTH_FORM, "cluster", "command"}:
        yield path


def at(value: Value, path: Path) -> Value:
    for step in path:
        value = value[step]  # type: ignore[index, call-overload]
    return value


def changed(value: Value, path: Path, leaf: Value) -> Value:
    if not path:
        return leaf
    if isinstance(value, dict):
        assert isinstance(path[0], str)
        return value | {path[0]: changed(value[path[0]], path[1:], leaf)}
    assert isinstance(value, list)
    assert isinstance(path[0], int)
    return [*value[: path[0]], changed(value[path[0]], path[1:], leaf), *value[path[0] + 1 :]]


WORDS = (
    "never",
    "immediate",
    "digitalSignature",
    "keyAgreement",
    "get",
    "set",
    "APC",
    "01",
    "prePaymentTopUp",
)
"""Values that some leaves take, and that no small change of their published values gives."""


def others(leaf: Value) -> Iterator[Value]:
    """Values that might stand in place of a leaf."""
    if isinstance(leaf, bool):
        yield not leaf
    elif isinstance(leaf, int):
        yield from (leaf ^ 1, leaf + 1, leaf - 1)
    elif isinstance(leaf, str):
        yield from (1, 0, 2)
        yield from (word for word in WORDS if word != leaf)
        for place in range(len(leaf) - 1, max(-1, len(leaf) - 4), -1):
            for digit in "0123456789ABCDEF":
                if leaf[place] != digit:
                    yield leaf[:place] + digit + leaf[place + 1 :]


FIXED = {
    "of",  # which command a Default Response answers
    "choice",  # what kind of item a result is of
    "calendar_type",  # decides what the entries of the calendar are
    "number_of_block_thresholds",  # of the list beside it
    "page",  # decides which channels the mask beside it can have
    "attributes",  # the list of the use case
    "channels",  # of the page beside them
    "command_accepted",  # a NULL
    "configuration_control",  # decides what the payload beside it is
    "maximum_demand_active_energy_import_reset",  # true says that the item is there
    "maximum_demand_configurable_time_active_power_import_reset",
    "maximum_demand_active_power_export_reset",
    "proposed_payment_control_configuration",  # a list of the bits that are set, in their order
}
"""Leaves that mean nothing by themselves: no other value fits beside what else is said."""


def test_changing_a_leaf_changes_the_octets_of_that_leaf_alone(vector: bytes) -> None:
    change_leaves(vector, LEAVES)


@pytest.mark.soak
def test_changing_any_leaf_changes_the_octets_of_that_leaf_alone(vector: bytes) -> None:
    unchanged = change_leaves(vector, None)
    assert [path for path in unchanged if not FIXED & set(path)] == []


def change_leaves(vector: bytes, most: int | None) -> list[Path]:
    """Change so many leaves (None: all), one at a time; those that no other value fits."""
    message = decode_message(vector)
    use_case = declared(message)
    parameters: Parameters = json.loads(json.dumps(message_to_document(message).parameters))
    before = fields(message)
    chance = random.Random(vector)
    paths = list(leaves(parameters))
    unchanged = []
    for path in paths if most is None else chance.sample(paths, min(most, len(paths))):
        content = other_content(use_case, message, parameters, path)
        if content is None:
            unchanged.append(path)
            continue
        after = fields(replace(message, content=content))
        if len(before) == len(after):
            touched = {old for old, new in zip(before, after, strict=True) if old != new}
        else:
            touched = set(middle(before, after)) | set(middle(after, before))
        # A value may stand there twice, such as the period for both logs of one read: then both change alike.
        assert len({name for name, _ in touched}) == 1, (path, touched)
    return unchanged


def fields(message: Message) -> list[tuple[str, bytes]]:
    """Names and octets of all fields of the content in order, but for lengths."""
    bare = replace(message, signature=None, message_mac=None)
    return [
        (one.name, one.raw)
        for one in describe(encode_message(bare)).leaves()
        if one.offset >= content_offset(bare) and "length" not in one.name
    ]


def middle(fields: list[tuple[str, bytes]], others: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    """The fields between those that both have at the start and those that both have at the end."""
    shorter = min(len(fields), len(others))
    first = next((n for n in range(shorter) if fields[n] != others[n]), shorter)
    rest, other_rest = fields[first:], others[first:]
    same = 0
    while same < min(len(rest), len(other_rest)) and rest[-1 - same] == other_rest[-1 - same]:
        same += 1
    return rest[: len(rest) - same]


def other_content(use_case: UseCase, message: Message, parameters: Parameters, path: Path) -> bytes | None:
    """The content with another value at `path`, of the same length if one is to be had; None without any."""
    longer = None
    for leaf in others(at(parameters, path)):
        other = changed(parameters, path, leaf)
        assert isinstance(other, dict)
        try:
            content = encode_content(use_case, message, other)
        except CodecError:
            continue
        if content == message.content:
            continue
        if len(content) == len(message.content):
            return content
        longer = longer or content
    return longer
