"""The smoke suite of Section F4: one premises, each first use case, each kind of check.

Importing this package declares the cases; `SUITE` is the suite.
"""

from smetslab.harness.suites.f4_smoke.suite import SUITE

__all__ = ["SUITE"]
