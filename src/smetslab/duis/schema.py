"""Validation against the published XML schemas, which a user supplies: they belong to the DCC and are not
shipped.

The folder is taken as it was published. The files import each other by names with spaces, which libxml2
does not resolve, so the documents are handed to it from memory under the names that the schemas use;
nothing else is opened, and no network is used.

Spec: DUIS schema 5.1 and 5.4 with their imports (XML signature core schema, MMC schema).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from lxml import etree

from smetslab.duis.element import parse_document
from smetslab.duis.limits import MAX_DOCUMENT_BYTES
from smetslab.errors import DuisError, UsageError

_DUIS_FILE: Final = re.compile(r"DUIS[ _]Schema[ _]V[0-9.]+\.xsd", re.IGNORECASE)
_SCHEMA_LOCATION: Final = re.compile(rb'(schemaLocation\s*=\s*")([^"]*)(")')
_HINT: Final = (
    "point SMETSLAB_SCHEMA at the folder with `DUIS Schema V5.4.xsd`, `MMC Schema V5.4.xsd` and their imports"
)


class _FolderResolver(etree.Resolver):
    """Answers libxml2 with files of one folder, and with nothing for everything else."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def resolve(self, system_url: str, public_id: str, context: Any) -> Any:  # type: ignore[override]
        # The stubs forget the third argument, which the documentation of lxml names.
        del public_id
        name = unquote(system_url.rpartition("/")[2])
        path = self._folder / name
        content = _without_spaces(path.read_bytes()) if path.is_file() else b""
        return self.resolve_string(content, context, base_url=system_url)


def _without_spaces(document: bytes) -> bytes:
    """Spaces in the names of imported schemas as `%20`, which libxml2 wants."""
    return _SCHEMA_LOCATION.sub(lambda found: found[1] + found[2].replace(b" ", b"%20") + found[3], document)


class DuisSchema:
    """A loaded set of schemas. `validate` raises; `name` says which version it is."""

    def __init__(self, folder: Path) -> None:
        """Raises UsageError when the folder does not hold exactly one usable DUIS schema."""
        found = sorted(path for path in _files(folder) if _DUIS_FILE.fullmatch(path.name))
        if len(found) != 1:
            what = "no DUIS schema" if not found else f"{len(found)} DUIS schemas"
            raise UsageError(f"{folder} holds {what}, expected one", hint=_HINT)
        self.name = found[0].stem
        parser = etree.XMLParser(load_dtd=True, no_network=True, resolve_entities=True)
        parser.resolvers.add(_FolderResolver(folder))
        try:
            tree = etree.fromstring(
                _without_spaces(found[0].read_bytes()), parser, base_url=f"file:///{found[0].name}"
            )
            self._schema = etree.XMLSchema(tree)
        except (etree.XMLSyntaxError, etree.XMLSchemaParseError) as error:
            raise UsageError(f"{found[0]} cannot be loaded: {_first_line(error)}", hint=_HINT) from error

    def validate(self, data: bytes, *, limit: int = MAX_DOCUMENT_BYTES) -> None:
        """Raises DuisError at the first element that the schema refuses.

        The document first passes our own reader, so that libxml2 sees nothing that expands or nests.
        """
        parse_document(data, limit=limit)
        parser = etree.XMLParser(
            resolve_entities=False, no_network=True, load_dtd=False, huge_tree=limit > MAX_DOCUMENT_BYTES
        )
        try:
            tree = etree.fromstring(data, parser)
        except etree.XMLSyntaxError as error:
            raise DuisError(f"not valid under {self.name}: {_first_line(error)}", path="document") from error
        self.validate_tree(tree)

    def validate_tree(self, tree: etree._Element) -> None:
        """The same for a document that our own reader has passed and lxml has parsed. Raises DuisError."""
        try:
            self._schema.assertValid(tree)
        except etree.DocumentInvalid as error:
            raise DuisError(f"not valid under {self.name}: {_first_line(error)}", path="document") from error


def _files(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if path.is_file()]
    except OSError as error:
        raise UsageError(f"schema folder {folder}: {error.strerror}", hint=_HINT) from error


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
