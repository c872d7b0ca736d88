"""The hash chain: what breaks, and that the break is named where it is."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smetslab.harness.evidence.chain import GENESIS, MAX_LINE_BYTES, Break, ChainWriter, Link, read_chain


def chain(count: int = 6) -> list[bytes]:
    writer = ChainWriter()
    return [writer.append({"record": "x", "value": f"é{number}"}) for number in range(count)]


def breaks(data: bytes) -> list[tuple[int, str]]:
    return [(entry.sequence, entry.what) for entry in read_chain(data) if isinstance(entry, Break)]


def test_a_sound_chain_reads_back_as_it_was_written() -> None:
    lines = chain()
    links = [entry for entry in read_chain(b"".join(lines)) if isinstance(entry, Link)]
    assert [link.body for link in links] == [{"record": "x", "value": f"é{number}"} for number in range(6)]
    assert breaks(b"".join(lines)) == []
    first, second = json.loads(lines[0]), json.loads(lines[1])
    assert first["previous"] == GENESIS
    assert second["previous"] == first["hash"]


def test_an_empty_chain_has_neither_links_nor_breaks() -> None:
    assert list(read_chain(b"")) == []


@pytest.mark.parametrize("place", range(6))
def test_changed_content_is_named_alone(place: int) -> None:
    lines = chain()
    lines[place] = lines[place].replace(b'"x"', b'"y"')
    assert breaks(b"".join(lines)) == [(place, "altered: its content does not have its hash")]


@pytest.mark.parametrize("place", range(6))
def test_a_missing_record_is_named_unless_it_was_the_last(place: int) -> None:
    lines = chain()
    del lines[place]
    found = breaks(b"".join(lines))
    # Nothing in the chain can tell that its end is missing; the manifest's root does.
    assert found == ([(place, f"missing: record {place}, before line {place + 1}")] if place < 5 else [])


def test_a_missing_range_is_named_whole() -> None:
    lines = chain()
    del lines[2:4]
    assert breaks(b"".join(lines)) == [(2, "missing: records 2 to 3, before line 3")]


def test_a_repeated_and_a_moved_record_are_named() -> None:
    lines = chain()
    assert breaks(b"".join([*lines[:3], lines[1], *lines[3:]])) == [(1, "added, repeated or moved (line 4)")]
    moved = [lines[0], lines[2], lines[1], *lines[3:]]
    assert [sequence for sequence, _ in breaks(b"".join(moved))] == [1, 1]


def test_a_record_with_a_hash_made_anew_breaks_at_its_successor() -> None:
    lines = chain()
    writer = ChainWriter()
    for line in lines[:2]:
        body = json.loads(line)
        writer.append({"record": body["record"], "value": body["value"]})
    lines[2] = writer.append({"record": "x", "value": "forged"})
    assert breaks(b"".join(lines)) == [(3, "altered, or record 2 was: it is chained to another one")]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda line: b"not json\n", "not JSON"),
        (lambda line: b"[" * 100_000 + b"\n", "not JSON"),
        (lambda line: line.replace(b",", b", ", 1), "canonical"),
        (lambda line: b"[1]\n", "canonical"),
        (lambda line: b'{"hash":"x","previous":"y","sequence":true}\n', "no sequence number"),
        (lambda line: b'{"sequence":2}\n', "no sequence number"),
        (lambda line: b" " * (MAX_LINE_BYTES + 1) + b"\n", "too long"),
        (lambda line: line.replace("é".encode(), b"\xff"), "not JSON"),
    ],
)
def test_a_line_that_is_no_record_is_named_and_reading_goes_on(
    spoil: Callable[[bytes], bytes], said: str
) -> None:
    lines = chain()
    lines[2] = spoil(lines[2])
    [(sequence, what)] = breaks(b"".join(lines))
    assert sequence == 2
    assert said in what


def test_a_file_cut_in_its_last_line_says_so() -> None:
    data = b"".join(chain())[:-10]
    assert "cut short: the last line has no end" in [what for _, what in breaks(data)]


@given(st.binary(max_size=300))
def test_any_bytes_are_read_without_an_exception(data: bytes) -> None:
    for entry in read_chain(data):
        assert isinstance(entry, (Break, Link))


@given(st.data())
def test_any_altered_byte_is_found(data: st.DataObject) -> None:
    whole = b"".join(chain(3))
    place = data.draw(st.integers(0, len(whole) - 1))
    octet = data.draw(st.integers(0, 255).filter(lambda value: value != whole[place]))
    line = whole[:place].count(b"\n")
    found = breaks(whole[:place] + bytes((octet,)) + whole[place + 1 :])
    assert found, "the change was not found"
    assert min(sequence for sequence, _ in found) in (line, line + 1)
