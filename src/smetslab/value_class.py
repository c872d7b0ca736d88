"""Value classes that are made by the thousand: frozen to the type checker, plain to the interpreter.

A frozen dataclass sets each of its fields through `object.__setattr__`, which makes it three times as slow to
build as a plain one with slots. What codecs build for every value of every message (`benchmarks/README.md`)
is declared with `value_class(frozen=True, slots=True)` instead: mypy refuses assignments to it as to any
frozen dataclass, equality and hash are those of its fields, and nothing stands in the way at run time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import dataclass as value_class
else:
    from dataclasses import dataclass

    def value_class(*, frozen, **options):
        """`dataclass` with the same options; `frozen`, which must be true, is the type checker's to hold."""
        if not frozen:
            raise TypeError("a value class is frozen")
        return lambda cls: dataclass(unsafe_hash="__hash__" not in vars(cls), **options)(cls)


__all__ = ["value_class"]
