"""Limits that a laboratory may set on what users and devices do; every number is its own choice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

ANY: Final = "*"
"""A limit for every variant that has none of its own."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """At most `requests` within `window_s` seconds."""

    requests: int
    window_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AnomalyLimits:
    """`user` and `dcc`: by variant or `*`, for each user and for all together. `attributes`: lowest and
    highest ordinary value by `variant/element`, the element by its dotted name.
    """

    user: Mapping[str, Threshold] = field(default_factory=dict)
    dcc: Mapping[str, Threshold] = field(default_factory=dict)
    attributes: Mapping[str, tuple[int, int]] = field(default_factory=dict)


NO_LIMITS: Final = AnomalyLimits()
