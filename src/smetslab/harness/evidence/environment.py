"""The declared non-deterministic part of a pack: where and when a run really took place."""

from __future__ import annotations

import getpass
import platform
from datetime import datetime

from smetslab.harness.evidence.manifest import Environment
from smetslab.harness.plain import utc_text
from smetslab.pki import Certificate


def describe_environment(
    *, started: datetime, finished: datetime, laboratory: Certificate, operator: str | None = None
) -> Environment:
    """Wall-clock times as the caller read them; the operator is the user account unless named."""
    return Environment(
        started=utc_text(started, "seconds"),
        finished=utc_text(finished, "seconds"),
        host=platform.node(),
        platform=platform.platform(),
        python=platform.python_version(),
        operator=operator or _account(),
        laboratory=str(laboratory.subject),
    )


def _account() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return "unknown"
