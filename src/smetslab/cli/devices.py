"""`smetslab devices`: look into the devices of a running laboratory, and disturb them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import quote

import httpx
import typer

from smetslab.cli import output
from smetslab.devices.faults import FAULTS, read_fault
from smetslab.duis.document import LocalCommand, parse_response
from smetslab.errors import DuisError, UsageError

DEFAULT_URL: Final = "http://127.0.0.1:8079"
_TIMEOUT_S: Final = 30.0
_IMAGE_TIMEOUT_S: Final = 330.0
"""Longer than the DCC waits for a hub."""
_ROW_WIDTH: Final = 160

app = typer.Typer(help="The devices of a running laboratory.", no_args_is_help=True)

Url = Annotated[
    str, typer.Option(envvar="SMETSLAB_URL", metavar="URL", help="Where `smetslab serve` listens for DUIS.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback()
def _noun() -> None:
    pass


@app.command()
def show(
    device: Annotated[
        str | None, typer.Argument(metavar="[EUI64|NAME]", help="One device; without it a list of all.")
    ] = None,
    *,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Show the devices of a running laboratory, or everything about one."""
    answer = ask_control("GET", url, "/lab/devices" if device is None else _path(device))
    if as_json:
        output.print_json(answer)
    elif device is None:
        output.line(f"time {answer['time']}")
        for row in answer["devices"]:
            power = "" if row["powered"] else "  without power"
            output.line(f"{row['eui64']}  {row['type']:7} {row['name']}{power}")
    else:
        for line in lines(answer):
            output.line(line)


@app.command()
def inject(
    device: Annotated[str, typer.Argument(metavar="EUI64|NAME", help="The device it happens to.")],
    fault: Annotated[str, typer.Argument(metavar="FAULT", help="Its name; see `devices faults`.")],
    parameters: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Its parameters.")
    ] = None,
    *,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Make a fault happen to a device of a running laboratory, now."""
    given: dict[str, str] = {}
    for text in parameters or []:
        key, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"{text!r} is not KEY=VALUE")
        given[key] = value
    answer = disturb(url, device, fault, given)
    if as_json:
        output.print_json(answer)
    else:
        output.line(f"{answer['device']}: {answer['injected']}")


def disturb(url: str, device: str, fault: str, parameters: dict[str, str]) -> Any:
    """Make a fault happen in a running laboratory; its answer. Raises UsageError."""
    read_fault(fault, parameters)
    return ask_control("POST", url, f"{_path(device)}/faults", {"fault": fault, "parameters": parameters})


@app.command()
def firmware(
    device: Annotated[str, typer.Argument(metavar="EUI64|NAME", help="The device that gets the image.")],
    image: Annotated[Path, typer.Argument(metavar="FILE", help="An OTA file.")],
    *,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Give a device of a running laboratory a firmware image.

    A hub gets it over the WAN and runs it, as its WAN provider has it; a meter keeps it until 11.3 activates
    it.
    """
    answer = ask_control("POST", url, f"{_path(device)}/firmware", content=_octets_of(image))
    if as_json:
        output.print_json(answer)
    else:
        output.line(f"{answer['device']}: {answer['step']}: {answer['outcome']}")


@app.command()
def deliver(
    device: Annotated[str, typer.Argument(metavar="EUI64|NAME", help="The device that gets the command.")],
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="Output of `duis send --local --json`, a DUIS response, or a GBCS message."
        ),
    ],
    *,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Bring a command to a device on its premises, past the WAN, and print the device's response.

    The response, in hexadecimal digits, is the element DeviceGBCSResponse of 8.13.
    """
    answer = ask_control("POST", url, f"{_path(device)}/commands", content=_local_command(file))
    if as_json:
        output.print_json(answer)
    else:
        output.line(answer["response"])


def _octets_of(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}") from error


def _local_command(file: Path) -> bytes:
    """The GBCS message in a DUIS response document, in what `duis send --json` prints, or in octets or
    hexadecimal digits. Raises UsageError.
    """
    octets = _octets_of(file)
    if octets.lstrip()[:1] == b"{":
        try:
            return bytes.fromhex(json.loads(octets)["gbcs"])
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise UsageError(f"{file}: no output of `duis send --local --json`: {error}") from error
    if octets.lstrip()[:1] == b"<":
        try:
            payload = parse_response(octets).payload
        except DuisError as error:
            raise UsageError(f"{file}: {error}") from error
        if not isinstance(payload, LocalCommand):
            raise UsageError(f"{file}: the response has no local command")
        return payload.payload
    try:
        return bytes.fromhex(octets.decode("ascii"))
    except ValueError:
        return octets


@app.command()
def faults(*, as_json: AsJson = False) -> None:
    """List the faults that can be injected, with their parameters."""
    if as_json:
        output.print_json(
            {
                "faults": [
                    {
                        "name": fault.name,
                        "description": fault.description,
                        "devices": [kind.name for kind in fault.devices],
                        "parameters": {name: p.default for name, p in fault.parameters.items()},
                    }
                    for fault in FAULTS.values()
                ]
            }
        )
        return
    for fault in FAULTS.values():
        output.line(f"{fault.name:18} {fault.description}")
        for name, parameter in fault.parameters.items():
            words = f": {', '.join(parameter.words)}" if parameter.words else ""
            output.line(f"{'':18}   {name}={parameter.default}{words}")


def lines(value: Any, indent: int = 0) -> list[str]:
    """A nested value as text: one line for each leaf. A record of a list has one line if it fits, otherwise
    lines of its own; texts of several words (a screen) have a line each."""
    margin = "  " * indent
    found: list[str] = []
    for key, item in value.items():
        if isinstance(item, dict) and item:
            found += [f"{margin}{key}", *lines(item, indent + 1)]
        elif isinstance(item, list) and any(isinstance(row, dict) for row in item):
            found.append(f"{margin}{key}")
            for row in item:
                text = f"{margin}  {_row(row)}"
                if len(text) <= _ROW_WIDTH or not isinstance(row, dict):
                    found.append(text)
                else:
                    first, *others = lines(row, indent + 2)
                    found += [f"{margin}  - {first.lstrip()}", *others]
        elif isinstance(item, list) and any(isinstance(text, str) and " " in text for text in item):
            found += [f"{margin}{key}", *(f"{margin}  {text}".rstrip() for text in item)]
        else:
            found.append(f"{margin}{key:28} {_shown(item)}")
    return found


def _shown(value: Any) -> str:
    """A value in one line: members as KEY=VALUE, `-` for nothing."""
    if isinstance(value, dict):
        return ", ".join(f"{key}={_shown(item)}" for key, item in value.items()) or "-"
    if isinstance(value, list):
        return " ".join(_shown(item) for item in value) or "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None or value == "" else str(value)


def _row(row: Any) -> str:
    if not isinstance(row, dict):
        return _shown(row)
    return "  ".join(f"{key} {_shown(value)}" for key, value in row.items())


def _path(device: str) -> str:
    return f"/lab/devices/{quote(device, safe='')}"


def ask_control(method: str, url: str, path: str, body: Any = None, content: bytes | None = None) -> Any:
    """The JSON answer of the control interface to a JSON body or to octets. Raises UsageError."""
    address, timeout = f"{url.rstrip('/')}{path}", _TIMEOUT_S if content is None else _IMAGE_TIMEOUT_S
    try:
        answer = httpx.request(method, address, json=body, content=content, timeout=timeout)
        told = answer.json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise UsageError(
            f"no laboratory answers at {url}: {error}", hint="start one with `smetslab serve`, or give --url"
        ) from error
    if answer.status_code != httpx.codes.OK:
        message = told.get("error") if isinstance(told, dict) else None
        hint = told.get("hint", "") if isinstance(told, dict) else ""
        raise UsageError(str(message or f"status {answer.status_code} from {url}"), hint=str(hint))
    return told
