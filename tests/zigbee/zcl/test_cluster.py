"""Declared clusters: the mechanism, and every command of every registered cluster both ways."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from smetslab.errors import RegistryError, ZclDecodeError, ZclEncodeError
from smetslab.ids import Eui64
from smetslab.zigbee.zcl import (
    CLIENT_TO_SERVER,
    CLUSTERS,
    SERVER_TO_CLIENT,
    Cluster,
    Command,
    ZclFrame,
    attribute,
    command,
    counted,
    fields,
    find_command,
    optional,
    rest,
    to_end,
)
from smetslab.zigbee.zcl.clusters.tunnelling import Tunnelling
from smetslab.zigbee.zcl.types import (
    NO_DATA,
    Ieee,
    Int8,
    Octets,
    Text,
    UInt8,
    UInt16,
    UInt24,
    UInt32,
)


@contextmanager
def scratch_cluster() -> Iterator[type[Cluster]]:
    """A cluster with every kind of field, forgotten afterwards."""

    class Scratch(Cluster, id=0xFC00, spec="none"):
        reading = attribute(0x0000, UInt24, mandatory=True, units="Wh")
        flags = attribute(0x0000, UInt32, server=False)
        everything = command(
            0x00,
            CLIENT_TO_SERVER,
            fields(
                a=UInt8,
                b=UInt16,
                c=Int8,
                d=UInt24,
                who=Ieee,
                label=Octets,
                e=UInt32,
                list=counted(UInt8, fields(x=UInt8, y=counted(UInt8, UInt16))),
                f=optional(UInt16),
                g=optional(Text),
            ),
        )
        filled = command(0x00, SERVER_TO_CLIENT, fields(a=UInt8, list=to_end(fields(x=UInt16, y=UInt8))))
        empty = command(0x01, SERVER_TO_CLIENT)
        raw = command(0x02, SERVER_TO_CLIENT, fields(a=UInt8, data=rest()))

    try:
        yield Scratch
    finally:
        del CLUSTERS[0xFC00]


def row(cluster: type[Cluster], name: str) -> Command:
    return next(command for command in cluster.commands.values() if command.name == name)


FULL = dict(
    a=1,
    b=0x0302,
    c=-1,
    d=0x070605,
    who=Eui64(bytes(range(8))),
    label=b"\xaa\xbb",
    e=0x0C0B0A09,
    list=[{"x": 1, "y": [2, 3]}, {"x": 4, "y": []}],
)
FULL_WIRE = "01 0203 FF 050607 0706050403020100 02AABB 090A0B0C 02 01 02 0200 0300 04 00"


def test_a_declaration_reads_and_writes_every_kind_of_field() -> None:
    with scratch_cluster() as cluster:
        everything = row(cluster, "everything")
        record = everything.record(**FULL)
        assert everything.encode(record) == bytes.fromhex(FULL_WIRE)
        assert everything.decode(bytes.fromhex(FULL_WIRE)) == record
        assert record.as_dict() == FULL
        assert (record.integer("b"), record.octets("label")) == (0x0302, b"\xaa\xbb")
        assert [item.integer("x") for item in record.records("list")] == [1, 4]
        assert not record.has("f")


def test_optional_fields_may_be_missing_from_the_end_only() -> None:
    with scratch_cluster() as cluster:
        everything = row(cluster, "everything")
        for more, wire in (({"f": 5}, "0500"), ({"f": 5, "g": "ok"}, "0500 026F6B")):
            record = everything.record(**FULL, **more)
            assert everything.encode(record) == bytes.fromhex(FULL_WIRE + wire)
            assert everything.decode(bytes.fromhex(FULL_WIRE + wire)) == record
        with pytest.raises(ZclEncodeError, match="g: a field stands behind a missing one"):
            everything.record(**FULL, g="ok")
        with pytest.raises(ZclDecodeError, match=r"everything\.f: truncated at byte 31"):
            everything.decode(bytes.fromhex(FULL_WIRE + "05"))


def test_a_list_to_the_end_and_the_rest_as_octets() -> None:
    with scratch_cluster() as cluster:
        filled, raw, empty = (row(cluster, name) for name in ("filled", "raw", "empty"))
        record = filled.record(a=1, list=[{"x": 2, "y": 3}, {"x": 4, "y": 5}])
        assert filled.encode(record) == bytes.fromhex("01 020003 040005")
        assert filled.decode(bytes.fromhex("01")).records("list") == []
        with pytest.raises(ZclDecodeError, match=r"filled\.list\[1\]\.x: truncated at byte 9"):
            filled.decode(bytes.fromhex("01 020003 04"), base=5)
        assert raw.decode(b"\x01\x02\x03").octets("data") == b"\x02\x03"
        assert empty.encode(empty.record()) == b""


def test_octets_behind_the_last_field_are_kept_and_visible() -> None:
    with scratch_cluster() as cluster:
        empty = row(cluster, "empty")
        record = empty.decode(b"\x01\x02")
        assert record.trailing == b"\x01\x02"
        assert empty.encode(record) == b"\x01\x02"


def test_wrong_values_are_refused_by_field_name() -> None:
    with scratch_cluster() as cluster:
        everything, raw = row(cluster, "everything"), row(cluster, "raw")
        for change, path in (
            ({"a": 256}, "a"),
            ({"b": None}, "b"),
            ({"d": 2**24}, "d"),
            ({"list": [{"x": 256, "y": []}]}, r"list\[0\]\.x"),
            ({"list": [{"x": 1, "y": [1, 70000]}]}, r"list\[0\]\.y\[1\]"),
        ):
            with pytest.raises(ZclEncodeError, match=f"^{path}: "):
                everything.encode(everything.record(**{**FULL, **change}))
        for values, text in (
            ({"a": 1}, "data: missing field"),
            ({"a": 1, "data": b"", "zz": 1}, "zz: unknown field"),
            ({"a": [1], "data": b""}, "a: not a value"),
        ):
            with pytest.raises(ZclEncodeError, match=text):
                raw.record(**values)
        with pytest.raises(ZclEncodeError, match=r"list: .*a list"):
            everything.record(**{**FULL, "list": b"octets"})
        with pytest.raises(ZclEncodeError, match="a record of this field list"):
            raw.encode(everything.record(**FULL))


def test_a_record_does_not_hand_out_the_wrong_kind_of_value() -> None:
    with scratch_cluster() as cluster:
        record = row(cluster, "everything").record(**{**FULL, "label": None})
        for read in (record.octets, record.text, record.records):
            with pytest.raises(ZclDecodeError, match="label: unusable value"):
                read("label")
        with pytest.raises(ZclDecodeError):
            record.integer("who")


@pytest.mark.parametrize(
    "build",
    [
        lambda: fields(a=rest(), b=UInt8),
        lambda: fields(a=optional(UInt8), b=UInt8),
        lambda: fields(a=to_end(UInt8), b=rest()),
        lambda: counted(UInt8, rest()),
        lambda: to_end(fields()),
        lambda: to_end(fields(a=optional(UInt8))),
        lambda: counted(UInt8, NO_DATA),
    ],
)
def test_a_declaration_that_cannot_be_read_back_is_refused(build: Any) -> None:
    with pytest.raises(ZclEncodeError):
        build()


def test_two_rows_or_clusters_with_one_number_are_refused() -> None:
    with pytest.raises(RegistryError, match="cluster 0x0704 is declared twice"):

        class Second(Cluster, id=0x0704, spec="none"):
            pass

    with pytest.raises(RegistryError, match="command 0x01"):

        class TwoCommands(Cluster, id=0xFC01, spec="none"):
            one = command(1, CLIENT_TO_SERVER)
            other = command(1, CLIENT_TO_SERVER)

    with pytest.raises(RegistryError, match="attribute 0x0001"):

        class TwoAttributes(Cluster, id=0xFC01, spec="none"):
            one = attribute(1, UInt8)
            other = attribute(1, UInt8)

    assert 0xFC01 not in CLUSTERS
    with scratch_cluster() as cluster:
        assert {name for _, name in cluster.attributes} == {0}
        assert len(cluster.attributes) == 2


def test_the_declared_command_of_a_frame_is_found() -> None:
    def frame(**change: Any) -> ZclFrame:
        values = {"cluster_specific": True, "server_to_client": False, "sequence": 1, "command": 2, **change}
        return ZclFrame(**values)

    assert find_command(0x0704, frame()) is Tunnelling.transfer_data_to_server
    assert find_command(0x0704, frame(server_to_client=True)) is Tunnelling.transfer_data_error_to_client
    assert find_command(0x0704, frame(command=0x77)) is None
    assert find_command(0x0704, frame(cluster_specific=False)) is None
    assert find_command(0x0704, frame(manufacturer_code=0xFFF1)) is None
    assert find_command(0xFCFF, frame()) is None
