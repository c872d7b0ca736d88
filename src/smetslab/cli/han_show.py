"""`smetslab han show` and `han keys`: the home network as text, and the keys that open what is on its air."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from smetslab.cli import output
from smetslab.cli.devices import DEFAULT_URL, Url, ask_control
from smetslab.clock import run_virtual
from smetslab.errors import UsageError
from smetslab.han.view import NetworkView, draw
from smetslab.lab.build import Lab
from smetslab.lab.config import HOME_NAME, StoreConfig, WanConfig, load_lab
from smetslab.lab.control import networks
from smetslab.rng import RootSeed
from smetslab.zigbee.capture.keys import CaptureKey, key_file

T = TypeVar("T")

LabArgument = Annotated[
    Path | None,
    typer.Argument(metavar="[LAB.TOML]", help="A lab file: its networks as they begin."),
]
SETTLED_S = 10.0
"""After so many laboratory seconds devices have announced themselves and asked for their tunnels."""


def show(
    lab: LabArgument = None,
    *,
    url: Url = DEFAULT_URL,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Draw the home networks: who is in each, through whom, how well they hear, and whose keys they have.

    Of a running laboratory, or of a lab file some seconds after its beginning.
    """
    answer: Any = ask_control("GET", url, "/lab/hans") if lab is None else _begin(lab, None, networks)
    if as_json:
        output.print_json(answer)
        return
    try:
        drawn = [
            (name, list(draw(NetworkView.from_json(view), answer["names"])))
            for name, view in answer["hans"].items()
        ]
    except (KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"what answers at {url} shows no networks: {error}") from error
    for number, (name, lines) in enumerate(drawn):
        if number:
            output.line("")
        for line in (f"{name}: {lines[0]}", *lines[1:]):
            output.line(line)


def keys(
    lab: LabArgument = None,
    *,
    seed: Annotated[
        int | None, typer.Option(metavar="N", min=0, help="Another seed than the lab file's.")
    ] = None,
) -> None:
    """Print the keys of a lab's networks as Wireshark keeps them, before anything runs.

    They follow from the seed, and open a live capture of `smetslab serve` from its first frame. Without a lab
    file they are those of the home that it serves by default. Keys that are agreed later, by devices that
    join, come with the capture.
    """
    found: list[CaptureKey] = _begin(lab, seed, lambda running: running.capture_keys())
    if not found:
        raise UsageError("nothing is on the air, so there are no keys")
    output.write_text(key_file(found))


def _begin(file: Path | None, seed: int | None, look: Callable[[Lab], T]) -> T:
    """What a lab looks like when it has begun, on virtual time and with nothing kept."""
    config = load_lab(file, default=HOME_NAME).model_copy(update={"store": StoreConfig(), "wan": WanConfig()})
    time = config.time.model_copy(update={"mode": "virtual", "scale": 1.0})
    config = config.model_copy(update={"time": time})

    async def story() -> T:
        async with Lab(config, seed=None if seed is None else RootSeed(seed)) as lab:
            await lab.clock.sleep(SETTLED_S)
            return look(lab)

    return run_virtual(story())
