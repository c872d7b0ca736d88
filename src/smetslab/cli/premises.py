"""`smetslab premises`: homes alone, for a DCC that runs elsewhere, until they are told to stop."""

from __future__ import annotations

import asyncio
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from smetslab.cli import output
from smetslab.cli.live import CaptureKeysOption, PcapOption, Wanted, ZepOption, wanted
from smetslab.clock import run_real
from smetslab.lab.build import Lab, check_lab, lab_keystore
from smetslab.lab.collector import seldom_collected
from smetslab.lab.config import KeyConfig, LabConfig, StoreConfig, load_lab
from smetslab.lab.loops import serving_loop
from smetslab.lab.serve import KEPT_OBSERVATIONS, in_real_time
from smetslab.lab.shard import Shard
from smetslab.wan.topics import parse_address

MEMORY: Final = "sqlite://"

_CONNECT_S: Final = 5.0


def premises(
    *,
    wan: Annotated[
        str,
        typer.Option(metavar="URL", envvar="SMETSLAB_WAN", help="MQTT broker, such as mqtt://localhost/lab."),
    ],
    lab: Annotated[
        Path | None,
        typer.Option(metavar="FILE", envvar="SMETSLAB_LAB", help="Lab file, the same as the DCC's."),
    ] = None,
    shard: Annotated[
        str, typer.Option(metavar="I/N", help="Which part of the homes: 1/4 to 4/4 are the parts of four.")
    ] = "1/1",
    keystore: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", envvar="SMETSLAB_KEYSTORE", help="Key store of the remote parties, as the DCC's."
        ),
    ] = None,
    store: Annotated[
        str,
        typer.Option(
            metavar="URL",
            envvar="SMETSLAB_STORE",
            help="Where the devices keep their memory; `memory` for nowhere.",
        ),
    ] = "memory",
    scale: Annotated[float, typer.Option(metavar="N", help="Laboratory seconds a second.")] = 1.0,
    pcap: PcapOption = None,
    zep: ZepOption = None,
    pcap_keys: CaptureKeysOption = None,
) -> None:
    """Run the homes of a laboratory in real time, for `smetslab serve --wan` in another process."""
    part = Shard.parse(shard)
    parse_address(wan)
    config = load_lab(lab)
    update: dict[str, Any] = {
        "wan": config.wan.model_copy(update={"url": wan}),
        "store": StoreConfig(url=MEMORY if store == "memory" else store),
        "time": config.time.model_copy(update={"mode": "real", "scale": scale}),
    }
    if keystore is not None:
        update["keys"] = KeyConfig(authority="keystore", keystore=str(keystore.absolute()))
    now = datetime.now(UTC)  # noqa: TID251 - served homes begin at the present moment
    config = in_real_time(config.model_copy(update=update), now)
    keys = lab_keystore(config)
    check_lab(config, keys)
    lab_here = Lab(config, keystore=keys, keep=KEPT_OBSERVATIONS, role="premises", shard=part, grouped=True)
    with wanted(pcap, zep, pcap_keys) as capture:
        run_real(_run(lab_here, capture), epoch=now, loop_factory=serving_loop())


async def _run(lab: Lab, capture: Wanted) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        async with lab:
            with capture.of(lab):
                await lab.wan_connected(_CONNECT_S)
                _say(lab.config, lab)
                with seldom_collected():
                    await stop.wait()
                output.line("stopping")
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def _say(config: LabConfig, lab: Lab) -> None:
    homes = lab.shard.of(config.premises)
    address = parse_address(config.wan.url or "")
    output.line(f"{lab.shard.name}: {len(homes)} of {len(config.premises)} homes behind {address}")
    for home in homes:
        air = lab.outside.get(home.name)
        zep = "" if air is None else f", ZEP at {air.address[0]}:{air.address[1]}"
        output.line(f"  {home.name:<16} {home.hub.eui64.dashed()}  {len(home.devices)} devices{zep}")
    output.line("stop: Ctrl-C")
    sys.stdout.flush()
