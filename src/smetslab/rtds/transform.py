"""Transforms every request document of a data set and compares with the published pre-command or command.

What no document says comes from the message that it is compared with, and every such thing is listed: who of
the DCC originates it and with which counter, the digits of a customer identification number, the type of the
other device, certificates, signatures. All else is made.

Spec: RTDS 4.5.0; DUIS templates as published.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from smetslab.dcc.rules import DCC_IDENTITY, TRANSITIONAL_COS
from smetslab.dcc.transform import Command, HubLog, Surroundings, transform
from smetslab.duis.document import RequestId
from smetslab.duis.srv import (
    ServiceRequest,
    Target,
    UseCaseMapping,
    candidates_for,
    differences,
    find,
    first_difference,
    read_body,
)
from smetslab.errors import CodecError, SecurityError
from smetslab.gbcs.codes import DeviceType, RemotePartyRole
from smetslab.gbcs.keys import mac_secrets
from smetslab.gbcs.message import Message, encode_message
from smetslab.gbcs.security import with_mac
from smetslab.gbcs.usecases import decode_content, encode_content
from smetslab.gbcs.usecases.registry import by_code
from smetslab.gbcs.values import Parameters, Value
from smetslab.ids import Eui64
from smetslab.pki.lookup import RingLookup
from smetslab.registry import InventoryDevice, KnownParty
from smetslab.rtds.key_folders import load_keys
from smetslab.rtds.pairs import Kind, Template, Vector, find_templates
from smetslab.rtds.replay import RTDS_TIME

Result = Literal["identical", "structurally_equal", "different", "unsupported"]
Taken = Literal[
    "originator", "originator_counter", "cin", "peer_device_type", "certificates", "signature", "message_code"
]
"""What a row may take from the message; `message_code` where the name of a document does not tell its use
case."""

_TYPES: Final = {
    "00DB1234567890A0": DeviceType.ESME,
    "00DB1234567890A1": DeviceType.GSME,
    "00DB1234567890A2": DeviceType.CHF,
    "00DB1234567890A3": DeviceType.GPF,
    "00DB1234567890A4": DeviceType.PPMID,
    "00DB1234567890A5": DeviceType.HCALCS,
    "00DB1234567890A6": DeviceType.ESME,
}
"""The devices of the data set. Spec: RTDS 4.5.0 (test devices)."""

_KNOWN: Final = (
    KnownParty(party=Eui64.parse("90B3D51F30010000"), role=RemotePartyRole.SUPPLIER),
    KnownParty(party=Eui64.parse("90B3D51F30020000"), role=RemotePartyRole.NETWORK_OPERATOR),
    KnownParty(party=Eui64.parse("90B3D51F30010008"), role=RemotePartyRole.LOAD_CONTROLLER),
)
"""The users that they hold credentials of."""

_HUB_LOG: Final = HubLog(
    network="0000000000000140",
    devices=[
        {"device_identifier": "00DB1234567890A0", "security_details": "83FED3407A939723A5C639B26916D506"},
        {"device_identifier": "00DB1234567890A1", "security_details": "83FED3407A939723A5C639B26916D505"},
    ],
)
_GAS_PROXY_LOG: Final[list[Value]] = [
    {"device_id": device_id, "device_type": device_type}
    for device_id, device_type in (
        ("0102030405060708", "type-2"),
        ("00DB123456789099", "ppmid"),
        ("00DB123456789097", "ppmid"),
        ("00DB123456789096", "ppmid"),
        ("00DB123456789098", "ppmid"),
        ("00DB12345678909B", "type-2"),
    )
]
"""The last backups of device logs that the data set shows: no document says more than whose log it was."""

_TWIN: Final = "_TWIN_"
"""In the name of a document for a meter with two elements."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_serialization_defaults_required=True)


class Difference(_Model):
    """A value that the document makes and the one that the message has; null where one has none."""

    parameter: str
    transformed: JsonValue
    published: JsonValue


class TransformRow(_Model):
    """What became of one request document, against one message."""

    template: str
    message: str
    srv: str | None
    use_case: str | None
    kind: Kind
    result: Result
    from_vector: list[Taken] = Field(description="what was taken from the message")
    first_difference: str | None = Field(description="where they differ first, or why there is no command")
    values_that_differ: list[Difference] = Field(
        description="of a different row: every parameter for which document and message give different "
        "values; together they are the whole difference. Empty when there is more to it"
    )


class TransformSummary(_Model):
    """The rows, counted; `unpaired` are documents without a message."""

    rows: int
    identical: int
    structurally_equal: int
    different: int
    unsupported: int
    unpaired: int


class TransformReport(_Model):
    """The whole comparison, without anything that differs between two runs over the same files."""

    schema_version: Literal[1] = 1
    summary: TransformSummary
    templates: list[TransformRow]
    unpaired: list[str]

    @property
    def passed(self) -> bool:
        return self.summary.different == self.summary.unsupported == 0


def transform_schema() -> dict[str, JsonValue]:
    """The JSON schema of `TransformReport`."""
    return TransformReport.model_json_schema(mode="serialization")


def transform_folder(
    messages: Path | str, documents: Path | str, *, keystore: Path | str | None = None
) -> TransformReport:
    """Transform every document below `documents` that pairs with a message below `messages`.

    MACs are made with the keys of `keystore`, or of the PEM files below or beside `messages`. Raises
    UsageError when there is no document or no message, or a key store cannot be loaded.
    """
    root = Path(messages)
    keys = RingLookup(load_keys(root, keystore))
    rows: list[TransformRow] = []
    unpaired: list[str] = []
    for template in find_templates(Path(documents), root):
        if not template.vectors:
            unpaired.append(template.file)
        rows += [_Comparison(template, vector, keys).row() for vector in template.vectors]
    counts = Counter(row.result for row in rows)
    summary = TransformSummary(
        rows=len(rows),
        identical=counts["identical"],
        structurally_equal=counts["structurally_equal"],
        different=counts["different"],
        unsupported=counts["unsupported"],
        unpaired=len(unpaired),
    )
    return TransformReport(summary=summary, templates=rows, unpaired=unpaired)


class _Unsupported(Exception):
    """Why a document becomes no command."""


class _Comparison:
    """One document against one message, with the list of what is taken from the message."""

    def __init__(self, template: Template, vector: Vector, keys: RingLookup) -> None:
        self._template = template
        self._vector = vector
        self._keys = keys
        self._taken: dict[Taken, None] = {}
        self._mapping: UseCaseMapping | None = None

    def row(self) -> TransformRow:
        difference: str | None = None
        values: list[Difference] = []
        try:
            ours = self._ours()
        except (_Unsupported, CodecError, SecurityError) as error:
            result: Result = "unsupported"
            difference = str(error)
        else:
            theirs = self._vector.message
            if encode_message(ours) == encode_message(theirs):
                result = "structurally_equal" if self._taken else "identical"
            else:
                result = "different"
                difference = _difference(ours, theirs)
                values = _values_that_differ(ours, theirs)
        request = self._template.request
        return TransformRow(
            template=self._template.file,
            message=self._vector.file,
            srv=None if request is None else request.header.variant,
            use_case=None if self._mapping is None else self._mapping.use_case.name,
            kind=self._vector.kind,
            result=result,
            from_vector=list(self._taken),
            first_difference=difference,
            values_that_differ=values,
        )

    def _ours(self) -> Message:
        """The pre-command or command that the document becomes. Raises DuisError, SecurityError."""
        request, theirs = self._template.request, self._vector.message
        if request is None:
            raise _Unsupported(self._template.error)
        row = find(request.header.variant)
        if row is None or row.non_device:
            raise _Unsupported(f"service request {request.header.variant} has no command")
        elements = read_body(row, request.body)
        device = self._device(request.header.request_id.target)
        mapping = self._mapping = self._choose(row, device, elements)
        request_id = self._on_behalf(request.header.request_id)
        command = transform(row, mapping, device, request_id, elements, around=self._around())
        message = self._with_certificates(command)
        if self._vector.kind == "pre-command":
            return message
        if theirs.signature:
            self._taken["signature"] = None
        return self._protected(replace(message, signature=theirs.signature))

    def _on_behalf(self, request_id: RequestId) -> RequestId:
        """The request as the user's for whom the broker sends it, where the document is the broker's own and
        the message names a user.
        """
        more = self._vector.message.other_information
        party, counter = more.supplementary_remote_party_id, more.supplementary_remote_party_counter
        if request_id.originator != DCC_IDENTITY or party is None or counter is None:
            return request_id
        self._taken["originator"] = None
        self._taken["originator_counter"] = None
        return RequestId(party, request_id.target, counter)

    def _device(self, device_id: Eui64) -> InventoryDevice:
        """The device of the data set; what it does not know is of the first type that has the use case."""
        device_type = _TYPES.get(str(device_id))
        if device_type is None:
            use_case = by_code(self._vector.message.message_code)
            device_type = DeviceType.ESME if use_case is None else use_case.devices[0]
        return InventoryDevice(
            device_id=device_id,
            device_type=device_type,
            hub=device_id if device_type is DeviceType.CHF else Eui64.parse("00DB1234567890A2"),
            known_parties=_KNOWN,
            esme_variant="B" if _TWIN in self._template.stem.upper() else "",
        )

    def _choose(self, row: ServiceRequest, device: InventoryDevice, elements: Parameters) -> UseCaseMapping:
        """The use case whose name the document bears, where its content leaves a choice."""
        fitting: list[UseCaseMapping] = []
        for phases in ("single", "poly"):
            target = Target(device_type=device.device_type, phases=phases)
            fitting += [one for one in candidates_for(row, target, elements) if one not in fitting]
        if not fitting:
            raise _Unsupported(f"no use case of {row.variant} says this to a {device.device_type.name}")
        name = _plain(self._template.stem.partition("_")[0])
        named = [one for one in fitting if name.startswith(_plain(one.use_case.name))]
        if named:
            return max(named, key=lambda one: len(one.use_case.name))
        if len(fitting) > 1:
            self._taken["message_code"] = None
            code = self._vector.message.message_code
            fitting = [one for one in fitting if one.use_case.code == code] or fitting
        return fitting[0]

    def _around(self) -> Surroundings:
        theirs = self._vector.message
        said = _said(theirs)

        def next_counter(party: Eui64) -> int:
            request = self._template.request
            if request is not None and request.header.request_id.originator == party:
                return request.header.request_id.counter
            self._taken["originator"] = None
            self._taken["originator_counter"] = None
            return theirs.originator_counter

        def device_type(device_id: Eui64) -> DeviceType | None:
            del device_id
            self._taken["peer_device_type"] = None
            found = said.get("other_device_type")
            known = {one.name.lower().replace("_", "-"): one for one in DeviceType}
            return known.get(str(found))

        def certificate(device_id: Eui64) -> bytes | None:
            del device_id
            found = said.get("other_device_certificate")
            self._taken["certificates"] = None
            return bytes.fromhex(found) if isinstance(found, str) else b""

        def digits() -> str | None:
            self._taken["cin"] = None
            return _digits(said)

        return Surroundings(
            now=RTDS_TIME,
            next_counter=next_counter,
            broker=DCC_IDENTITY,
            transitional_cos=TRANSITIONAL_COS,
            through_broker=theirs.business_originator_id == DCC_IDENTITY,
            device_type=device_type,
            key_agreement_certificate=certificate,
            hub_log=lambda hub: _HUB_LOG,
            gas_proxy_log=lambda proxy: _GAS_PROXY_LOG,
            customer_identification_number=digits,
        )

    def _with_certificates(self, command: Command) -> Message:
        """The command with the certificates of the message, where it has others in their places."""
        theirs, message = self._vector.message, command.message
        parameters = _replaced(command.parameters, _said(theirs))
        if parameters != command.parameters:
            self._taken["certificates"] = None
            message = replace(message, content=encode_content(command.use_case, message, parameters))
        ours, given = message.other_information, theirs.other_information.key_agreement_certificate
        if given is not None and ours.key_agreement_certificate not in {None, given}:
            self._taken["certificates"] = None
            message = replace(message, other_information=replace(ours, key_agreement_certificate=given))
        return message

    def _protected(self, message: Message) -> Message:
        if self._vector.message.message_mac is None:
            return message
        secrets = mac_secrets(message, self._keys)
        if not secrets:
            raise _Unsupported("no key of the access control broker is here to make the MAC")
        protected = [with_mac(message, secret) for secret in secrets]
        wanted = encode_message(self._vector.message)
        return next((one for one in protected if encode_message(one) == wanted), protected[0])


def _difference(ours: Message, theirs: Message) -> str:
    """Where two messages differ first: in a field of the header, in a parameter, or in an octet."""
    mine, other = ours.other_information, theirs.other_information
    fields: tuple[tuple[str, object, object], ...] = (
        ("message code", f"{ours.message_code:04X}", f"{theirs.message_code:04X}"),
        ("originator", ours.business_originator_id, theirs.business_originator_id),
        ("originator counter", ours.originator_counter, theirs.originator_counter),
        ("target", ours.business_target_id, theirs.business_target_id),
        (
            "supplementary party",
            (mine.supplementary_remote_party_id, mine.supplementary_remote_party_counter),
            (other.supplementary_remote_party_id, other.supplementary_remote_party_counter),
        ),
        (
            "key agreement certificate",
            (mine.key_agreement_certificate or b"").hex().upper(),
            (other.key_agreement_certificate or b"").hex().upper(),
        ),
    )
    for name, one, another in fields:
        if one != another:
            return f"{name}: {_short(one)}, published {_short(another)}"
    found = first_difference(_said(ours), _said(theirs))
    if found is not None:
        return f"{found[0]}: {found[1]}, published {found[2]}"
    octets, published = encode_message(ours), encode_message(theirs)
    place = next(
        (at for at, pair in enumerate(zip(octets, published, strict=False)) if pair[0] != pair[1]),
        min(len(octets), len(published)),
    )
    return f"octet {place}: {octets[place : place + 8].hex()}, published {published[place : place + 8].hex()}"


def _values_that_differ(ours: Message, theirs: Message) -> list[Difference]:
    """The parameters whose values are all that distinguishes two messages (MACs follow from them); none when
    the header differs, or octets that no parameter says.
    """
    alike = replace(ours, content=theirs.content, message_mac=theirs.message_mac)
    use_case, said = by_code(theirs.message_code), _said(theirs)
    try:
        if use_case is None or encode_content(use_case, theirs, said) != theirs.content:
            return []
    except (CodecError, SecurityError):
        return []
    if encode_message(alike) != encode_message(theirs):
        return []
    return [
        Difference(parameter=path, transformed=_json(one), published=_json(other))
        for path, one, other in differences(_said(ours), said)
    ]


def _json(value: Value) -> JsonValue:
    if isinstance(value, dict):
        return {name: _json(inner) for name, inner in value.items()}
    return [_json(inner) for inner in value] if isinstance(value, list) else value


def _short(value: object) -> str:
    text = (
        ", ".join("none" if part is None else str(part) for part in value)
        if isinstance(value, tuple)
        else str(value)
    )
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


_SHOWN: Final = 40


def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def _said(message: Message) -> Parameters:
    use_case = by_code(message.message_code)
    try:
        return {} if use_case is None else decode_content(use_case, message)
    except (CodecError, SecurityError):
        return {}


def _digits(parameters: Parameters) -> str | None:
    components = parameters.get("components")
    places: list[Value] = [parameters, *(components if isinstance(components, list) else [])]
    for place in places:
        if isinstance(place, dict):
            for name in ("customer_identification_number", "customer_id_number"):
                found = place.get(name)
                if isinstance(found, str):
                    return found
    return None


_CERTIFICATES: Final = frozenset(
    {"certificate", "other_device_certificate", "replacement_certificate", "certification_path_certificates"}
)
"""The parameters that are certificates, or lists of them."""


def _replaced(ours: Value, theirs: Value) -> Parameters:
    """Our parameters with their certificates, wherever both have one."""
    result = _with_theirs(ours, theirs, certificate=False)
    return result if isinstance(result, dict) else {}


def _with_theirs(ours: Value, theirs: Value, *, certificate: bool) -> Value:
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return {
            name: _with_theirs(value, theirs.get(name), certificate=certificate or name in _CERTIFICATES)
            for name, value in ours.items()
        }
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        return [
            _with_theirs(one, other, certificate=certificate) for one, other in zip(ours, theirs, strict=True)
        ]
    return theirs if certificate and isinstance(ours, str) and isinstance(theirs, str) else ours
