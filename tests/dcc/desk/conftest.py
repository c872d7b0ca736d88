"""Asking the DCC for what it does itself; every answer is held against the published schema where it is at
hand.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from smetslab.duis.codes import CommandVariant
from smetslab.duis.document import Response, parse_response
from smetslab.duis.schema import DuisSchema
from smetslab.ids import Eui64

BROKER = Eui64.parse("90B3D51F30000002")


@pytest.fixture(scope="session")
def schema() -> DuisSchema | None:
    folder = os.environ.get("SMETSLAB_SCHEMA")
    return DuisSchema(Path(folder)) if folder else None


@pytest.fixture
def ask(schema: DuisSchema | None) -> Callable[..., object]:
    """`await ask(bench, "8.2", {...}, user="operator")` is the answer."""

    async def asked(bench, variant: str, elements: dict[str, object], user: str = "supplier") -> Response:
        document = getattr(bench, user).document(variant, BROKER, elements, CommandVariant.NON_DEVICE)
        answer = await bench.dcc.receive(document)
        if schema is not None:
            schema.validate(answer)
        return parse_response(answer)

    return asked
