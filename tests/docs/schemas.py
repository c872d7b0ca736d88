"""The published JSON schemas, made from the models.

`python tests/docs/schemas.py` writes them; `test_schemas.py` fails when a file says something else than its
model.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from smetslab.cli.gbcs_document import Verification
from smetslab.devices.profile import profile_schema
from smetslab.duis.srv.listing import service_requests_schema
from smetslab.gbcs.catalogue import catalogue_schema
from smetslab.gbcs.named import document_schema
from smetslab.gbcs.report import decode_schema
from smetslab.gbcs.triage.view import diff_schema, explanation_schema
from smetslab.harness.evidence.manifest import Manifest
from smetslab.harness.evidence.report import Report
from smetslab.harness.records import Record
from smetslab.lab.config import lab_schema
from smetslab.pki.listing import KeystoreListing
from smetslab.rtds.check import report_schema
from smetslab.rtds.replay import replay_schema
from smetslab.rtds.transform import transform_schema
from smetslab.trace import OBSERVATION_SCHEMA

FOLDER = Path(__file__).parents[2] / "docs" / "schemas"

SCHEMAS: dict[str, Callable[[], Any]] = {
    "lab": lab_schema,
    "device-profile": profile_schema,
    "observation": lambda: OBSERVATION_SCHEMA,
    "evidence-record": lambda: TypeAdapter(Record).json_schema(mode="serialization"),
    "evidence-manifest": lambda: Manifest.model_json_schema(mode="serialization"),
    "evidence-report": lambda: Report.model_json_schema(mode="serialization"),
    "gbcs-decode": decode_schema,
    "gbcs-document": document_schema,
    "gbcs-explain": explanation_schema,
    "gbcs-diff": diff_schema,
    "gbcs-usecases": catalogue_schema,
    "gbcs-verify": lambda: Verification.model_json_schema(mode="serialization"),
    "duis-services": service_requests_schema,
    "rtds-check": report_schema,
    "rtds-replay": replay_schema,
    "rtds-transform": transform_schema,
    "pki-show": lambda: KeystoreListing.model_json_schema(mode="serialization"),
}
"""Every published schema by the name of its file."""


def text(name: str) -> str:
    """What the file of a schema has to say."""
    return json.dumps(SCHEMAS[name](), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def path(name: str) -> Path:
    return FOLDER / f"{name}.schema.json"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for schema in SCHEMAS:
        path(schema).write_text(text(schema), encoding="utf-8")
