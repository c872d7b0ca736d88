"""The obligations a case can prove something about, and the checks of each, as data.

Identifiers are those of the Smart Energy Code and of the laboratory's check catalogue (`F4.3-C3`: the third
kind of check of obligation F4.3); the titles are our own words, and the legal text always wins. A case that
cites an identifier which is not here is refused at import.

Spec: SEC Section F4.
"""

from __future__ import annotations

from dataclasses import dataclass

from smetslab.errors import RegistryError


@dataclass(frozen=True, slots=True, kw_only=True)
class Obligation:
    """One obligation, or one check of an obligation (`parent` names it)."""

    id: str
    title: str
    owner: str
    parent: str | None = None


def _obligation(id_: str, owner: str, title: str, *checks: str) -> tuple[Obligation, ...]:
    return (
        Obligation(id=id_, title=title, owner=owner),
        *(
            Obligation(id=f"{id_}-C{number}", title=check, owner=owner, parent=id_)
            for number, check in enumerate(checks, start=1)
        ),
    )


_SUPPLIER = "Responsible Supplier"
_DCC = "DCC"
_BOTH = "DCC and each Supplier Party"

_TABLE = (
    _obligation(
        "F4.1",
        _SUPPLIER,
        "The metering system is not configured to cut back the minimum functions",
        "Audit of the configuration",
        "Sweep: one read and one write for each function group",
    ),
    _obligation(
        "F4.2",
        _DCC,
        "Communications Hubs work together with the DCC's systems",
        "Hub functions answer their use cases",
    ),
    _obligation(
        "F4.3",
        _SUPPLIER,
        "Every device answers GBCS Commands from or through the DCC",
        "Well-formed Command from a permitted role is answered and executed",
        "The same Command from any other role is not executed",
        "Commands that are not authentic, not addressed to the device or not supported are refused",
        "Replayed and lower counters are refused where the use case is protected",
        "Future-dated work is executed, reported and cancelled",
        "Values at and beyond the limits of their range",
        "The Response arrives within the configured time",
        "Published reference messages decode, encode and verify",
    ),
    _obligation(
        "F4.4(a)",
        _BOTH,
        "Testing has shown compliance with F4.2 and F4.3",
        "Coverage: no applicable use case is left without a result",
    ),
    _obligation(
        "F4.4(b)",
        _BOTH,
        "Evidence of the testing is kept and given on request",
        "The pack verifies offline with the laboratory's certificate alone",
        "Any altered byte is found",
        "One query returns the pack of a model and firmware",
        "Nothing is deleted without a trace before its retention ends",
    ),
    _obligation(
        "F4.5",
        _SUPPLIER,
        "The DCC has the remote access it needs to give its Services",
        "Send: critical and non-critical Commands are delivered",
        "Interrogate: registers, logs and status are read on demand",
        "Receive: Alerts reach the right Remote Party, buffered over an outage",
        "Obtain data: scheduled reads, profile data and billing data",
        "The access control broker's credentials are in place and are the DCC's",
        "Whatever bars the access is reported with its cause",
    ),
)

OBLIGATIONS: dict[str, Obligation] = {entry.id: entry for group in _TABLE for entry in group}


def obligation(id_: str) -> Obligation:
    """The entry called `id_`; RegistryError when there is none."""
    try:
        return OBLIGATIONS[id_]
    except KeyError:
        raise RegistryError(f"no obligation or check is called {id_!r}", rule="obligations") from None


def covers(cited: str, wanted: str) -> bool:
    """True when `cited` is `wanted`, or a check of it."""
    return cited == wanted or OBLIGATIONS[cited].parent == wanted


def obligation_of(id_: str) -> Obligation:
    """The obligation itself, for an obligation or one of its checks."""
    entry = obligation(id_)
    return entry if entry.parent is None else OBLIGATIONS[entry.parent]
