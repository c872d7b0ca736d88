"""The reference pages say what the declarations say, and their links lead somewhere."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from smetslab.gbcs.usecases import USE_CASES

_SPEC = importlib.util.spec_from_file_location("docs_reference", Path(__file__).with_name("reference.py"))
assert _SPEC is not None
assert _SPEC.loader is not None
reference = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(reference)

_LINK = re.compile(r"\]\(([^)#\s]+)?(?:#([^)\s]+))?\)")


def read(page: str) -> str:
    text: str = (reference.FOLDER / page).read_text(encoding="utf-8")
    return text


@pytest.mark.parametrize("page", list(reference.PAGES))
def test_committed_page_is_up_to_date(page: str) -> None:
    assert read(page) == reference.PAGES[page](), f"docs/reference/{page}: run `make docs`"


def test_folder_holds_nothing_else() -> None:
    assert {file.name for file in reference.FOLDER.iterdir()} == set(reference.PAGES)


@pytest.mark.parametrize("page", list(reference.PAGES))
def test_links_lead_to_headings_that_are_there(page: str) -> None:
    for target, fragment in _LINK.findall(read(page)):
        file = reference.FOLDER / (target or page)
        assert file.resolve().is_file(), target
        headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
        assert not fragment or fragment in {reference.anchor(heading) for heading in headings}


def test_every_use_case_is_listed_once() -> None:
    listed = re.findall(r"^\| \[?([^\]| ]+)", read("use-cases.md"), re.MULTILINE)[1:]
    assert [name for name in listed if name not in {"use", "---"}] == list(USE_CASES)
