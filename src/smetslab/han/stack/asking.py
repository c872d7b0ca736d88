"""Requests of a node that somebody waits for: questions of the device profile, and messages with their
acknowledgement.
"""

from __future__ import annotations

import asyncio

from smetslab.errors import HanError, SecurityError
from smetslab.han.stack.aps_entity import ApsData
from smetslab.han.stack.node import RadioNode
from smetslab.zigbee.rows import Row
from smetslab.zigbee.zcl.fields import FieldInput, Record


async def ask(node: RadioNode, row: Row, destination: int, /, **values: FieldInput) -> Record | None:
    """The answer to a request of the device profile, None when none has come in time."""
    answer: asyncio.Future[Record | None] = asyncio.get_running_loop().create_future()

    def answered(record: Record | None) -> None:
        if not answer.done():
            answer.set_result(record)

    node.profile.ask(row, destination, answered, **values)
    if node.sleeper is not None:
        node.sleeper.stay_awake()
    return await answer


def transmit(node: RadioNode, data: ApsData, tag: int) -> tuple[asyncio.Future[bool], int]:
    """Hand a message to APS: whether it was acknowledged, to come, and its counter. Raises HanError."""
    done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    def finished(ok: bool) -> None:
        if not done.done():
            done.set_result(ok)

    try:
        counter = node.aps.send(data, finished, tag)
    except SecurityError as error:
        raise HanError(str(error), transient=False) from error
    if node.sleeper is not None:
        node.sleeper.stay_awake()
    return done, counter
