"""`report.pdf`: the report for printing and filing, from the same model as the page. Needs the extra
`report`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from smetslab.errors import UsageError
from smetslab.harness.evidence.charts import in_words
from smetslab.harness.evidence.report import CaseReport, Report, Tally
from smetslab.harness.plain import parse_utc

try:
    from fpdf import FPDF, FontFace
    from fpdf.enums import XPos, YPos
except ImportError as error:
    raise UsageError(
        "report.pdf needs the extra `report`", hint="pip install 'smetslab[report]', or leave out --pdf"
    ) from error

_COLOURS: Final = {
    "none": (107, 119, 135),
    "pass": (27, 122, 74),
    "inconclusive": (154, 95, 0),
    "fail": (194, 37, 55),
    "error": (116, 57, 179),
}
_FONT: Final = "Helvetica"
_EPOCH: Final = "2000-01-01T00:00:00Z"


def render_pdf(report: Report) -> bytes:
    """The whole document. Equal reports give equal bytes: it is dated by laboratory time."""
    document = _Document(report)
    document.title_page()
    document.tallies("By obligation", report.by_obligation)
    document.tallies("By kind of check", report.by_kind)
    document.cases(report.cases)
    for case in report.cases:
        if case.verdict != "pass":
            document.detail(case)
    return bytes(document.output())


class _Document(FPDF):
    def __init__(self, report: Report) -> None:
        super().__init__(format="A4")
        self._report = report
        self.set_creation_date(parse_utc(report.finished or _EPOCH))
        self.set_title(_latin(f"{report.suite.title}: {report.verdict}"))
        self.set_creator(f"smetslab {report.tool_version}")
        self.set_lang("en-GB")
        self.set_auto_page_break(True, margin=18)
        self.set_font(_FONT, size=9)
        self.add_page()

    def footer(self) -> None:
        """On every page: what it is a page of."""
        self.set_y(-14)
        self.set_font(_FONT, size=7)
        self.set_text_color(90, 102, 117)
        self.cell(0, 5, _latin(f"{self._report.run_id} - page {self.page_no()}"), align="C")
        self.set_text_color(0, 0, 0)

    def title_page(self) -> None:
        report = self._report
        self._line(report.suite.title, size=18, bold=True)
        self._line(report.verdict, size=14, bold=True, colour=_COLOURS[report.verdict])
        for text in (
            f"{report.suite.name} version {report.suite.version}, run {report.run_id}, seed {report.seed}",
            f"{in_words(report.counts)}; {len(report.not_run)} not run; {report.checks} checks",
            f"Laboratory time {report.started or 'none'} to {report.finished or 'none'}",
            f"smetslab {report.tool_version}",
            "Messages and decoded fields: report.html.",
            "Results of a test laboratory; not a licence determination.",
        ):
            self._line(text)
        for entry in report.equipment:
            parts = (entry.role, entry.name, entry.type, entry.variant, entry.eui64, entry.realisation)
            self._line(" - ".join(part for part in parts if part))

    def tallies(self, title: str, tallies: Sequence[Tally]) -> None:
        self._heading(title)
        with self.table(
            col_widths=(40, 90, 50), first_row_as_headings=False, text_align="LEFT", line_height=5
        ) as table:
            for tally in tallies:
                row = table.row()
                for text in (tally.name, tally.title, in_words(tally.counts)):
                    row.cell(_latin(text))

    def cases(self, cases: Sequence[CaseReport]) -> None:
        self._heading("Cases")
        with self.table(col_widths=(22, 50, 108), text_align="LEFT", line_height=5) as table:
            heading = table.row()
            for text in ("Verdict", "Case", "Title"):
                heading.cell(text)
            for case in cases:
                row = table.row()
                word = case.verdict + (", waived" if case.waivers else "")
                row.cell(word, style=FontFace(color=_COLOURS[case.verdict], emphasis="BOLD"))
                row.cell(_latin(case.case))
                row.cell(_latin(case.title))

    def detail(self, case: CaseReport) -> None:
        self._heading(f"{case.case}: {case.title}")
        self._line(f"{case.verdict}: {case.reason}", colour=_COLOURS[case.verdict])
        for waiver in case.waivers:
            self._line(f"Waived: {waiver.clause}: {waiver.reason} ({waiver.author}, until {waiver.expiry})")
        for check in case.checks:
            if check.outcome != "pass":
                values = f"expected {check.expected}, found {check.actual}"
                self._line(f"Check {check.check}, {check.what}: {values} {check.spec}")
        first, last = case.evidence
        self._line(f"Records {first} to {last} of evidence.jsonl")

    def _heading(self, text: str) -> None:
        self.ln(4)
        self._line(text, size=12, bold=True)

    def _line(
        self, text: str, *, size: int = 9, bold: bool = False, colour: tuple[int, int, int] = (0, 0, 0)
    ) -> None:
        self.set_font(_FONT, style="B" if bold else "", size=size)
        self.set_text_color(*colour)
        self.multi_cell(0, size * 0.5 + 1, _latin(text), new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.set_font(_FONT, size=9)
        self.set_text_color(0, 0, 0)


def _latin(text: str) -> str:
    """What the fonts built into every PDF reader can show."""
    return text.encode("latin-1", errors="replace").decode("latin-1")
