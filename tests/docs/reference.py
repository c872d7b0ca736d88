"""The reference pages, made from the declarations that the codecs run on.

`python tests/docs/reference.py` writes them into docs/reference; `test_reference.py` fails when a page does
not say what the declarations say.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from smetslab.devices.cosem.classes import CLASSES
from smetslab.gbcs.alert_codes import ALERT_NAMES, UNVERIFIED_NAMES
from smetslab.gbcs.catalogue import UseCaseRow, cluster_ids, cosem_rows, rows, zcl_use
from smetslab.zigbee.zcl import CLUSTERS, SERVER_TO_CLIENT, clusters

for _module in pkgutil.iter_modules(clusters.__path__):  # what is not imported is not declared
    importlib.import_module(f"{clusters.__name__}.{_module.name}")

FOLDER = Path(__file__).parents[2] / "docs" / "reference"

_MADE = "Made from the declarations by `make docs`: change those, not this page."
_NOT_CONFIRMED = "not confirmed"


def table(head: tuple[str, ...], lines: Iterable[tuple[str, ...]]) -> str:
    made = [
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in (head, *lines)
    ]
    return "".join((made[0], "|---" * len(head) + "|\n", *made[1:]))


def anchor(heading: str) -> str:
    """The fragment by which a page links to a heading, as GitHub and most others make it."""
    return re.sub(r"[^a-z0-9 _-]", "", heading.lower()).replace(" ", "-")


def yes(value: bool) -> str:
    return "yes" if value else "no"


# -- use cases -----------------------------------------------------------------------------------------------

DETAILS = {"DLMS": "use-cases-dlms.md", "GBZ": "use-cases-gbz.md", "ASN.1": "use-cases-asn1.md", "none": ""}
"""The page with the content of the use cases of each kind."""


def link(row: UseCaseRow) -> str:
    page = DETAILS[row.payload]
    return f"[{row.name}]({page}#{anchor(row.name)})" if page else row.name


def links(names: Iterable[str], known: dict[str, UseCaseRow]) -> str:
    return ", ".join(link(known[name]) for name in names)


def use_cases() -> str:
    lines = [
        (
            link(row),
            row.message_code,
            row.payload + (" alert" if row.alert else ""),
            ", ".join(row.devices),
            yes(row.critical),
            ", ".join(row.originator_roles),
            ", ".join(row.service_requests),
            row.title,
        )
        for row in rows()
    ]
    head = ("use case", "Message Code", "content", "devices", "critical", "who may send it", "SRV", "title")
    more = "`smetslab gbcs usecases` lists and searches the same."
    return f"# Use cases\n\n{_MADE} {more}\n\n{table(head, lines)}"


def details(kind: str) -> Callable[[], str]:
    """The page of the use cases with one kind of content."""

    def page() -> str:
        parts = [f"# Use cases with {kind} content\n\n{_MADE} All of them: [use cases](use-cases.md).\n"]
        parts += [_use_case(row) for row in rows() if row.payload == kind]
        return "\n".join(parts)

    return page


def _use_case(row: UseCaseRow) -> str:
    facts = [
        f"Message Code {row.message_code}",
        "critical" if row.critical else "not critical",
        *(["replay protected"] if row.replay_protected else []),
        *(["can be future dated"] if row.future_dateable else []),
        *(["date-time in the response"] if row.date_time_in_response else []),
        *(["encrypted response"] if row.encrypts_response and not row.alert else []),
        *([f"counter family {row.counter_family}"] if row.counter_family not in {"ordinary", "none"} else []),
        *([f"protection: {row.protection}"] if row.protection != "criticality" else []),
        *([f"alerts {', '.join(row.alerts)}"] if row.alerts else []),
        *([f"from GBCS {row.first_version}"] if row.first_version else []),
        *([f"later than GBCS {row.later_than}"] if row.later_than else []),
        *([f"to GBCS {row.last_version}"] if row.last_version else []),
        *([f"newer form of {row.replaces}"] if row.replaces else []),
        *([f"older form of {row.replaced_by}"] if row.replaced_by else []),
    ]
    lines = [f"## {row.name}\n\n{row.title}. For {', '.join(row.devices)}; {'; '.join(facts)}."]
    if row.confidence == "unverified":
        lines.append("\nThe whole row is not confirmed.")
    elif row.unverified:
        lines.append(f"\nNot confirmed: {', '.join(row.unverified)}.")
    if row.items:
        body = [
            (
                f"`{item.name}`" + (f" ({_NOT_CONFIRMED})" if item.confidence == "unverified" else ""),
                item.access,
                item.command or "",
                item.response or "",
                "; ".join(f"`{path}` {' or '.join(names)}" for path, names in item.elements.items()),
            )
            for item in row.items
        ]
        last = "it says" if row.alert else "a response says"
        head = ("name", "access", "a command says", last, "in DUIS and MMC")
        lines.append("\n" + table(head, body).rstrip("\n"))
    return "\n".join(lines) + "\n"


# -- COSEM ---------------------------------------------------------------------------------------------------


def cosem_objects() -> str:
    known = {row.name: row for row in rows()}
    parts = [f"# COSEM objects\n\n{_MADE} Every attribute and method that a use case touches, by class.\n"]
    found = cosem_rows()
    for class_id in sorted({row.class_id for row in found}):
        declared = CLASSES.get(class_id)
        name = "" if declared is None else f" {declared.name}"
        lines = []
        for row in found:
            if row.class_id != class_id:
                continue
            members = {} if declared is None else (declared.methods if row.is_method else declared.attributes)
            member = members.get(row.index, "")
            lines.append(
                (
                    f"`{row.obis}`",
                    f"{'method' if row.is_method else 'attribute'} {row.index} {member}".rstrip(),
                    ", ".join(f"`{one}`" for one in row.names)
                    + (f" ({_NOT_CONFIRMED})" if row.unverified else ""),
                    ", ".join(row.operations),
                    " or ".join(row.types),
                    links(row.use_cases, known),
                )
            )
        head = ("logical name", "member", "called", "operations", "type", "use cases")
        parts.append(f"## Class {class_id}{name}\n\n{table(head, lines)}")
    return "\n".join(parts)


# -- ZCL -----------------------------------------------------------------------------------------------------


def zcl() -> str:
    known = {row.name: row for row in rows()}
    used = zcl_use()
    parts = [f"# ZCL clusters\n\n{_MADE} Attributes and commands that are declared, by cluster.\n"]
    for number in cluster_ids():
        cluster = CLUSTERS[number]
        parts.append(f"## {cluster.__name__} 0x{number:04X}\n\n{cluster.spec}.\n")
        attributes = [
            (
                f"`{one.name}`" + (f" ({_NOT_CONFIRMED})" if one.confidence == "unverified" else ""),
                f"0x{one.id:04X}",
                "server" if one.server else "client",
                one.type.name + (f", {one.units}" if one.units else ""),
                links(used.get((number, one.name), ()), known),
            )
            for one in cluster.attributes.values()
        ]
        if attributes:
            parts.append(table(("attribute", "number", "side", "type", "use cases"), attributes))
        commands = [
            (
                f"`{one.name}`" + (f" ({_NOT_CONFIRMED})" if one.confidence == "unverified" else ""),
                f"0x{one.id:02X}",
                "to the client" if one.direction is SERVER_TO_CLIENT else "to the server",
                ", ".join(_fields(one.fields.names, one.fields.kinds)),
                links(used.get((number, one.name), ()), known),
            )
            for one in cluster.commands.values()
        ]
        if commands:
            parts.append(table(("command", "number", "direction", "fields", "use cases"), commands))
    return "\n".join(parts)


def _fields(names: tuple[str, ...], kinds: tuple[object, ...]) -> Iterator[str]:
    for name, kind in zip(names, kinds, strict=True):
        yield f"{name}: {getattr(kind, 'name', '')}"


# -- alert codes, index --------------------------------------------------------------------------------------


def alert_codes() -> str:
    lines = [
        (f"`{code:04X}`", name + (f" ({_NOT_CONFIRMED})" if code in UNVERIFIED_NAMES else ""))
        for code, name in sorted(ALERT_NAMES.items())
    ]
    return f"# Alert and event codes\n\n{_MADE} GBCS 16.\n\n{table(('code', 'name'), lines)}"


def index() -> str:
    lines = [
        (
            "[Use cases](use-cases.md)",
            f"{len(rows())}, with Message Code, devices, roles and service requests",
        ),
        ("[Use cases with DLMS content](use-cases-dlms.md)", "their access lists and alerts, item by item"),
        ("[Use cases with GBZ content](use-cases-gbz.md)", "their components"),
        ("[Use cases with ASN.1 content](use-cases-asn1.md)", "their types"),
        ("[COSEM objects](cosem-objects.md)", f"{len(cosem_rows())} attributes and methods, by class"),
        ("[ZCL clusters](zcl.md)", f"{len(cluster_ids())} clusters with their attributes and commands"),
        ("[Alert and event codes](alert-codes.md)", f"{len(ALERT_NAMES)} codes with their names"),
        ("[What is not confirmed](../unverified.md)", "every fact that no vector and no text confirms"),
    ]
    return f"# Reference\n\n{_MADE}\n\n{table(('page', 'what it lists'), lines)}"


PAGES: dict[str, Callable[[], str]] = {
    "README.md": index,
    "use-cases.md": use_cases,
    "use-cases-dlms.md": details("DLMS"),
    "use-cases-gbz.md": details("GBZ"),
    "use-cases-asn1.md": details("ASN.1"),
    "cosem-objects.md": cosem_objects,
    "zcl.md": zcl,
    "alert-codes.md": alert_codes,
}
"""Every page by the name of its file."""


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
