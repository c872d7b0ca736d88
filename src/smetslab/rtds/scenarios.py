"""Finds the scenarios of a data set: a command with its response, or an alert, by the names of the files.

`FOLDER/STEM`: the folder that holds the files, and the file name without its kind and its ending.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from smetslab.errors import CodecError, UsageError
from smetslab.gbcs.message import Message, decode_message
from smetslab.gbcs.notation import MAX_TEXT_BYTES, message_octets

MAX_FILES: Final = 100_000
"""Most files that one run looks at. The whole published set has some 3,000."""

_NAME = re.compile(r"^(?P<head>.+?)_(?P<kind>PRECOMMAND|COMMAND|RESPONSE|ALERT)(?P<tail>(_.+)?)_GBCS$")


@dataclass(slots=True, kw_only=True)
class Scenario:
    """The files of one scenario. A response alone cannot be provoked, an alert needs a cause."""

    folder: str
    stem: str
    command: Path | None = None
    pre_command: Path | None = None
    response: Path | None = None
    alert: Path | None = None

    @property
    def name(self) -> str:
        return f"{self.folder}/{self.stem}"


_SLOTS: Final = {
    "PRECOMMAND": "pre_command",
    "COMMAND": "command",
    "RESPONSE": "response",
    "ALERT": "alert",
}


def find_scenarios(root: Path) -> dict[str, Scenario]:
    """The scenarios below `root` by name, in the order of their names.

    Raises UsageError when there are none, or more files than any data set has.
    """
    if not root.is_dir():
        raise UsageError(
            f"{root} is no folder", hint="give the folder of the Reference Test Data Set: --rtds DIR"
        )
    found: dict[str, Scenario] = {}
    count = 0
    for path in sorted(root.rglob("*")):
        count += 1
        if count > MAX_FILES:
            raise UsageError(f"{root} holds more than {MAX_FILES} files", hint="give a folder of messages")
        match = _NAME.match(path.stem) if path.suffix.lower() == ".hex" else None
        if match is None:
            continue
        scenario = Scenario(folder=path.parent.name, stem=match["head"] + match["tail"])
        scenario = found.setdefault(scenario.name, scenario)
        setattr(scenario, _SLOTS[match["kind"]], path)
    if not found:
        raise UsageError(f"{root} holds no *_GBCS.HEX files", hint="--rtds DIR")
    return dict(sorted(found.items()))


def read_message(path: Path) -> Message:
    """The message in a file. Raises UsageError for one that is none."""
    try:
        with path.open("rb") as stream:
            return decode_message(message_octets(stream.read(MAX_TEXT_BYTES + 1)))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    except CodecError as error:
        raise UsageError(f"{path}: {error}") from error
