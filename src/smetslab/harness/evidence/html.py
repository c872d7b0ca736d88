"""`report.html`: one file, readable offline and without JavaScript, which only adds search and filters.

Nothing is loaded from anywhere; a content security policy in the page makes sure of it.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from importlib.resources import files

from smetslab.crypto import sha256
from smetslab.harness.decoding import Decoders
from smetslab.harness.evidence.air_charts import air_panel
from smetslab.harness.evidence.charts import SYMBOLS, bars, donut
from smetslab.harness.evidence.junit import seconds_of
from smetslab.harness.evidence.ladder import Ladder, observation_id
from smetslab.harness.evidence.markup import Child, Markup, el, join
from smetslab.harness.evidence.report import CaseReport, CheckReport, Report, by_case
from smetslab.harness.records import Record

_SHOWN_GROUPS = 8
_SENTENCES = {
    "none": "Nothing was decided.",
    "pass": "Every case that ran passed.",
    "inconclusive": "Some cases could not be decided.",
    "fail": "The device under test failed at least one case.",
    "error": "The laboratory itself failed: the verdict says nothing of the device.",
}


def render_html(report: Report, records: Sequence[Record], decoders: Decoders) -> bytes:
    """The whole page, UTF-8."""
    style, script = _resource("report.css"), _resource("report.js")
    numbered = by_case(records)
    digest = b64encode(sha256(script.encode())).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; base-uri 'none'"
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", http_equiv="Content-Security-Policy", content=policy),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"),
        el("title", f"{report.suite.title}: {report.verdict}"),
        el("style", Markup(style)),
    )
    body = el(
        "body",
        el("a", "Skip to the cases", href="#cases", class_="skip"),
        _header(report),
        el(
            "main",
            _summary(report),
            _attention(report),
            _charts(report),
            air_panel(records),
            _cases(
                report,
                [
                    Ladder(index, numbered[case.case], decoders).render()
                    for index, case in enumerate(report.cases)
                ],
            ),
            _not_run(report),
            _bench(report),
        ),
        _footer(),
        el("script", Markup(script)),
    )
    page = join((Markup("<!DOCTYPE html>\n"), el("html", head, "\n", body, lang="en-GB"), "\n"))
    return page.encode()


def _resource(name: str) -> str:
    return (files("smetslab.harness.evidence") / name).read_text(encoding="utf-8")


def pill(word: str) -> Markup:
    """A verdict as a coloured word with its sign."""
    return el("span", el("span", SYMBOLS[word], aria_hidden="true"), f" {word}", class_=f"pill v-{word}")


def _header(report: Report) -> Markup:
    return el(
        "header",
        el("p", "smetslab", class_="brand"),
        el(
            "div",
            el("h1", report.suite.title),
            el(
                "p",
                f"{report.suite.name}, version {report.suite.version} · run {report.run_id}",
                class_="muted",
            ),
        ),
        el("div", pill(report.verdict), class_="verdict"),
    )


def _summary(report: Report) -> Markup:
    ran = sum(report.counts.values())
    facts = (
        ("Cases run", str(ran)),
        ("Not run", str(len(report.not_run))),
        ("Checks", str(report.checks)),
        ("Observations", str(report.observations)),
        ("Seed", str(report.seed)),
        ("Laboratory time", _period(report)),
        ("Tool", f"smetslab {report.tool_version}"),
    )
    legend = el(
        "ul",
        (
            el("li", el("i", class_=f"key v-{word}"), f"{number} {word}")
            for word, number in report.counts.items()
        ),
        class_="legend",
    )
    return el(
        "section",
        el("div", donut(report.counts), legend, class_="ring"),
        el(
            "div",
            el("p", _SENTENCES[report.verdict], class_="lead"),
            el(
                "dl",
                (
                    (
                        el(
                            "div",
                            el("dt", name),
                            el("dd", value, class_="wide-fact" if len(value) > 24 else None),
                        )
                    )
                    for name, value in facts
                ),
                class_="facts",
            ),
        ),
        class_="panel summary",
        aria_label="Summary",
    )


def _period(report: Report) -> str:
    if report.started is None or report.finished is None:
        return "none"
    return f"{report.started[:19].replace('T', ' ')} to {report.finished[:19].replace('T', ' ')} UTC"


def _attention(report: Report) -> Markup | None:
    """What a person should look at first: worst first, cases with the same reason together."""
    groups = report.troubles()
    if not groups:
        return None
    items = [_group(cases) for cases in groups]
    more = len(items) - _SHOWN_GROUPS
    rest = (
        el("details", el("summary", f"{more} more reasons"), el("ul", items[_SHOWN_GROUPS:]))
        if more > 0
        else None
    )
    return el(
        "section",
        el("h2", "Look at these first"),
        el("ul", items[:_SHOWN_GROUPS]),
        rest,
        class_="panel attention",
    )


def _group(cases: Sequence[CaseReport]) -> Markup:
    first, *others = cases
    links = join((el("a", case.case, href=f"#c-{case.case}"), " ") for case in others)
    also = (
        el("details", el("summary", f"{len(others)} more cases for the same reason"), links)
        if others
        else None
    )
    return el(
        "li",
        pill(first.verdict),
        el(
            "div",
            el("a", first.case, href=f"#c-{first.case}"),
            f" {first.title}",
            el("p", first.reason, class_="reason"),
            _waivers(first),
            also,
        ),
    )


def _charts(report: Report) -> Markup:
    return el(
        "div",
        bars("By obligation", report.by_obligation),
        bars("By kind of check", report.by_kind),
        bars("By use case", report.by_use_case) if report.by_use_case else None,
        class_="charts",
    )


def _cases(report: Report, ladders: Sequence[Markup | None]) -> Markup:
    toolbar = el(
        "form",
        el(
            "label",
            "Search ",
            el(
                "input",
                type="search",
                id="search",
                placeholder="id, title, use case, obligation",
                autocomplete="off",
            ),
        ),
        (
            el(
                "label",
                el("input", type="checkbox", checked=True, data_verdict=word),
                pill(word),
                class_="toggle",
            )
            for word in report.counts
        ),
        el("output", "", id="shown", aria_live="polite"),
        class_="toolbar needs-script",
        hidden=True,
    )
    troubled = sum(case.verdict != "pass" for case in report.cases)
    entries = (
        _case(index, case, ladder, opened=case.verdict != "pass" and troubled <= 3)
        for index, (case, ladder) in enumerate(zip(report.cases, ladders, strict=True))
    )
    return el("section", el("h2", "Cases"), toolbar, el("div", entries, class_="list"), id="cases")


def _case(index: int, case: CaseReport, ladder: Markup | None, *, opened: bool) -> Markup:
    summary = el(
        "summary",
        pill(case.verdict),
        el("span", case.case, class_="id"),
        el("span", case.title, class_="title"),
        el("span", (el("code", name) for name in (*case.use_cases, *case.obligations)), class_="tags"),
    )
    body = el(
        "div",
        el("h3", case.title, id=f"c-{case.case}"),
        el("p", case.description, class_="description") if case.description else None,
        el("p", _about(case), class_="muted"),
        el("p", case.reason, class_=f"reason t-{case.verdict}") if case.reason else None,
        _waivers(case),
        [
            el("pre", "\n".join(entry.traceback), class_="text")
            for entry in case.interruptions
            if entry.traceback
        ],
        _checks(index, case),
        join((el("h4", "Messages"), ladder)) if ladder else el("p", "Nothing was observed.", class_="muted"),
        class_="case-body",
    )
    return el("details", summary, body, class_="case", data_verdict=case.verdict, open=opened)


def _about(case: CaseReport) -> str:
    first, last = case.evidence
    start = f"from {case.started[:19].replace('T', ' ')} UTC, " if case.started else ""
    return (
        f"{case.kind} · version {case.version} · seed {case.seed} · "
        f"{start}{seconds_of(case):g} s of laboratory time · records {first} to {last} of evidence.jsonl"
    )


def _waivers(case: CaseReport) -> list[Markup]:
    return [
        el(
            "p",
            el("b", "Waived: "),
            f"{entry.clause}: {entry.reason} ({entry.author}, until {entry.expiry})",
            class_="waiver",
        )
        for entry in case.waivers
    ]


def _checks(index: int, case: CaseReport) -> Markup | None:
    if not case.checks:
        return None
    titles: dict[int | None, str] = {step.step: f"{step.step}. {step.title}" for step in case.steps}
    rows: list[Markup] = []
    current: int | None = None
    for check in case.checks:
        if check.step != current:
            current = check.step
            heading = titles.get(current, "Outside the steps")
            rows.append(el("tr", el("th", heading, colspan="6", scope="rowgroup"), class_="group"))
        rows.append(_check(index, check))
    columns = ("", "Check", "Expected", "Found", "Clause", "Proof")
    head = el("thead", el("tr", (el("th", name, scope="col") for name in columns)))
    return el("div", el("table", head, el("tbody", rows), class_="checks"), class_="wide")


def _check(index: int, check: CheckReport) -> Markup:
    proof: list[Child] = []
    for number in check.observations:
        proof += [el("a", f"#{number}", href=f"#{observation_id(index, number)}"), " "]
    return el(
        "tr",
        el("td", pill(check.outcome)),
        el("td", check.what),
        el("td", el("code", check.expected)),
        el("td", el("code", check.actual)),
        el("td", check.spec, class_="muted"),
        el("td", proof),
        class_=f"o-{check.outcome}",
    )


def _not_run(report: Report) -> Markup | None:
    if not report.not_run:
        return None
    rows = (
        el(
            "tr",
            el("td", entry.case),
            el("td", entry.title),
            el("td", entry.applicability),
            el("td", entry.reason),
        )
        for entry in report.not_run
    )
    head = el("tr", (el("th", name, scope="col") for name in ("Case", "Title", "Applicable", "Why")))
    return el(
        "section",
        el("h2", "Not run"),
        el("p", "These are no verdicts: nothing was found out about them.", class_="muted"),
        el("div", el("table", head, rows), class_="wide"),
        class_="panel",
    )


def _bench(report: Report) -> Markup:
    columns = ("Role", "Name", "Type", "Versions", "Identity", "Simulated or real", "Profile")
    rows = (
        el(
            "tr",
            el("td", entry.role),
            el("td", entry.name),
            el("td", " ".join(part for part in (entry.type, entry.variant) if part)),
            el("td", _versions(entry.model_dump())),
            el("td", entry.eui64 or ""),
            el("td", entry.realisation),
            el(
                "td",
                ", ".join((entry.profile or "", *(f"quirk {quirk}" for quirk in entry.quirks))).strip(", "),
            ),
        )
        for entry in report.equipment
    )
    capabilities = ", ".join(
        f"{name}: {'not stated' if value is None else 'yes' if value else 'no'}"
        for name, value in report.capabilities.items()
    )
    return el(
        "section",
        el("h2", "What took part"),
        el(
            "div",
            el("table", el("tr", (el("th", name, scope="col") for name in columns)), rows),
            class_="wide",
        )
        if report.equipment
        else None,
        el("p", el("b", "Inputs: "), ", ".join(report.inputs)) if report.inputs else None,
        el("p", el("b", "Capabilities asked for: "), capabilities) if capabilities else None,
        class_="panel",
    )


def _versions(entry: dict[str, object]) -> str:
    names = {
        "hardware_version": "hardware",
        "firmware_version": "firmware",
        "gbcs_version": "GBCS",
        "smets_version": "SMETS",
    }
    return ", ".join(f"{word} {entry[name]}" for name, word in names.items() if entry[name])


def _footer() -> Markup:
    return el(
        "footer",
        el("p", "Verify this pack offline with ", el("code", "smetslab evidence verify DIR"), "."),
        el("p", "Results of a test laboratory; not a licence determination."),
    )
