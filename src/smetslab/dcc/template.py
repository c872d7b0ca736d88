"""One request document to the command it becomes, for comparing with published messages: no access control,
no state.

What a document cannot tell is data given by the caller: the device as the inventory knows it, and the
counter of the broker.

Spec: DUIS templates and Reference Test Data Set as published.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from smetslab.dcc.transform import Surroundings, mapping_for, transform
from smetslab.duis.codes import CommandVariant
from smetslab.duis.document import Request, parse_request
from smetslab.duis.srv import find, read_body
from smetslab.errors import SecurityError
from smetslab.gbcs.message import Message
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
    around: Surroundings,
    *,
    use_case: str | None = None,
) -> TransformedTemplate:
    """Transform a request to `device`. `use_case` chooses where several serve the variant and the device.

    Raises DuisError when the document is none, not the one its variant asks for, or no command can say it.
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
    elements = read_body(row, request.body)
    mapping = mapping_for(row, device, elements, device_type=around.device_type)
    if use_case is not None:
        mapping = next((one for one in row.mappings if one.use_case.name == use_case), None)
    if mapping is None:
        reason = f"no use case of {header.variant} for a {device.device_type.name} is declared"
        return TransformedTemplate(request=request, kind=kind, unsupported=reason)
    try:
        command = transform(row, mapping, device, header.request_id, elements, around=around)
    except SecurityError as error:
        return TransformedTemplate(
            request=request, kind=kind, use_case=mapping.use_case.name, unsupported=str(error)
        )
    return TransformedTemplate(
        request=request, kind=kind, use_case=mapping.use_case.name, message=command.message
    )
