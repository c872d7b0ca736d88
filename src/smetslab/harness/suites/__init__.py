"""The suites that come with smetslab. Each is a package that declares its cases and one `SUITE`."""

from __future__ import annotations

from smetslab.harness.suite import AnySuite
from smetslab.harness.suites import f4_smoke


def load_suites() -> dict[str, AnySuite]:
    """Every suite by its name."""
    return {suite.name: suite for suite in (f4_smoke.SUITE,)}
