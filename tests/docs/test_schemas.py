"""The published schemas are those of the code, and each file of the folder is one of them."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

_SPEC = importlib.util.spec_from_file_location("docs_schemas", Path(__file__).with_name("schemas.py"))
assert _SPEC is not None
assert _SPEC.loader is not None
schemas = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(schemas)


@pytest.mark.parametrize("name", list(schemas.SCHEMAS))
def test_published_schema_is_that_of_the_code(name: str) -> None:
    assert schemas.path(name).read_text(encoding="utf-8") == schemas.text(name), "run tests/docs/schemas.py"


def test_folder_holds_nothing_else() -> None:
    assert {file.name for file in schemas.FOLDER.iterdir()} == {
        f"{name}.schema.json" for name in schemas.SCHEMAS
    }
