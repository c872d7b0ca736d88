"""`junit.xml`: the verdicts in the form build servers read.

A fail is a failure; an error and an inconclusive case are errors, because neither may turn a build green; a
case that was not run is skipped. Times are virtual seconds.
"""

from __future__ import annotations

import re
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from smetslab.harness.evidence.report import CaseReport, Report
from smetslab.harness.plain import parse_utc

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render_junit(report: Report) -> bytes:
    """The whole document, UTF-8."""
    suites = Element("testsuites", name="smetslab")
    suite = SubElement(
        suites,
        "testsuite",
        name=_text(report.suite.name),
        tests=str(len(report.cases) + len(report.not_run)),
        failures=str(report.counts.get("fail", 0)),
        errors=str(report.counts.get("error", 0) + report.counts.get("inconclusive", 0)),
        skipped=str(len(report.not_run)),
        time=f"{sum(seconds_of(case) for case in report.cases):.6f}",
    )
    properties = SubElement(suite, "properties")
    for name, value in (
        ("run_id", report.run_id),
        ("seed", str(report.seed)),
        ("suite_version", str(report.suite.version)),
        ("tool_version", report.tool_version),
    ):
        SubElement(properties, "property", name=name, value=_text(value))
    for case in report.cases:
        _add_case(suite, case, report.suite.name)
    for skipped in report.not_run:
        entry = SubElement(
            suite, "testcase", name=skipped.case, classname=f"{report.suite.name}.{skipped.kind}"
        )
        SubElement(
            entry, "skipped", message=_text(f"applicability {skipped.applicability}: {skipped.reason}")
        )
    indent(suites)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{tostring(suites, encoding="unicode")}\n'.encode()


def seconds_of(case: CaseReport) -> float:
    """Virtual seconds from the bench being up to the end of the case."""
    if case.started is None or case.finished is None:
        return 0.0
    return (parse_utc(case.finished) - parse_utc(case.started)).total_seconds()


def _add_case(suite: Element, case: CaseReport, suite_name: str) -> None:
    entry = SubElement(
        suite,
        "testcase",
        name=case.case,
        classname=_text(f"{suite_name}.{case.kind}"),
        time=f"{seconds_of(case):.6f}",
    )
    if case.verdict == "pass":
        return
    tag = "failure" if case.verdict == "fail" else "error"
    problem = SubElement(entry, tag, type=case.verdict, message=_text(case.reason))
    lines = [
        f"{check.what}: expected {check.expected}, found {check.actual} {check.spec}".rstrip()
        for check in case.checks
        if check.outcome != "pass"
    ]
    for interruption in case.interruptions:
        lines.append(interruption.reason)
        lines.extend(interruption.traceback)
    lines.extend(f"waived: {w.clause}: {w.reason} ({w.author}, until {w.expiry})" for w in case.waivers)
    problem.text = _text("\n".join(lines))


def _text(text: str) -> str:
    """Without the characters that XML 1.0 cannot hold."""
    return _NOT_XML.sub("\ufffd", text)
