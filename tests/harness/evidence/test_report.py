"""The report, in all its forms."""

from __future__ import annotations

import re
from base64 import b64encode
from datetime import UTC, date, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from lxml import etree
from lxml import html as lxml_html

from smetslab.crypto import sha256
from smetslab.gbcs.codes import Cra
from smetslab.gbcs.describe import describe
from smetslab.gbcs.dlms.apdu import AccessResponse, AccessResult, Choice
from smetslab.gbcs.dlms.axdr import double_long_unsigned
from smetslab.gbcs.message import Message, OtherInformation, encode_message
from smetslab.harness.case import CaseRegistry, check
from smetslab.harness.decoding import Decoders, Field
from smetslab.harness.evidence.ladder import relative, tree
from smetslab.harness.evidence.markup import Markup, el, escape
from smetslab.harness.evidence.pack import PackContents, PackWriter, WrittenPack
from smetslab.harness.evidence.report import Report
from smetslab.harness.runner import run_suite
from smetslab.harness.suite import SuiteDefinition
from smetslab.harness.verdict import Waiver
from smetslab.ids import Eui64
from smetslab.trace import Layer

WAIVER = Waiver(
    case="TOY-COUNTER-lower",
    clause="TOY 2.1",
    reason="known <issue>",
    author="A. Tester",
    expiry=date(2031, 1, 1),
)


@pytest.fixture(scope="module")
def written(toy: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> WrittenPack:
    pack: WrittenPack = toy.write_pack(
        tmp_path_factory.mktemp("report") / "pack", defect="accepts replay", waivers=(WAIVER,)
    )
    return pack


@pytest.fixture(scope="module")
def page(written: WrittenPack) -> lxml_html.HtmlElement:
    return lxml_html.fromstring((written.path / "report.html").read_text(encoding="utf-8"))


def test_report_json_is_the_model(written: WrittenPack) -> None:
    data = (written.path / "report.json").read_bytes()
    report = Report.model_validate_json(data)
    assert report == written.report
    assert report.to_bytes() == data
    assert [(tally.name, tally.counts) for tally in report.by_obligation] == [
        ("F4.1", {"inconclusive": 1}),
        ("F4.3-C1", {"pass": 1}),
        ("F4.3-C3", {"pass": 1}),
        ("F4.3-C4", {"fail": 2}),
        ("F4.5-C2", {"pass": 1}),
    ]
    assert [(tally.name, tally.counts) for tally in report.by_use_case] == [
        ("TOY1", {"pass": 1, "fail": 2}),
        ("TOY2", {"fail": 2}),
    ]
    assert [tally.name for tally in report.by_kind] == ["positive read", "replay", "rules"]


def test_a_waiver_is_shown_and_the_verdict_stays_fail(written: WrittenPack) -> None:
    waived, other = written.report.case("TOY-COUNTER-lower"), written.report.case("TOY-COUNTER-equal")
    assert (waived.verdict, len(waived.waivers), other.waivers) == ("fail", 1, ())
    assert written.report.verdict == "fail"


def test_evidence_numbers_of_a_case_lead_to_its_records(written: WrittenPack) -> None:
    lines = (written.path / "evidence.jsonl").read_text(encoding="utf-8").splitlines()
    for case in written.report.cases:
        first, last = case.evidence
        assert '"record":"case-started"' in lines[first]
        assert f'"case":"{case.case}"' in lines[first]
        assert '"record":"verdict"' in lines[last]


def test_junit_has_a_failure_for_a_fail_and_an_error_for_what_was_not_decided(written: WrittenPack) -> None:
    [suite] = etree.parse(written.path / "junit.xml").getroot()
    assert {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")} == {
        "tests": "6",
        "failures": "2",
        "errors": "1",
        "skipped": "1",
    }
    cases = {case.get("name"): case for case in suite.iter("testcase")}
    assert [child.tag for child in cases["TOY-READ"]] == []
    [failure] = cases["TOY-COUNTER-lower"]
    assert failure.tag == "failure"
    assert failure.get("message") == "no answer: expected 0, found 1 (TOY 2.1)"
    assert "waived: TOY 2.1: known <issue>" in (failure.text or "")
    assert [(child.tag, child.get("type")) for child in cases["TOY-OPEN"]] == [("error", "inconclusive")]
    assert [child.tag for child in cases["TOY-SUPPLY"]] == ["skipped"]
    assert cases["TOY-COUNTER-equal"].get("time") == "10.500000"


# The page ---------------------------------------------------------------------------------------------


def test_the_page_loads_nothing_and_says_so_to_the_browser(page: lxml_html.HtmlElement) -> None:
    for element in page.iter():
        for name in ("src", "srcset", "action", "data", "poster"):
            assert element.get(name) is None
        link = element.get("href")
        assert link is None or link.startswith("#")
    [style], [script] = page.xpath("//style"), page.xpath("//script")
    assert not re.search(r"url\(|@import|https?:", style.text)
    [policy] = page.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")
    assert policy.startswith("default-src 'none';")
    digest = b64encode(sha256(script.text.encode())).decode()
    assert f"script-src 'sha256-{digest}'" in policy


def test_the_page_reads_without_a_script(page: lxml_html.HtmlElement, written: WrittenPack) -> None:
    cases = page.xpath("//details[contains(@class, 'case')]")
    assert len(cases) == len(written.report.cases)
    assert all(case.get("hidden") is None for case in cases)
    [toolbar] = page.xpath("//form")
    assert toolbar.get("hidden") is not None


def test_every_link_of_the_page_leads_somewhere_and_ids_are_unique(page: lxml_html.HtmlElement) -> None:
    ids = page.xpath("//@id")
    assert len(ids) == len(set(ids))
    for link in page.xpath("//a/@href"):
        assert link[1:] in ids, link


def test_text_of_cases_waivers_and_messages_is_escaped(written: WrittenPack) -> None:
    text = (written.path / "report.html").read_text(encoding="utf-8")
    assert "The device&#39;s reading is read &lt;b&gt;&amp;&lt;/b&gt; right" in text
    assert "known &lt;issue&gt;" in text
    assert "value &lt;&amp;&gt;" in text
    assert "&lt;Read&gt;&amp;&lt;/Read&gt;" in text


def test_the_ladder_shows_each_observation_between_its_parties_with_steps_and_checks(
    page: lxml_html.HtmlElement,
) -> None:
    [heading] = page.xpath("//h3[@id='c-TOY-READ']")
    [ladder] = heading.getparent().xpath(".//div[@class='ladder']")
    assert ladder.get("style") == "--n:3"
    assert [lane.text for lane in ladder.xpath("./div[@class='head']/div/span")] == [
        "Service user",
        "Gateway",
        "Device",
    ]
    rows = ladder.xpath("./details")
    assert [row.get("id") for row in rows] == [f"o0-{number}" for number in range(6)]
    arrows = [row.xpath(".//summary//span[contains(@class, 'arrow')]") for row in rows]
    assert [(arrow[0].get("class"), arrow[0].get("style")) for arrow in arrows if arrow] == [
        ("arrow to-right", "--a:0;--w:1"),
        ("arrow to-right", "--a:1;--w:1"),
        ("arrow to-right", "--a:1;--w:1"),
        ("arrow to-left", "--a:1;--w:1"),
        ("arrow to-left", "--a:0;--w:1"),
    ]
    marks = [mark.text for mark in ladder.xpath("./div[contains(@class, 'mark')]")]
    assert marks == [
        "The bench is ready",
        "Step 1: read the register",
        "✓ the device answers",
        "✓ the reading is the device's",
        "Step 2: look at the time",
        "✓ it took at most a second",
    ]


def test_a_message_is_shown_once_down_to_its_fields_and_then_referred_to(
    page: lxml_html.HtmlElement,
) -> None:
    [first] = page.xpath("//details[@id='o0-2']")
    fields = [
        [cell.text or "" for cell in row.xpath("./td")] for row in first.xpath(".//table[@class='tree']//tr")
    ]
    assert fields == [
        [],
        ["0", "Toy command", "counter 1", ""],
        ["0", "kind", "0x01", "01"],
        ["1", "body", "", ""],
        ["1", "counter", "1", "00 01"],
        ["3", "value <&>", "0", "00 00"],
    ]
    [again] = page.xpath("//details[@id='o0-3']")
    assert again.xpath(".//table") == []
    assert again.xpath(".//p/a/@href") == ["#o0-2"]


def test_bytes_that_are_no_message_say_why(page: lxml_html.HtmlElement) -> None:
    [row] = page.xpath("//details[@id='o3-2']")
    assert "Not decodable: toy message: wrong length" in row.text_content()
    assert "0000  01000100 00FF" in row.text_content()


def test_charts_say_their_numbers(page: lxml_html.HtmlElement) -> None:
    titles = [title.text for title in page.xpath("//*[local-name()='svg']/*[local-name()='title']")]
    assert titles[0] == "Verdicts: 2 pass, 1 inconclusive, 2 fail"
    assert "F4.3-C4: 2 fail" in titles
    assert "positive read: 1 pass, 1 inconclusive" in titles


def test_cases_with_the_same_reason_are_one_thing_to_look_at(
    page: lxml_html.HtmlElement, toy: ModuleType, tmp_path: Path
) -> None:
    [first] = page.xpath("//section[contains(@class, 'attention')]/ul")
    assert [item.xpath(".//a")[0].text for item in first] == [
        "TOY-COUNTER-equal",
        "TOY-COUNTER-lower",
        "TOY-OPEN",
    ]
    report = toy.write_pack(tmp_path / "pack", defect="accepts replay").report
    assert [[case.case for case in cases] for cases in report.troubles()] == [
        ["TOY-COUNTER-equal", "TOY-COUNTER-lower"],
        ["TOY-OPEN"],
    ]


def test_only_octets_that_the_fields_do_not_show_are_shown_again(page: lxml_html.HtmlElement) -> None:
    assert page.xpath("//summary[text()='All octets']") == []
    long = Field(name="signature", offset=0, raw=bytes(64), text="")
    assert "… (64 octets)" in tree(long)


# Parts ------------------------------------------------------------------------------------------------


def test_markup_escapes_everything_that_is_not_markup() -> None:
    assert el("p", "a<b", Markup("<i>c</i>"), [1, None, "&"], class_='x"y', hidden=True, open=False) == (
        '<p class="x&quot;y" hidden>a&lt;b<i>c</i>1&amp;</p>'
    )
    assert el("meta", http_equiv="a") == '<meta http-equiv="a">'


def test_characters_that_deceive_are_shown_by_number() -> None:
    assert escape("a\x00b\u202ec\ud800") == "a[U+0000]b[U+202E]c[U+D800]"


def test_times_are_relative_to_the_bench() -> None:
    zero = datetime(2030, 1, 15, 9, tzinfo=UTC)
    times = {
        "2030-01-15T09:00:00.250000Z": "+0.250",
        "2030-01-15T08:59:59.000000Z": "-1.000",
        "2030-01-15T09:01:02.000000Z": "+1:02.000",
        "2030-01-15T11:00:00.000000Z": "+2:00:00.000",
        "2030-01-17T10:00:00.000000Z": "+2 d 01:00:00",
    }
    assert {time: relative(zero, time) for time in times} == times


def test_a_bottomless_tree_is_cut_off() -> None:
    node = Field(name="leaf", offset=0, raw=b"\x00", text="")
    for number in range(200):
        node = Field(name=f"n{number}", offset=0, raw=b"\x00", text="", children=(node,))
    assert tree(node).count("<tr>") < 40


def test_the_pdf_is_the_same_for_the_same_report(written: WrittenPack) -> None:
    pytest.importorskip("fpdf", reason="report.pdf needs the extra `report`")
    from smetslab.harness.evidence.pdf import render_pdf

    data = render_pdf(written.report)
    assert data.startswith(b"%PDF-")
    assert data == render_pdf(written.report)
    changed = written.report.model_copy(update={"verdict": "pass"})
    assert render_pdf(changed) != data


def reading(counter: int) -> bytes:
    """A Response with twenty registers, as big as those of a busy suite."""
    data = tuple(double_long_unsigned(counter + number) for number in range(20))
    results = tuple(AccessResult(Choice.GET, 0) for _ in data)
    message = Message(
        cra=Cra.RESPONSE,
        originator_counter=counter,
        business_originator_id=Eui64.parse("00DB1234567890A0"),
        business_target_id=Eui64.parse("90B3D51F30010000"),
        other_information=OtherInformation(message_code=0x0062),
        content=AccessResponse(counter, data, results).encode(),
        signature=b"",
        message_mac=bytes(12),
    )
    return encode_message(message)


def test_sixty_cases_of_forty_observations_stay_below_five_megabytes(toy: ModuleType, tmp_path: Path) -> None:
    registry = CaseRegistry()
    ways: tuple[tuple[Layer, str, str], ...] = (
        ("dcc", "user", "gateway"),
        ("wan", "gateway", "hub"),
        ("han", "hub", "device"),
        ("device", "device", ""),
        ("duis", "gateway", "user"),
    )

    @registry.family(
        "BIG-{row}", rows=range(60), version=1, title="Big", kind="big", obligations=("F4.3-C1",)
    )
    async def big(lab: Any, row: int) -> None:
        for number in range(4):
            data = reading(1000 * row + number)
            for layer, source, target in (*ways, *ways):
                lab.trace.record(layer, "MessageSent", source=source, target=target, data=data)
        check("fine", 1, equals=1)

    suite = SuiteDefinition(name="big", title="Big", version=1, cases=big, prepare=toy.prepare)
    decoders = Decoders(dict.fromkeys(("dcc", "wan", "device"), describe))
    contents = PackContents(suite=suite, cases=big, seed=7)
    with PackWriter(tmp_path / "big", contents) as writer:
        result = run_suite(suite, toy.setup(), 7, decoders=decoders, listeners=[writer])
        writer.finish(result, signer=toy.LABORATORY, environment=toy.environment(), decoders=decoders)
    assert result.verdict.word == "pass", result.results[0].reason
    text = (tmp_path / "big" / "report.html").read_text(encoding="utf-8")
    assert text.count('<table class="tree">') == 60 * 4
    assert len(text.encode()) < 5_000_000
