"""What a document says, as one value for people and machines. The published form of `smetslab duis
validate --json`.
"""

from __future__ import annotations

from typing import Literal, cast

from pydantic import BaseModel, ConfigDict, JsonValue

from smetslab.duis.document import (
    SIGNED_PRE_COMMAND,
    Request,
    Response,
    ResponseMessage,
    parse_request,
    parse_response,
    read_signed_pre_command,
)
from smetslab.duis.element import parse_document
from smetslab.duis.limits import MAX_DOCUMENT_BYTES
from smetslab.duis.schema import DuisSchema
from smetslab.duis.srv import find, read_body
from smetslab.errors import DuisError

NO_SCHEMA = "checked by smetslab's own models alone: no schema folder was given"
NOT_DECLARED = "the body was not read: this service request is not declared"
SIGNATURE_NOT_CHECKED = "there is an XML signature, which was not checked"


class DocumentReport(BaseModel):
    """One valid document. What an invalid one lacks is a DuisError, never a report."""

    model_config = ConfigDict(frozen=True)

    schema_version: Literal[1] = 1
    kind: Literal["Request", "Response"]
    duis_version: str
    request_id: str | None = None
    response_id: str | None = None
    command_variant: int | None = None
    service_request: str | None = None
    service_request_name: str | None = None
    response_code: str | None = None
    body: str | None = None
    elements: dict[str, JsonValue] | None = None
    gbcs: str | None = None
    validated_with: str | None = None
    signed_by: str | None = None
    """Whose signature it carries, checked; None where it carries none, or where nobody checked it."""
    notes: tuple[str, ...] = ()


def report_document(
    data: bytes, schema: DuisSchema | None = None, *, limit: int = MAX_DOCUMENT_BYTES
) -> DocumentReport:
    """Read and check a document. Raises DuisError at the first fault."""
    kind = parse_document(data, limit=limit).name
    if kind not in {"Request", "Response"}:
        raise DuisError("not a DUIS document", path="document", expected="Request or Response", found=kind)
    report = (
        _request_report(parse_request(data, limit=limit))
        if kind == "Request"
        else _response_report(parse_response(data, limit=limit))
    )
    if schema is None:
        return report.model_copy(update={"notes": (*report.notes, NO_SCHEMA)})
    schema.validate(data, limit=limit)
    return report.model_copy(update={"validated_with": schema.name})


def with_signer(report: DocumentReport, signed_by: str | None, *, signed: bool) -> DocumentReport:
    """The report with what is known of the signature; `signed_by` of None says that nobody checked it."""
    if signed and signed_by is None:
        return report.model_copy(update={"notes": (SIGNATURE_NOT_CHECKED, *report.notes)})
    return report.model_copy(update={"signed_by": signed_by})


def _request_report(request: Request) -> DocumentReport:
    header = request.header
    row = find(header.variant)
    notes: list[str] = []
    elements: dict[str, JsonValue] | None = None
    gbcs: str | None = None
    if request.body.name == SIGNED_PRE_COMMAND:
        gbcs = read_signed_pre_command(request.body).payload.hex().upper()
    elif row is None:
        notes.append(NOT_DECLARED)
    else:
        elements = cast("dict[str, JsonValue]", read_body(row, request.body))
    return DocumentReport(
        kind="Request",
        duis_version=request.schema_version,
        request_id=str(header.request_id),
        command_variant=header.command_variant.value,
        service_request=header.variant,
        service_request_name=None if row is None else row.name,
        body=request.body.name,
        elements=elements,
        gbcs=gbcs,
        notes=tuple(notes),
    )


def _response_report(response: Response) -> DocumentReport:
    body = response.body
    variant = body.variant if isinstance(body, ResponseMessage) else None
    row = None if variant is None else find(variant)
    return DocumentReport(
        kind="Response",
        duis_version=response.schema_version,
        request_id=None if response.request_id is None else str(response.request_id),
        response_id=None if response.response_id is None else str(response.response_id),
        service_request=variant,
        service_request_name=None if row is None else row.name,
        response_code=response.code,
        body=type(response.payload or body).__name__,
        gbcs=None if response.gbcs is None else response.gbcs.hex().upper(),
    )
