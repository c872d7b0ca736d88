"""`smetslab serve`: a living laboratory with all services, until it is told to stop."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from smetslab.cli import output
from smetslab.cli.live import CaptureKeysOption, PcapOption, Wanted, ZepOption, wanted
from smetslab.clock import run_real
from smetslab.dcc.services.log import StructuredFormatter
from smetslab.dcc.services.settings import callback_url
from smetslab.devices.cad_mqtt import Broker
from smetslab.errors import UsageError
from smetslab.ids import Eui64
from smetslab.lab.collector import seldom_collected
from smetslab.lab.config import HOME_NAME, KeyConfig, LabConfig, StoreConfig, load_lab
from smetslab.lab.control import control_routes
from smetslab.lab.enlisting import USER_ROLES
from smetslab.lab.loops import serving_loop
from smetslab.lab.serve import LabServer
from smetslab.pki import user_data_folder
from smetslab.wan.topics import parse_address

MEMORY: Final = "sqlite://"
_SERVICES: Final = (
    ("serviceS", "commands to send"),
    ("serviceT", "critical requests to transform"),
    ("serviceD", "non-device requests, and commands for local delivery"),
)


class LogForm(StrEnum):
    """How the log on stderr looks."""

    TEXT = "text"
    JSON = "json"
    NONE = "none"


def serve(
    *,
    lab: Annotated[
        Path | None,
        typer.Option(metavar="FILE", envvar="SMETSLAB_LAB", help="Lab file; by default a whole home."),
    ] = None,
    keystore: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            envvar="SMETSLAB_KEYSTORE",
            help="Key store of the remote parties. Without one the lab's own test authority.",
        ),
    ] = None,
    schema: Annotated[
        Path | None,
        typer.Option(metavar="DIR", envvar="SMETSLAB_SCHEMA", help="Folder of the published DUIS schemas."),
    ] = None,
    host: Annotated[str | None, typer.Option(envvar="SMETSLAB_HOST", help="Where to listen.")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, envvar="SMETSLAB_PORT", help="Port of the DUIS services.")
    ] = None,
    smki_port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, envvar="SMETSLAB_SMKI_PORT", help="Port of the SMKI repository."),
    ] = None,
    callback: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[EUI=]HOST:PORT/PATH",
            envvar="SMETSLAB_CALLBACK",
            help="Where responses and alerts go, of every user or of one; may be repeated.",
        ),
    ] = None,
    callback_delay: Annotated[
        float | None,
        typer.Option(min=0, max=60, metavar="SECONDS", help="Least time from acknowledgement to call-back."),
    ] = None,
    store: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            envvar="SMETSLAB_STORE",
            help="Where state is kept; `memory` for nowhere. By default a file in your data folder.",
        ),
    ] = None,
    wan: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            envvar="SMETSLAB_WAN",
            help="MQTT broker to the premises, which run elsewhere: `smetslab premises --wan`.",
        ),
    ] = None,
    cad_broker: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            envvar="SMETSLAB_CAD_BROKER",
            help="MQTT broker that the consumer access devices publish to, such as mqtt://localhost.",
        ),
    ] = None,
    scale: Annotated[
        float | None, typer.Option(metavar="N", help="Laboratory seconds a second; by default 1.")
    ] = None,
    epoch: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="When laboratory time begins: now, lab (the lab file's), or a time."
        ),
    ] = None,
    verify_signatures: Annotated[
        bool | None,
        typer.Option("--verify-signatures/--no-verify-signatures", help="Check the signatures of requests."),
    ] = None,
    pcap: PcapOption = None,
    zep: ZepOption = None,
    pcap_keys: CaptureKeysOption = None,
    log: Annotated[LogForm, typer.Option(envvar="SMETSLAB_LOG", help="The log on stderr.")] = LogForm.TEXT,
) -> None:
    """Run a laboratory in real time with the services of the DCC, until Ctrl-C or SIGTERM."""
    config = load_lab(lab, default=HOME_NAME)
    if cad_broker is not None:
        Broker.of(cad_broker)
    changes: dict[str, Any] = {
        "schema_folder": None if schema is None else str(schema.absolute()),
        "host": host,
        "port": port,
        "smki_port": smki_port,
        "callback_delay_s": callback_delay,
        "verify_signatures": verify_signatures,
        "epoch": None if epoch is None else _epoch(epoch),
        "cad_broker": cad_broker,
        **_callbacks(callback or [], config),
    }
    serve_config = config.serve.model_copy(
        update={name: value for name, value in changes.items() if value is not None}
    )
    update: dict[str, Any] = {"serve": serve_config}
    if keystore is not None:
        update["keys"] = KeyConfig(authority="keystore", keystore=str(keystore.absolute()))
    if scale is not None:
        update["time"] = config.time.model_copy(update={"mode": "real", "scale": _scale(scale)})
    if wan is not None:
        update["wan"] = config.wan.model_copy(update={"url": str(wan)})
    config = config.model_copy(update=update)
    url = _store(store, config)
    config = config.model_copy(update={"store": StoreConfig(url=url)})
    now = datetime.now(UTC)  # noqa: TID251 - a served lab begins at the present moment
    server = LabServer(config, routes=control_routes, now=now)
    with _logging(log), wanted(pcap, zep, pcap_keys) as capture:
        left = run_real(_run(server, capture), epoch=now, loop_factory=serving_loop())
    if left:
        lost = " and lost, because the store is memory" if url == MEMORY else "; the next run delivers them"
        output.error(f"{left} documents were not delivered{lost}")


async def _run(server: LabServer, capture: Wanted) -> int:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        async with server:
            with capture.of(server.lab):
                _print_instructions(server)
                with seldom_collected():
                    await stop.wait()
                output.line("stopping")
        return server.left
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def _print_instructions(server: LabServer) -> None:
    config, addresses = server.config, server.addresses
    serve = config.serve
    output.line(f"smetslab serves {config.source_name}: {_homes(config)}")
    output.line("")
    for name, what in _SERVICES:
        output.line(f"POST {addresses.duis}/api/v1/{name}   {what}")
    output.line(f"GET  {addresses.duis}/health            EUI-64 of every device")
    output.line(f"POST {addresses.smki}/services/certificatesearch, /services/retrievecertificate")
    output.line("")
    output.line(f"call-backs go to     {serve.callback or '(nowhere: documents are kept)'}")
    for user, url in serve.callbacks.items():
        output.line(f"  those of {user}  {url}")
    known = [f"{party.name} {party.eui64}" for party in config.parties if party.role in USER_ROLES]
    output.line(f"service users        {', '.join(known)}")
    output.line(f"keys                 {_keys(config)}")
    output.line(f"responses signed by  serial {server.signer.certificate.serial}")
    output.line(f"requests checked     {_checks(server)}")
    output.line(f"state kept in        {_state(config.store.url)}")
    if config.wan.url is not None:
        output.line(f"premises behind      {parse_address(config.wan.url)}")
    if serve.cad_broker is not None:
        broker = Broker.of(serve.cad_broker)
        output.line(f"CADs publish to      {broker.host}:{broker.port}")
    for name, air in server.lab.outside.items():
        output.line(f"air of {name:<14} ZEP at {air.address[0]}:{air.address[1]}")
    for premises in config.premises:
        output.line(f"{premises.name}")
        output.line(f"  {'hub':<16} {premises.hub.eui64.dashed()}")
        for device in premises.devices:
            output.line(f"  {device.name:<16} {device.eui64.dashed()}")
    output.line("")
    output.line("ask something: smetslab duis send 4.1.1        stop: Ctrl-C")
    sys.stdout.flush()


def _homes(config: LabConfig) -> str:
    homes = len(config.premises)
    devices = sum(1 + len(premises.devices) for premises in config.premises)
    pace = "" if config.time.scale == 1.0 else f", {config.time.scale:g} times faster than real time"
    return f"{homes} {'home' if homes == 1 else 'homes'}, {devices} devices{pace}"


def _keys(config: LabConfig) -> str:
    path = config.keystore_path
    if path is not None:
        return str(path)
    lab = "home" if config.source_name == HOME_NAME else config.source_name
    return f"the lab's own test authority; get them with: smetslab pki export --lab {lab} --out FOLDER"


def _checks(server: LabServer) -> str:
    schema = "own models" if server.schema is None else server.schema.name
    signatures = "XML signatures" if server.config.serve.verify_signatures else "no signatures"
    return f"{schema}, {signatures}"


def _state(url: str) -> str:
    return "memory: it is gone when this stops" if url == MEMORY else url


def _epoch(text: str) -> str | datetime:
    if text in {"now", "lab"}:
        return text
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"--epoch {text!r} is no time", hint="now, lab, or 2026-01-05T00:00:00Z") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _scale(value: float) -> float:
    if not 0 < value <= 100_000:
        raise UsageError(f"--scale {value:g} is not above 0 and at most 100000")
    return value


def _callbacks(given: list[str], config: LabConfig) -> Mapping[str, Any]:
    """The call-back settings that options name."""
    default: str | None = None
    users: dict[Eui64, str] = dict(config.serve.callbacks)
    for text in given:
        user, found, address = text.partition("=")
        if found and _is_eui(user):
            users[Eui64.parse(user)] = callback_url(address)
        else:
            default = callback_url(text)
    return {"callback": default, "callbacks": users}


def _is_eui(text: str) -> bool:
    try:
        Eui64.parse(text)
    except ValueError:
        return False
    return True


def _store(given: str | None, config: LabConfig) -> str:
    """The store: the option's, the lab file's if it names one, else a file that belongs to this very lab."""
    if given is not None:
        return MEMORY if given == "memory" else given
    if config.store.url != MEMORY:
        return config.store.url
    folder = user_data_folder() / "serve"
    folder.mkdir(parents=True, exist_ok=True)
    own = hashlib.sha256(config.source_text + str(config.keystore_path).encode()).hexdigest()[:12]
    name = Path(config.source_name).name.removesuffix(".toml").removesuffix(".lab")
    return f"sqlite:///{folder / f'{name}-{own}.sqlite'}"


@contextmanager
def _logging(form: LogForm) -> Iterator[None]:
    """Everything that is logged goes to stderr, one line each."""
    root = logging.getLogger()
    if form is LogForm.NONE:
        handler: logging.Handler = logging.NullHandler()
    else:
        handler = logging.StreamHandler()
        handler.setFormatter(StructuredFormatter(as_json=form is LogForm.JSON))
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    # One line for each request of the HTTP client says what the call-back's own line says better.
    chatty = [logging.getLogger(name) for name in ("httpx", "httpcore", "uvicorn")]
    levels = [logger.level for logger in chatty]
    for logger in chatty:
        logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        for logger, before in zip(chatty, levels, strict=True):
            logger.setLevel(before)
        root.setLevel(level)
        root.removeHandler(handler)
