"""`smetslab han inject`: send any octets on the simulated air of a running laboratory."""

from __future__ import annotations

from typing import Annotated

import typer

from smetslab.cli import output
from smetslab.cli.devices import DEFAULT_URL, AsJson, Url, disturb


def inject(
    octets: Annotated[str, typer.Argument(metavar="HEX", help="The frame, from its MAC header on.")],
    *,
    device: Annotated[
        str, typer.Option("--near", metavar="EUI64|NAME", help="A device of the home it is sent in.")
    ] = "hub",
    own_check_sequence: Annotated[
        bool,
        typer.Option("--own-fcs", help="The octets end in a check sequence of their own."),
    ] = False,
    times: Annotated[int, typer.Option("--times", min=1, max=10_000, help="How often.")] = 1,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Send a frame on the air of a home in a running laboratory, from a radio of nobody."""
    parameters = {
        "octets": octets,
        "check_sequence": "own" if own_check_sequence else "fitting",
        "times": str(times),
    }
    answer = disturb(url, device, "inject-frame", parameters)
    if as_json:
        output.print_json(answer)
    else:
        output.line(f"sent in the home of {answer['device']}")
