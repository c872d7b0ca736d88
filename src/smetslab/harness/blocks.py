"""GBCS octets as trees of named fields: whole messages, and the blocks that carry long ones.

Spec: GBCS 7.2.7, 7.2.11.
"""

from __future__ import annotations

from smetslab.gbcs.describe import describe
from smetslab.gbcs.gbt import Block, decode_block, is_block
from smetslab.harness.decoding import Field, Node
from smetslab.ids import format_message_code
from smetslab.wire import ber_length


def describe_gbcs(data: bytes) -> Node:
    """The tree of a message or a block. GbcsDecodeError when it begins as a block and is none."""
    return describe_block(data) if is_block(data) else describe(data)


def describe_block(data: bytes) -> Node:
    """The tree of one block; its data stay octets, because a part of a message says nothing by itself."""
    block = decode_block(data)
    rows: list[Node] = []
    offset = 0
    for name, length, text in _layout(block, len(data)):
        rows.append(Field(name=name, offset=offset, raw=data[offset : offset + length], text=text))
        offset += length
    what = f"block {block.number}" if block.data else f"acknowledgement up to block {block.acknowledged}"
    way = f"{block.business_originator_id} to {block.business_target_id}, counter {block.originator_counter}"
    return Field(
        name=f"{format_message_code(block.message_code)} {what}",
        offset=0,
        raw=data,
        text=f"{way}, {len(block.data)} octets{', the last' if block.last else ''}",
        children=rows,
    )


def _layout(block: Block, total: int) -> list[tuple[str, int, str]]:
    """The fields in order: name, octets, meaning."""
    data_length = len(ber_length(len(block.data)))
    inner = len(block.security_header) + 6 + data_length + len(block.data)
    flags = ", ".join(
        name for name, is_set in (("last", block.last), ("streaming", block.streaming)) if is_set
    )
    return [
        ("tag", 1, "general-ciphering"),
        ("transaction id length", 1, "9: a block"),
        ("CRA flag", 1, block.cra.name.lower()),
        ("originator counter", 8, str(block.originator_counter)),
        ("originator length", 1, "8"),
        ("business originator id", 8, str(block.business_originator_id)),
        ("recipient length", 1, "8"),
        ("business target id", 8, str(block.business_target_id)),
        ("date-time length", 1, "0"),
        ("other information length", 1, "2"),
        ("message code", 2, format_message_code(block.message_code)),
        ("key info", 1, "absent"),
        ("ciphered service length", total - 34 - inner, str(inner)),
        ("security header", len(block.security_header), ""),
        ("block tag", 1, "general-block-transfer"),
        ("block control", 1, f"window {block.window}{f', {flags}' if flags else ''}"),
        ("block number", 2, str(block.number)),
        ("block number acknowledged", 2, str(block.acknowledged)),
        ("block data length", data_length, str(len(block.data))),
        ("block data", len(block.data), f"{len(block.data)} octets"),
    ]
