"""One request document to the command it becomes, for comparing with published messages: no access control,
no state.

What a document cannot tell is data given by the caller: the device as the inventory knows it, and the
counter of the broker.

Spec: DUIS templates and Reference Test Data Set as published.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from smetslab.dcc.rules import DCC_IDENTITY
from smetslab.dcc.transform import transform
from smetslab.duis.codes import CommandVariant
from smetslab.duis.document import Request, parse_request
from smetslab.duis.srv import UseCaseMapping, find, read_body
from smetslab.errors import SecurityError
from smetslab.gbcs.message import Message
from smetslab.ids import Eui64
from smetslab.registry import InventoryDevice


@dataclass(frozen=True, slots=True, kw_only=True)
class TransformedTemplate:
    """What a document became. `message` is unsigned and without MAC; None with the reason in
    `unsupported`.
    """

    request: Request
    kind: Literal["command", "pre-command"]
    use_case: str | None = None
    message: Message | None = None
    unsupported: str = ""


def transform_template(
    document: bytes,
    device: InventoryDevice,
    *,
    use_case: str | None = None,
    broker: Eui64 = DCC_IDENTITY,
    broker_counter: int = 0,
) -> TransformedTemplate:
    """Transform a request to `device`. `use_case` chooses where several serve the variant and the device.

    Raises DuisError when the document is none, or not the one its variant asks for.
    """
    request = parse_request(document)
    header = request.header
    kind: Literal["command", "pre-command"] = (
        "pre-command" if header.command_variant is CommandVariant.TRANSFORM else "command"
    )
    row = find(header.variant)
    if row is None:
        return TransformedTemplate(
            request=request, kind=kind, unsupported=f"service request {header.variant} is not declared"
        )
    mapping: UseCaseMapping | None = row.mapping_for(device.device_type)
    if use_case is not None:
        mapping = next((one for one in row.mappings if one.use_case.name == use_case), None)
    if mapping is None:
        reason = f"no use case of {header.variant} for a {device.device_type.name} is declared"
        return TransformedTemplate(request=request, kind=kind, unsupported=reason)
    elements = read_body(row, request.body)
    try:
        message = transform(
            mapping,
            device,
            header.request_id,
            elements,
            broker=broker,
            next_broker_counter=lambda: broker_counter,
        )
    except SecurityError as error:
        return TransformedTemplate(
            request=request, kind=kind, use_case=mapping.use_case.name, unsupported=str(error)
        )
    return TransformedTemplate(request=request, kind=kind, use_case=mapping.use_case.name, message=message)
