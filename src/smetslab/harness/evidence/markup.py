"""HTML from Python values: every text is escaped unless it is markup already."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TypeAlias

_VOID = frozenset({"br", "hr", "img", "input", "link", "meta"})

# Control and bidirectional formatting characters would make a page show something else than it holds.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


Child: TypeAlias = "Markup | str | int | Iterable[Child] | None"
Attribute: TypeAlias = "str | int | bool | None"


def escape(text: str) -> Markup:
    """`text` for the inside of an element or a quoted attribute; characters nobody can see become visible."""
    shown = _INVISIBLE.sub(lambda found: f"[U+{ord(found[0]):04X}]", text)
    return Markup(
        shown.replace("&", "&amp;")
        .replace("<", "&lt;")
        .replace(">", "&gt;")
        .replace('"', "&quot;")
        .replace("'", "&#39;")
    )


def join(children: Iterable[Child]) -> Markup:
    """Children one after the other."""
    parts: list[str] = []
    _collect(children, parts)
    return Markup("".join(parts))


def el(element: str, *children: Child, **attributes: Attribute) -> Markup:
    """One element. `class_` is class, `aria_label` aria-label; True is a bare attribute, None and False
    none.
    """
    parts = [f"<{element}"]
    for name, value in attributes.items():
        if value is None or value is False:
            continue
        spelt = name.rstrip("_").replace("_", "-")
        parts.append(f" {spelt}" if value is True else f' {spelt}="{escape(str(value))}"')
    parts.append(">")
    if element in _VOID:
        return Markup("".join(parts))
    _collect(children, parts)
    parts.append(f"</{element}>")
    return Markup("".join(parts))


def _collect(children: Iterable[Child], parts: list[str]) -> None:
    for child in children:
        match child:
            case None:
                continue
            case Markup():
                parts.append(child)
            case str():
                parts.append(escape(child))
            case int():
                parts.append(str(child))
            case _:
                _collect(child, parts)
