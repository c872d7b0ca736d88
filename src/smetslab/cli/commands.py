"""The one list of commands. The module of one is imported when it is asked for: none waits for the others.

A noun is a module with an `app` of verbs; a verb of its own is a module with a function of its name.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

COMMANDS: Final = {
    "gbcs": "GBCS messages.",
    "rtds": "The Reference Test Data Set.",
    "duis": "DUIS documents.",
    "pki": "Test certificates and keys.",
    "evidence": "Evidence packs: check, show, compare.",
    "firmware": "Firmware images.",
    "devices": "The devices of a running laboratory.",
    "han": "The home network, and captures of it.",
    "run": "Run a suite on a laboratory and write signed evidence. The exit code is the verdict.",
    "premises": "Run the homes of a laboratory in real time, for `smetslab serve --wan` in another process.",
    "serve": "Run a laboratory in real time with the services of the DCC, until Ctrl-C or SIGTERM.",
    "suites": "List the suites, or the cases of one.",
}
"""What each does: the first line of its own help, which a test compares."""


def load(name: str) -> Any:
    """One of `COMMANDS`, imported."""
    module = import_module(f"smetslab.cli.{name}")
    root = typer.Typer()
    if isinstance(noun := getattr(module, "app", None), typer.Typer):
        root.add_typer(noun, name=name)
    else:
        root.command(name)(getattr(module, name))
    return get_group(root).commands[name]


class Commands(TyperGroup):
    """`COMMANDS` as a group. For its own help they are names and words; the one that is called is loaded."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        for name, words in COMMANDS.items():
            self.add_command(TyperCommand(name, help=words))

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[Any, Any, list[str]]:
        """As the group's, with the real command in the place of its name."""
        name, command, rest = super().resolve_command(ctx, args)
        return (name, load(name), rest) if name in COMMANDS else (name, command, rest)
