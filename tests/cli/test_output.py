"""Output helpers print what they are given and nothing of their own."""

from __future__ import annotations

import json

import pytest

from smetslab.cli import output


def test_json_is_plain_text_in_the_order_given(capsys: pytest.CaptureFixture[str]) -> None:
    value = {"b": [1, None, True], "a": "[red]0x0062[/] \u00a3"}
    output.print_json(value)
    printed = capsys.readouterr().out
    assert json.loads(printed) == value
    assert printed.index('"b"') < printed.index('"a"')
    assert printed.isascii()


def test_json_refuses_numbers_that_json_does_not_have() -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        output.print_json(float("nan"))


def test_line_is_printed_literally_whatever_its_width(capsys: pytest.CaptureFixture[str]) -> None:
    text = "[bold]" + 200 * "00 " + "end"
    output.line(text)
    assert capsys.readouterr().out == text + "\n"
