"""Validation with the published schemas, and what a wrong folder gives."""

from __future__ import annotations

from pathlib import Path

import pytest

from smetslab.duis.limits import MAX_DOCUMENT_BYTES
from smetslab.duis.schema import DuisSchema
from smetslab.errors import DuisError, UsageError

TEMPLATE = "ECS10_3.1_SUCCESS_REQUEST_DUIS.XML"


@pytest.fixture(scope="module")
def schema(schema_dir: Path) -> DuisSchema:
    return DuisSchema(schema_dir)


def test_every_published_template_is_valid(schema: DuisSchema, rtds: Path) -> None:
    templates = sorted((rtds / "duis").glob("*.XML"))
    assert templates
    for template in templates:
        schema.validate(template.read_bytes())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"<sr:SupplierMessage>Reset", b"<sr:SupplierMessage>"),
        (b"SupplierMessage", b"Suppliermessage"),
        (b"<sr:ServiceReference>3.1", b"<sr:ServiceReference>3.99"),
        (b"A0:1003", b"A0:99999999999999999999"),
    ],
)
def test_what_the_schema_refuses_is_named(schema: DuisSchema, rtds: Path, old: bytes, new: bytes) -> None:
    document = (rtds / "duis" / TEMPLATE).read_bytes()
    assert old in document
    changed = document.replace(old, new)
    with pytest.raises(DuisError, match=r"not valid under DUIS Schema V5\.\d+: .*line \d+"):
        schema.validate(changed)


def test_the_reader_stands_before_the_schema(schema: DuisSchema) -> None:
    with pytest.raises(DuisError, match="document type not accepted"):
        schema.validate(b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>')
    with pytest.raises(DuisError, match="document too long"):
        schema.validate(b"<" * (MAX_DOCUMENT_BYTES + 1))


def test_a_folder_without_a_schema_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no DUIS schema"):
        DuisSchema(tmp_path)
    with pytest.raises(UsageError, match=r"schema folder .*No such file"):
        DuisSchema(tmp_path / "absent")


def test_a_broken_schema_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "DUIS Schema V5.4.xsd").write_text("<xs:schema")
    with pytest.raises(UsageError, match="cannot be loaded"):
        DuisSchema(tmp_path)


def test_a_schema_without_its_imports_is_a_usage_error(tmp_path: Path, schema_dir: Path) -> None:
    whole = next(path for path in schema_dir.iterdir() if path.name.startswith("DUIS"))
    (tmp_path / whole.name).write_bytes(whole.read_bytes())
    with pytest.raises(UsageError, match="cannot be loaded"):
        DuisSchema(tmp_path)


def test_two_schemas_in_one_folder_are_ambiguous(tmp_path: Path) -> None:
    for version in ("5.1", "5.4"):
        (tmp_path / f"DUIS Schema V{version}.xsd").write_text("<x/>")
    with pytest.raises(UsageError, match="holds 2 DUIS schemas, expected one"):
        DuisSchema(tmp_path)
