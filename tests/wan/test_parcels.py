"""Publications between nodes: what was put in comes out, and nothing else is taken for one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smetslab.errors import CodecError
from smetslab.ids import Eui64
from smetslab.wan import WanMessage
from smetslab.wan.parcels import Parcel, Receipt, decode_parcels, encode_parcels

HUB = Eui64.parse("00DB1234567890A2")

names = st.text(st.characters(codec="utf-8", exclude_categories=("C",)), min_size=1, max_size=60)
nodes = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", fullmatch=True)
hubs = st.binary(min_size=8, max_size=8).map(Eui64)
kinds = st.sampled_from(("gbcs", "firmware", "hub-firmware"))
messages = st.builds(WanMessage, identity=names, hub=hubs, payload=st.binary(max_size=80), kind=kinds)
receipts = st.builds(Receipt, identity=names, hub=hubs)
parcels = st.tuples(st.sampled_from(("down", "up")), messages | receipts)


@given(nodes, st.lists(parcels, max_size=6))
def test_a_publication_comes_back_as_it_was(sender: str, batch: list[Parcel]) -> None:
    assert decode_parcels(encode_parcels(sender, batch)) == (sender, batch)


@given(nodes, st.lists(parcels, min_size=1, max_size=3), st.data())
def test_what_is_cut_off_is_refused_or_ends_between_two_parcels(
    sender: str, batch: list[Parcel], data: st.DataObject
) -> None:
    whole = encode_parcels(sender, batch)
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    borders = [encode_parcels(sender, batch[:number]) for number in range(len(batch))]
    if cut in borders:
        assert decode_parcels(cut) == (sender, batch[: borders.index(cut)])
    else:
        with pytest.raises(CodecError):
            decode_parcels(cut)


@given(st.binary(max_size=60))
def test_any_octets_are_a_publication_or_an_error(octets: bytes) -> None:
    try:
        sender, batch = decode_parcels(octets)
    except CodecError:
        return
    assert encode_parcels(sender, batch) == octets


@pytest.mark.parametrize("sender", ["", "x" * 65, "a/b", "#", "+"])
def test_what_is_no_name_of_a_node_is_refused(sender: str) -> None:
    with pytest.raises(CodecError):
        decode_parcels(bytes((len(sender),)) + sender.encode())
    with pytest.raises(CodecError):
        encode_parcels(sender, [("down", Receipt("m-1", HUB))])
