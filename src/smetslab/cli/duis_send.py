"""`smetslab duis send` and `sign`: a service user's client for people without one."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal, cast

import typer
from pydantic import BaseModel, ConfigDict, JsonValue

from smetslab.cli import output
from smetslab.clock import run_real
from smetslab.dcc import DCC_IDENTITY, ServiceResponse
from smetslab.dcc.services.asking import DEFAULT_SMKI_URL, DEFAULT_URL, Dialogue, ask, service_health
from smetslab.dcc.services.client import CheckedResponse, Step
from smetslab.dcc.services.doorkeeper import DocumentSigner
from smetslab.dcc.services.settings import DEFAULT_CALLBACK
from smetslab.duis.codes import CommandVariant, ResponseCode
from smetslab.duis.document import Request, RequestHeader, RequestId, parse_request, parse_response
from smetslab.duis.limits import MAX_FIRMWARE_DOCUMENT_BYTES
from smetslab.duis.srv import SERVICE_REQUESTS, ServiceRequest, find, write_body
from smetslab.duis.srv.model import EXECUTION_DATE_TIME
from smetslab.errors import DuisError, RemoteProtocolError, UsageError
from smetslab.gbcs.codes import CounterFamily, DeviceType
from smetslab.gbcs.usecases.engine import FAILURES
from smetslab.gbcs.values import Parameters, Value
from smetslab.ids import Eui64
from smetslab.lab.build import lab_keystore
from smetslab.lab.config import HOME_NAME, load_lab
from smetslab.pki import KeyRing, load_keystore

_PREFERRED: Final = (DeviceType.ESME, *(kind for kind in DeviceType if kind is not DeviceType.ESME))
"""Whom a request goes to by default, where several types of devices could answer it."""

_VARIANT: Final = re.compile(r"[0-9]{1,2}(?:\.[0-9]{1,2}){1,2}")
_UTRN_STEP: Final = 1 << 32
_TITLES: Final[dict[Step, str]] = {"request": "sent", "answer": "answered", "call-back": "call-back"}

KeystoreOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        envvar="SMETSLAB_KEYSTORE",
        help="Key store with the user's keys. Without one those of the lab's own test authority.",
    ),
]
LabOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", envvar="SMETSLAB_LAB", help="The served lab file; by default a whole home."),
]


class SendReport(BaseModel):
    """What `smetslab duis send --json` prints."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    request_id: str
    service_request: str
    response_code: str
    succeeded: bool
    authentic: bool | None
    use_case: str | None
    parameters: dict[str, JsonValue]
    gbcs: str | None
    payload: str | None
    documents: tuple[tuple[str, str], ...]
    """Everything that was sent and received, in order: `request`, `answer` or `call-back`, and the XML."""


def send(
    what: Annotated[
        str,
        typer.Argument(
            metavar="SRV|TEMPLATE|FILE",
            help="A service reference variant such as 4.1.1, a published template, or a Request document.",
        ),
    ],
    *,
    target: Annotated[
        str | None,
        typer.Option(
            metavar="EUI|TYPE", help="The device; a type such as esme is looked up at the services."
        ),
    ] = None,
    user: Annotated[
        str | None,
        typer.Option(metavar="EUI|NAME", help="The service user, by EUI-64 or name in the lab file."),
    ] = None,
    values: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="An element of the request; VALUE is JSON or text."),
    ] = None,
    execution: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="When it is to be carried out, such as 2030-01-15T09:00:00Z."),
    ] = None,
    local: Annotated[
        bool, typer.Option("--local", help="Get the command for delivery on the premises, send nothing.")
    ] = False,
    counter: Annotated[
        int | None, typer.Option(min=0, help="Counter of the request; by default the time in milliseconds.")
    ] = None,
    url: Annotated[
        str, typer.Option(envvar="SMETSLAB_URL", help="Base URL of the DUIS services.")
    ] = DEFAULT_URL,
    smki_url: Annotated[
        str, typer.Option(envvar="SMETSLAB_SMKI_URL", help="Base URL of the SMKI repository.")
    ] = DEFAULT_SMKI_URL,
    listen: Annotated[
        str,
        typer.Option(
            metavar="HOST:PORT/PATH",
            envvar="SMETSLAB_LISTEN",
            help="Where to wait for call-backs: what `serve` has as --callback.",
        ),
    ] = DEFAULT_CALLBACK,
    keystore: KeystoreOption = None,
    lab: LabOption = None,
    templates: Annotated[
        Path | None,
        typer.Option(metavar="DIR", envvar="SMETSLAB_TEMPLATES", help="Folder of published templates."),
    ] = None,
    timeout: Annotated[float, typer.Option(min=1, metavar="SECONDS", help="How long to wait.")] = 120.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Sign a request, send it, wait for its answer, and show what it says.

    A critical request is transformed, compared with what was asked, signed and sent. Exit code 0 when the
    device or the DCC did it, 1 when not, 4 when no answer came in time.
    """
    asker = _Asker(url, keystore, lab, counter)
    if _VARIANT.fullmatch(what) and not Path(what).exists():
        request = asker.request(what, target, user, _elements(values, execution), local=local)
    else:
        if values or execution or local:
            raise UsageError(
                "--set, --execution and --local are for requests that are built here",
                hint="send a service reference variant, or change the document",
            )
        request = asker.document(_find_document(what, templates), target, user)
    seen: list[tuple[Step, bytes]] = []

    def observe(step: Step, document: bytes) -> None:
        seen.append((step, document))
        if not as_json:
            _show_step(step, document)

    dialogue = Dialogue(
        url=url,
        smki_url=smki_url,
        listen=listen,
        timeout_s=timeout,
        observe=observe,
        unexpected=(lambda received: None) if as_json else _show_unexpected,
    )
    try:
        response = run_real(ask(request, asker.keystore, dialogue))
    except TimeoutError:
        hint = f"does the DCC send call-backs to {listen}?"
        if execution is not None:
            hint = f"it is dated {execution}: --timeout says how long to wait for it"
        output.error(f"no call-back within {timeout:g} s", hint=hint)
        raise typer.Exit(output.EXIT_INCONCLUSIVE) from None
    report = _report(request, response, seen)
    if as_json:
        output.print_json(report.model_dump(mode="json"))
    else:
        _show(report, response)
    raise typer.Exit(output.EXIT_PASS if report.succeeded else output.EXIT_FAIL)


def sign(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="An unsigned Request document, or - for stdin.")
    ],
    *,
    keystore: KeystoreOption = None,
    lab: LabOption = None,
) -> None:
    """Sign a document in the name of its originator and print it. It must be compact."""
    document = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    request = parse_request(document, limit=MAX_FIRMWARE_DOCUMENT_BYTES)
    keys = _keys(keystore, lab)
    signer = DocumentSigner(keys.xml_signer(request.header.request_id.originator))
    sys.stdout.write(signer.sign(document.strip()).decode() + "\n")


class _Asker:
    """Makes the request: who asks whom, under which counter."""

    def __init__(self, url: str, keystore: Path | None, lab: Path | None, counter: int | None) -> None:
        self._url = url
        self._lab = load_lab(lab, default=HOME_NAME)
        self._counter = counter
        self._health: dict[str, object] | None = None
        self.keystore = _keys(keystore, lab)

    def request(
        self, variant: str, target: str | None, user: str | None, elements: Parameters, *, local: bool
    ) -> Request:
        """A request built from its declaration."""
        row = find(variant)
        if row is None:
            raise UsageError(
                f"there is no service request {variant}",
                hint=f"known are {', '.join(SERVICE_REQUESTS)}",
            )
        try:
            body = write_body(row, elements)
        except DuisError as error:
            raise UsageError(str(error), hint=f"set it with --set; {row.name} has {_names(row)}") from error
        device = self._target(row, target)
        header = RequestHeader(
            request_id=RequestId(self._user(user), device, self._next_counter(row)),
            command_variant=_command_variant(row, local=local),
            service_reference=row.reference,
            variant=row.variant,
        )
        return Request(header=header, body=body)

    def document(self, path: Path, target: str | None, user: str | None) -> Request:
        """A request out of a document; it gets a new counter, and other parties where they are given."""
        request = parse_request(path.read_bytes(), limit=MAX_FIRMWARE_DOCUMENT_BYTES)
        header = request.header
        row = find(header.variant)
        request_id = RequestId(
            header.request_id.originator if user is None else self._user(user),
            header.request_id.target if target is None else self._device(target),
            self._next_counter(row),
        )
        return replace(request, header=replace(header, request_id=request_id), signed=False)

    def _user(self, text: str | None) -> Eui64:
        wanted = "supplier" if text is None else text
        for party in self._lab.parties:
            if party.name == wanted:
                return party.eui64
        try:
            return Eui64.parse(wanted)
        except ValueError as error:
            names = ", ".join(party.name for party in self._lab.parties)
            raise UsageError(f"no party {wanted}", hint=f"an EUI-64, or one of {names}") from error

    def _target(self, row: ServiceRequest, text: str | None) -> Eui64:
        if text is not None:
            return self._device(text)
        if row.non_device:
            return DCC_IDENTITY
        for device_type in _PREFERRED:
            if any(mapping.serves(device_type) for mapping in row.mappings):
                found = self._of_type(device_type.name.lower())
                if found is not None:
                    return found
        raise UsageError(f"the services know no device for {row.variant}", hint="name one with --target")

    def _device(self, text: str) -> Eui64:
        try:
            return Eui64.parse(text)
        except ValueError:
            found = self._of_type(text.lower())
        if found is None:
            raise UsageError(
                f"the services know no device {text!r}", hint="an EUI-64, or a type such as esme"
            )
        return found

    def _of_type(self, name: str) -> Eui64 | None:
        if self._health is None:
            self._health = run_real(service_health(self._url))
        found = self._health.get(name)
        if not isinstance(found, str):
            return None
        try:
            return Eui64.parse(found)
        except ValueError as error:
            raise RemoteProtocolError(f"/health gives no EUI-64 for {name}") from error

    def _next_counter(self, row: ServiceRequest | None) -> int:
        if self._counter is not None:
            return self._counter
        now = datetime.now(UTC).timestamp()  # noqa: TID251 - counters of different runs have to rise
        family = None if row is None or not row.mappings else row.mappings[0].use_case.counter_family
        return int(now) * _UTRN_STEP if family is CounterFamily.UTRN else int(now * 1000)


def _keys(keystore: Path | None, lab: Path | None) -> KeyRing:
    config = load_lab(lab, default=HOME_NAME)
    if keystore is not None:
        return load_keystore(keystore)
    return lab_keystore(config)


def _command_variant(row: ServiceRequest, *, local: bool) -> CommandVariant:
    if row.non_device:
        return CommandVariant.NON_DEVICE
    if row.critical:
        return CommandVariant.TRANSFORM
    return CommandVariant.RETURN_LOCALLY if local else CommandVariant.SEND


def _elements(values: list[str] | None, execution: str | None) -> Parameters:
    elements: dict[str, Value] = {}
    for text in values or ():
        name, found, value = text.partition("=")
        if not found or not name:
            raise UsageError(f"--set {text!r} is not NAME=VALUE")
        elements[name] = _value(value)
    if execution is not None:
        elements[EXECUTION_DATE_TIME] = execution
    return elements


def _value(text: str) -> Value:
    try:
        value: Any = json.loads(text)
    except ValueError:
        return text
    return text if isinstance(value, float) or value is None else value


def _names(row: ServiceRequest) -> str:
    names = dict.fromkeys(leaf.partition(".")[0] for leaf in row.body.leaves())
    return ", ".join(names) or "no elements"


def _find_document(what: str, templates: Path | None) -> Path:
    """The document of that path, or the published template of that name."""
    path = Path(what)
    if path.is_file():
        return path
    if templates is None:
        raise UsageError(
            f"{what} is no file", hint="for a template by its name give the folder with --templates"
        )
    found = sorted(file for file in templates.glob("*.XML") if file.name.upper().startswith(what.upper()))
    exact = [file for file in found if file.name.removesuffix("_REQUEST_DUIS.XML") == what]
    if len(exact or found) != 1:
        names = ", ".join(file.name for file in found[:8])
        raise UsageError(
            f"{'several templates begin' if found else 'no template begins'} with {what} in {templates}",
            hint=names or "the names are those of the files",
        )
    return (exact or found)[0]


# Showing ----------------------------------------------------------------------------------------------------


def _show_step(step: Step, document: bytes) -> None:
    if step == "request":
        header = parse_request(document, limit=len(document)).header
        output.line(
            f"{_TITLES[step]:<10} {header.variant}, command variant {header.command_variant.value}, "
            f"to {header.command_variant.service}, id {header.request_id}"
        )
        return
    output.line(f"{_TITLES[step]:<10} {parse_response(document).code}")


def _show_unexpected(received: CheckedResponse) -> None:
    body = type(received.response.body).__name__
    output.line(f"{'besides':<10} {received.response.code} {body} {received.response.response_id or ''}")


def _report(request: Request, response: ServiceResponse, seen: list[tuple[Step, bytes]]) -> SendReport:
    payload = response.response.payload
    succeeded = (
        response.code == ResponseCode.SUCCESS
        and response.authentic is not False
        and FAILURES not in response.parameters
    )
    return SendReport(
        request_id=str(request.header.request_id),
        service_request=request.header.variant,
        response_code=response.code,
        succeeded=succeeded,
        authentic=response.authentic,
        use_case=None if response.use_case is None else response.use_case.name,
        parameters=cast("dict[str, JsonValue]", dict(response.parameters)),
        gbcs=None if response.response.gbcs is None else response.response.gbcs.hex().upper(),
        payload=None if payload is None else type(payload).__name__,
        documents=tuple((step, document.decode()) for step, document in seen),
    )


def _show(report: SendReport, response: ServiceResponse) -> None:
    output.line("")
    output.line(
        f"{'done' if report.succeeded else 'NOT DONE'}: {report.service_request} {report.response_code}"
    )
    if report.use_case is not None:
        checked = {True: "authentic", False: "NOT AUTHENTIC", None: "not checked: it is for the broker"}
        output.line(f"  {report.use_case}, {checked[report.authentic]}")
    for name, value in report.parameters.items():
        output.line(f"  {name}: {value if isinstance(value, str) else json.dumps(value)}")
    element = getattr(response.response.payload, "element", None)
    if element is not None:
        _show_element(element, 1)


def _show_element(element: Any, depth: int) -> None:
    output.line(f"{'  ' * depth}{element.name}" + (f": {element.text}" if element.text else ""))
    for child in element.children:
        _show_element(child, depth + 1)
