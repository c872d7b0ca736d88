"""The parts of the documentation that are made from the code.

`python tests/docs/tables.py` writes them into the pages, between `<!-- made: NAME -->` and `<!-- end -->`;
`test_tables.py` fails when a page does not say what the code says.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import io
import pkgutil
import re
import tokenize
from collections.abc import Callable, Iterator
from dataclasses import fields
from datetime import timedelta
from pathlib import Path

from smetslab.dcc.access import CHECKS
from smetslab.dcc.desk import SERVICES
from smetslab.dcc.life_cycle import ALLOWED
from smetslab.dcc.rules import DccRules
from smetslab.devices import limits
from smetslab.devices.quirks import QUIRKS
from smetslab.duis.dcc_alerts import default_codes
from smetslab.duis.srv import SERVICE_REQUESTS
from smetslab.duis.srv.listing import MappingRow, listed
from smetslab.gbcs.gbt import BlockRules
from smetslab.gbcs.usecases import USE_CASES
from smetslab.gbcs.usecases.dlms import DlmsAccess
from smetslab.han import TunnelRules
from smetslab.registry.life_cycle import TRANSITIONS, LifeEvent
from smetslab.zigbee.zcl import CLUSTERS, Attribute, Command, clusters

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
SOURCES = ROOT / "src" / "smetslab"
SUITE_TEST = ROOT / "tests" / "harness" / "suites" / "test_f4_smoke.py"

_PART = re.compile(r"(<!-- made: ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_WHOLE = "the whole row"
_OPEN = re.compile(r"\bunverified\b", re.IGNORECASE)
_MARK = re.compile(r"\. Unverified\.$|; the number is unverified\.$")
_SAID_ELSEWHERE = re.compile(
    r"whose name or meaning no vector|names the fields of the row|^Sizes and timers|^Timers and sizes"
)
"""Texts that explain the marks, and those of rules, which are in a table of their own."""

RULES: dict[type, dict[str, str]] = {
    BlockRules: {
        "window": "blocks that leave before an acknowledgement is awaited",
        "resend_after_s": "wait for an acknowledgement of blocks",
        "attempts": "how often blocks are sent",
        "reassembly_limit_s": "how long the blocks of a message are waited for",
        "concurrent": "messages that are put together at the same time",
    },
    TunnelRules: {
        "response_timeout_s": "wait for an answer about a tunnel",
        "unreachable_retry_s": "when a device that did not answer is asked again",
        "give_up_s": "how long a message waits for a tunnel",
        "server_max_tunnels": "tunnels that a device keeps open",
    },
    DccRules: {
        "response_timeout_s": "how long the DCC waits for a response",
        "sleeper_timeout_s": "how long it waits for that of a gas meter, which sleeps",
        "delivery_timeout_s": "how long the DCC tries to hand a command to the WAN",
        "retry_interval_s": "how long between two tries",
        "sequence_timeout_s": "how long a request waits for the one before it",
        "image_timeout_s": "how long the DCC tries to hand a firmware image to the WAN",
    },
}
"""The members of rules that no published text fixes, and what they are."""


def table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    lines = [f"| {' | '.join(row)} |\n" for row in (head, *rows)]
    return "".join((lines[0], "|---" * len(head) + "|\n", *lines[1:]))


def caught_by() -> dict[str, str]:
    """The case that finds each quirk, as the test of the suite proves it."""
    spec = importlib.util.spec_from_file_location("smetslab_suite_test", SUITE_TEST)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: dict[str, str] = module.CAUGHT_BY
    return found


def quirks() -> str:
    cases = caught_by()
    rows = ((f"`{q.name}`", q.description, q.clause, f"`{cases[q.name]}`") for q in QUIRKS.values())
    return table(("quirk", "the device", "breaks", "caught by"), rows)


def service_requests() -> str:
    """Every service request and what is done about it."""

    def use_case(row: MappingRow) -> str:
        text = f"{', '.join(row.devices)}: `{row.use_case}`"
        return f"{text} ({', '.join(row.conditions)})" if row.conditions else text

    rows = (
        (
            f"`{row.variant}`",
            row.name,
            "yes" if row.critical else "",
            row.future_dating,
            ", ".join(row.roles),
            "the DCC answers" if row.answered_by == "DCC" else "<br>".join(map(use_case, row.use_cases)),
        )
        for row in listed().service_requests
    )
    head = ("SRV", "name", "critical", "future-dated by", "asked by", "becomes")
    return table(head, rows)


# What is not confirmed --------------------------------------------------------------------------------------


def use_cases() -> str:
    """Fields of use cases, each with the rows where it is open."""
    found: dict[str, list[str]] = {}
    for row in USE_CASES.values():
        open_fields = [_WHOLE] if row.confidence == "unverified" else []
        for name in [*open_fields, *row.unverified]:
            found.setdefault(name, []).append(row.name)
    ordered = sorted(found.items(), key=lambda entry: (entry[0] != _WHOLE, -len(entry[1]), entry[0]))
    rows = ((name if name == _WHOLE else f"`{name}`", ", ".join(names)) for name, names in ordered)
    return table(("field", "use cases"), rows)


def items() -> str:
    """Items of access lists."""

    def rows() -> Iterator[tuple[str, ...]]:
        for row in USE_CASES.values():
            if isinstance(row.payload, DlmsAccess):
                names = [f"`{item.name}`" for item in row.payload.items if item.confidence == "unverified"]
                if names:
                    yield row.name, ", ".join(names)

    return table(("use case", "items"), rows())


def other_rows() -> str:
    """Service requests, checks of the DCC, members of clusters."""
    for module in pkgutil.iter_modules(clusters.__path__):
        importlib.import_module(f"{clusters.__name__}.{module.name}")
    rows: list[tuple[str, str]] = [
        (f"service request {row.variant}", row.confidence) for row in SERVICE_REQUESTS.values()
    ]
    rows += [
        (f"service request {row.variant} as {one.use_case.name}: `{element}`", "unverified")
        for row in SERVICE_REQUESTS.values()
        for one in row.mappings
        for element in one.unverified
    ]
    rows += [(f"check of the DCC: {check.name}, code {check.code}", check.confidence) for check in CHECKS]
    rows += [
        (f"service {service.variant}: {rule.name}, code {rule.code}", rule.confidence)
        for service in SERVICES.values()
        for rule in service.rules
    ]
    rows += [
        (f"code of the DCC alert {kind}: {code}", "unverified") for kind, code in default_codes().items()
    ]
    for cluster in CLUSTERS.values():
        members: list[Attribute | Command] = [*cluster.attributes.values(), *cluster.commands.values()]
        rows += [(f"cluster {cluster.__name__}: `{member.name}`", member.confidence) for member in members]
    return "".join(f"- {name}\n" for name, confidence in rows if confidence == "unverified")


def numbers() -> str:
    def rows() -> Iterator[tuple[str, ...]]:
        for names, text in _limits():
            values = ", ".join(_text(getattr(limits, name)) for name in names)
            yield text, values, ", ".join(f"`{limits.__name__}.{name}`" for name in names)
        for rules, members in RULES.items():
            defaults = {field.name: field.default for field in fields(rules)}
            for name, meaning in members.items():
                yield meaning, _text(defaults[name]), f"`{rules.__module__}.{rules.__name__}.{name}`"

    return table(("what", "here", "declared in"), rows())


def _limits() -> Iterator[tuple[list[str], str]]:
    """Names and meaning of the unverified constants of devices; one text may stand for several constants."""
    names: list[str] = []
    for node in ast.parse(Path(limits.__file__).read_text(encoding="utf-8")).body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)]):
                names.append(name)
            case ast.Expr(value=ast.Constant(value=str(text))):
                if _OPEN.search(text):
                    yield names, _MARK.sub("", " ".join(text.split()))
                names = []
            case _:
                names = []


def _text(value: object) -> str:
    if isinstance(value, timedelta):
        return f"{value / timedelta(hours=1):g} h"
    return f"{value:,}".replace(",", " ") if isinstance(value, int) else f"{value:g}"


def statements() -> str:
    """Every other sentence of the code that says so."""

    def rows() -> Iterator[str]:
        for file in sorted(SOURCES.rglob("*.py")):
            place = file.relative_to(SOURCES).as_posix()
            for text in () if file == Path(limits.__file__) else _texts(file.read_text(encoding="utf-8")):
                words = " ".join(text.split())
                if not _SAID_ELSEWHERE.search(words):
                    subject, *sentences = re.split(r"(?<=[.:])\s+(?=[A-Z])", words)
                    said = [one for one in (subject, *sentences) if _OPEN.search(one)]
                    if said:
                        yield f"- `src/smetslab/{place}`: {' '.join(dict.fromkeys((subject, *said)))}\n"

    return "".join(rows())


def _texts(source: str) -> Iterator[str]:
    """Docstrings of all kinds, and comments."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Expr(value=ast.Constant(value=str(text))):
                yield text
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.string.lstrip("# ")


# The DCC ----------------------------------------------------------------------------------------------------


def life_cycle() -> str:
    """Where each event leads, from the table that the inventory runs on."""

    def rows() -> Iterator[tuple[str, ...]]:
        for event in LifeEvent:
            led = [(before, after) for (before, one), after in TRANSITIONS.items() if one is event]
            moves = ", ".join(f"{before} → {after}" for before, after in led if before is not after)
            yield event.value, moves or "nothing"

    return table(("what happens", "leads"), rows())


def statuses() -> str:
    """What a device may be asked in each status."""
    rows = (
        (status.value, "everything" if allowed is None else ", ".join(allowed) or "nothing")
        for status, allowed in ALLOWED.items()
    )
    return table(("status", "service requests"), rows)


def checks() -> str:
    """Access control in its order."""
    rows = (
        (
            str(number),
            check.name,
            check.code,
            f"`{check.switch}`" if check.switch else "",
            "no" if check.confidence == "unverified" else "yes",
        )
        for number, check in enumerate(CHECKS, 1)
    )
    return table(("", "check", "code", "switched off by", "confirmed"), rows)


def desk() -> str:
    """The services of the DCC, and what each refuses."""

    def rows() -> Iterator[tuple[str, ...]]:
        for variant in sorted(SERVICES, key=lambda one: [int(part) for part in one.split(".")]):
            refusals = (f"{rule.code} {rule.name}" for rule in SERVICES[variant].rules)
            yield f"`{variant}`", SERVICE_REQUESTS[variant].name, "<br>".join(refusals)

    return table(("SRV", "name", "refusals, in their order"), rows())


def dcc_alerts() -> str:
    """The alerts of the DCC and their codes."""
    rows = ((f"`{kind}`", code) for kind, code in default_codes().items())
    return table(("alert", "code"), rows)


PARTS: dict[str, Callable[[], str]] = {
    "life-cycle": life_cycle,
    "statuses": statuses,
    "checks": checks,
    "desk": desk,
    "dcc-alerts": dcc_alerts,
    "quirks": quirks,
    "service-requests": service_requests,
    "use-cases": use_cases,
    "items": items,
    "other-rows": other_rows,
    "numbers": numbers,
    "statements": statements,
}


def made(page: str) -> str:
    """A page with its parts made anew."""
    return _PART.sub(lambda part: part[1] + PARTS[part[2]]() + part[3], page)


def main() -> None:
    for path in sorted(DOCS.glob("*.md")):
        page = path.read_text(encoding="utf-8")
        path.write_text(made(page), encoding="utf-8")


if __name__ == "__main__":
    main()
