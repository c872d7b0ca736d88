"""Structured logs: an event with named fields, printed as one JSON object or one line of text."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Final, TypeAlias

Field: TypeAlias = "str | int | float | bool | None"

LOGGER: Final = logging.getLogger("smetslab.services")
_FIELDS: Final = "smetslab_fields"


def log_event(level: int, event: str, **fields: Field) -> None:
    """Log that something happened. Never give it keys, documents or anything of unbounded length."""
    if LOGGER.isEnabledFor(level):
        LOGGER.log(level, event, extra={_FIELDS: fields})


class StructuredFormatter(logging.Formatter):
    """One record, one line: a JSON object, or `time level event name=value`. Of any logger."""

    def __init__(self, *, as_json: bool) -> None:
        super().__init__()
        self._as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        fields: dict[str, Field] = dict(getattr(record, _FIELDS, {}))
        message = record.getMessage()
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        if self._as_json:
            whole = {
                "time": moment.replace("+00:00", "Z"),
                "level": record.levelname.lower(),
                "logger": record.name,
                "event": message,
                **fields,
            }
            return json.dumps(whole, ensure_ascii=False)
        shown = " ".join(f"{name}={_plain(value)}" for name, value in fields.items() if value is not None)
        return f"{moment[11:23]} {record.levelname.lower():7} {message} {shown}".rstrip()


def _plain(value: Field) -> str:
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if not text or any(c in text for c in ' "\n') else text
