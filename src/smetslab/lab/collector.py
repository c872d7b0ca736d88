"""The garbage collector of a process that serves for long."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

THRESHOLDS: Final = (20_000, 20, 50)
"""How many new containers call for a collection, and how many collections for one of an older generation. A
choice: a request makes thousands of containers, nearly all of which go without the collector's help.
"""


@contextmanager
def seldom_collected() -> Iterator[None]:
    """Inside the block the collector runs seldom, and never looks at what was there before: declarations,
    schema, devices, which stay as long as the process does.
    """
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
