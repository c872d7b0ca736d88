"""The event loop of a process that serves in real time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


def serving_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """What makes the loop: uvloop where it is installed (the extra `fast`), which takes a tenth off the
    processor time of a request; else None, asyncio's own. Virtual time has a loop of its own.
    """
    try:
        import uvloop  # noqa: PLC0415 - an extra: the core runs without it
    except ModuleNotFoundError:
        return None
    return uvloop.new_event_loop
