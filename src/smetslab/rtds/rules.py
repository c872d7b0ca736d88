"""What a scenario needs beside its command: overlays of the world, the injected fault, the number of alerts.

A general rule, with named exceptions as rows. A row is a fact about the published scenarios that neither
their commands nor the state of a device tell; nothing here is taken from a response while a replay runs.

Spec: RTDS 4.5.0; GBCS 7.3 (break on error), 9.2 (alerts of future-dated commands).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

LAST_BUT_ONE: Final = -2
"""Where a command of an ERROR scenario fails unless a row says otherwise: at its last item but one, or at its
only one. Counted from the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One row: what it says of the scenarios whose `FOLDER/STEM` its pattern is found in.

    `overlays` are added to those of earlier rows. `fault_item`: the item (from 0, or from the end when
    negative) that fails in an ERROR scenario; `fault_result`: with which result, None is a hardware fault.
    `no_fault`: the scenario fails by its state alone. `alert_counter`: the device's counter before the
    first alert.
    """

    scenarios: str
    overlays: tuple[str, ...] = ()
    fault_item: int | None = None
    fault_result: int | None = None
    no_fault: bool = False
    alert_counter: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """All that the rows say of one scenario."""

    overlays: tuple[str, ...]
    faulty: bool
    fault_item: int
    fault_result: int | None
    alert_counter: int | None


def circumstances(name: str, rules: Iterable[Rule]) -> Circumstances:
    """What holds for the scenario `FOLDER/STEM`. A later row overrules an earlier one."""
    overlays: list[str] = []
    item, result, counter = LAST_BUT_ONE, None, None
    faulty = re.search(r"_ERROR(_|$)", name) is not None
    for rule in rules:
        if re.search(rule.scenarios, name) is None:
            continue
        overlays += [overlay for overlay in rule.overlays if overlay not in overlays]
        if rule.fault_item is not None:
            item, result = rule.fault_item, rule.fault_result
        if rule.no_fault:
            faulty = False
        if rule.alert_counter is not None:
            counter = rule.alert_counter
    return Circumstances(
        overlays=tuple(overlays),
        faulty=faulty,
        fault_item=item,
        fault_result=result,
        alert_counter=counter,
    )


def fault_place(item: int, count: int) -> int:
    """The item of a command with `count` items that a row means."""
    place = item if item >= 0 else count + item
    return min(max(place, 0), max(count - 1, 0))
