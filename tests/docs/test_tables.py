"""Tables in the documentation say what the code says."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from smetslab.devices import chf_core, gas_settings
from smetslab.devices.esme_settings import known_state
from smetslab.harness.verdict import USAGE_EXIT_CODE, Verdict
from smetslab.lab.config import PARTY_ROLES, LabConfig

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
_MAKER = Path(__file__).with_name("tables.py")


@pytest.fixture(scope="module")
def maker() -> Any:
    spec = importlib.util.spec_from_file_location("smetslab_docs_tables", _MAKER)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read(page: str) -> str:
    return (DOCS / page).read_text(encoding="utf-8")


def rows(text: str) -> list[list[str]]:
    """The cells of every table row whose first cell is code, without the backticks of that cell."""
    found = [line.strip("|").split(" | ") for line in text.splitlines() if line.startswith("| `")]
    return [[cells[0].strip().strip("`"), *(cell.strip() for cell in cells[1:])] for cells in found]


@pytest.mark.parametrize("page", sorted(path.name for path in DOCS.glob("*.md")))
def test_what_is_made_from_the_code_is_up_to_date(page: str, maker: Any) -> None:
    text = read(page)
    assert text == maker.made(text), f"{page}: run `python {_MAKER.relative_to(ROOT)}`"


def test_every_part_has_its_page(maker: Any) -> None:
    text = "".join(read(page.name) for page in DOCS.glob("*.md"))
    assert sorted(re.findall(r"<!-- made: (\S+) -->", text)) == sorted(maker.PARTS)


def test_every_number_that_is_not_confirmed_is_listed(maker: Any) -> None:
    """A counter-check by plain text: the list is made by reading the syntax."""
    texts = (ROOT / "src/smetslab/devices/limits.py").read_text(encoding="utf-8").count("nverified.")
    listed = [line for line in maker.numbers().splitlines() if "smetslab.devices.limits." in line]
    assert len(listed) == texts


# The lab file -----------------------------------------------------------------------------------------------


def keys(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Every key below a model with its default as the page writes it."""
    for name, field in model.model_fields.items():
        inner = _model(field.annotation)
        if inner is None or inner.__name__ == "Quirk":
            yield prefix + name, default_of(field)
        else:
            if field.is_required() or field.default == ():
                yield prefix + name, default_of(field)
            yield from keys(inner, f"{prefix}{name}.")


def default_of(field: Any) -> str:
    if field.is_required():
        return "required"
    default = field.get_default(call_default_factory=True)
    return "none" if default in (None, (), {}) else f"`{json.dumps(default)}`"


def _model(annotation: Any) -> type[BaseModel] | None:
    """The model of a table, or of each table of a list."""
    for candidate in (annotation, *get_args(annotation)):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None


def test_the_page_on_lab_files_names_every_key_and_its_default() -> None:
    documented = [(cells[0], cells[2]) for cells in rows(read("lab-file.md"))]
    assert sorted(documented) == sorted(keys(LabConfig))


def test_the_page_on_lab_files_names_every_role() -> None:
    [values] = [cells[1] for cells in rows(read("lab-file.md")) if cells[0] == "parties.role"]
    assert values == ", ".join(f"`{role}`" for role in PARTY_ROLES)


def test_the_page_on_profiles_names_every_setting() -> None:
    page = ROOT / "device_profiles" / "README.md"
    text = page.read_text(encoding="utf-8").split("## State settings")[1]
    said = set(re.findall(r"`([a-z][a-z0-9_]+)`", text))
    meter, hub, gas = set(known_state()), chf_core.known_state(), set(gas_settings.known_state())
    assert meter | hub <= said
    first_cells = re.findall(r"^\| (`.*?) \|", text, re.MULTILINE)
    in_tables = {name for cell in first_cells for name in re.findall(r"`([a-z0-9_]+)`", cell)}
    assert in_tables <= meter | hub | gas


# Exit codes -------------------------------------------------------------------------------------------------


def test_the_exit_codes_of_a_run_are_those_of_its_verdict() -> None:
    text = read("evidence.md").split("## Exit codes")[1]
    lines = re.findall(r"^\| (\d) \| (.*?) \|", text, re.MULTILINE)
    assert {int(code): meaning for code, meaning in lines} == {
        Verdict.PASS.exit_code: "pass",
        Verdict.FAIL.exit_code: "fail",
        USAGE_EXIT_CODE: "wrong usage or input",
        Verdict.ERROR.exit_code: "error of smetslab or of a case",
        Verdict.INCONCLUSIVE.exit_code: "inconclusive, or nothing ran",
    }
    assert Verdict.NONE.exit_code == Verdict.INCONCLUSIVE.exit_code
