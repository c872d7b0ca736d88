"""What DUIS and MMC call a parameter, said where the parameter is named.

A service user writes a request with the elements of the DUIS schema and reads a response with those of the
MMC schema; GBCS names the same values otherwise or not at all. `known("meter_balance", "MeterBalance")` is
the name `meter_balance`, and says that it is the value of that element. Attributes of elements begin with
`@`. A name that several use cases share may be several elements, one in each.

Spec: DUIS XML schema 5.4; MMC XML schema 5.4
"""

from __future__ import annotations

from collections.abc import Mapping


class _Known(str):
    """A name that knows its elements. Declarations take it apart; it never gets into parameters."""

    __slots__ = ("elements",)

    elements: tuple[str, ...]


def known(name: str, *elements: str) -> str:
    """`name`, which DUIS or MMC know as `elements`."""
    if not elements:
        return name
    made = _Known(name)
    made.elements = elements
    return made


def elements_of(name: str) -> tuple[str, ...]:
    """The elements that a declared name was given, none for a plain one."""
    return name.elements if isinstance(name, _Known) else ()


Elements = dict[str, tuple[str, ...]]
"""Elements by the name of a parameter, or by its path in dots."""


def below(path: str, inner: Mapping[str, tuple[str, ...]]) -> Elements:
    """`inner` with its names put below `path`."""
    return {f"{path}.{name}": elements for name, elements in inner.items()}
