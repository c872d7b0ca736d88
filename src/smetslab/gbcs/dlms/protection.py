"""Class 30 data protection: reads whose answer is encrypted to the remote party.

The protected request and response are structures whose protection parameters follow from the grouping header;
they are checked against it when read and derived from it when written.

Spec: GBCS 8.4; IEC 62056-6-2 (Data protection, class 30).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

from smetslab.errors import GbcsDecodeError, GbcsEncodeError
from smetslab.gbcs.dlms import axdr
from smetslab.gbcs.dlms.apdu import AccessResponse, DataNotification, Obis
from smetslab.gbcs.dlms.axdr import Data, Null, Number, Octets, Sequence, StructureDescription, Tag
from smetslab.gbcs.dlms.shapes import Const, Shape, kind_of, mismatch
from smetslab.gbcs.elements import elements_of
from smetslab.gbcs.message import DATE_TIME_BYTES, Message
from smetslab.gbcs.security import ENCRYPTED_HEADER, ENCRYPTION_TRANSACTION, EncryptionContext
from smetslab.gbcs.values import Value, date_time_from_text, date_time_to_text, from_hex, to_hex
from smetslab.ids import Eui64

DATA_PROTECTION_CLASS = 30
GET_PROTECTED_ATTRIBUTES = 1

_NO_RESTRICTION, _BY_DATE = 0, 1
_AUTHENTICATED_AND_ENCRYPTED = 2
_AGREED_KEY = 2
_STATIC_STATIC_ECDH = b"\x02"
_SPEC = "GBCS 8.4"


@dataclass(frozen=True, slots=True)
class ProtectedObject:
    """One attribute to read: `name` is what its value is called, `shape` what it looks like when decrypted.

    `window` tells whether the read is restricted to a period (a log) or not.
    """

    name: str
    class_id: int
    obis: Obis
    attribute: int
    shape: Shape
    window: bool = False
    elements: tuple[str, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "elements", elements_of(self.name))
        object.__setattr__(self, "name", str(self.name))


@dataclass(frozen=True, slots=True)
class ObjectRequest:
    """One attribute as a protected request names it; `window` holds the two 12-octet bounds of a period."""

    class_id: int
    obis: Obis
    attribute: int
    window: tuple[bytes, bytes] | None = None


_OCTETS = Tag.OCTET_STRING
_PARAMETERS_TYPE = StructureDescription(
    (
        Tag.ENUM,
        StructureDescription(
            (
                *(_OCTETS, _OCTETS, _OCTETS, _OCTETS),
                StructureDescription((Tag.ENUM, StructureDescription((_OCTETS, _OCTETS)))),
            )
        ),
    )
)


def protection_parameters(header: Message) -> Data:
    """array(1) of the protection parameters that belong to a command or response with this grouping
    header."""
    extra = header.other_information
    originator: Eui64 = header.business_originator_id
    if header.cra == 1 and extra.supplementary_remote_party_id is not None:
        originator = extra.supplementary_remote_party_id
    transaction = bytes((ENCRYPTION_TRANSACTION,)) + header.originator_counter.to_bytes(8, "big")
    key_information = axdr.structure(
        axdr.enum(_AGREED_KEY),
        axdr.structure(axdr.octet_string(_STATIC_STATIC_ECDH), axdr.octet_string(b"")),
    )
    return axdr.array(
        axdr.structure(
            axdr.enum(_AUTHENTICATED_AND_ENCRYPTED),
            axdr.structure(
                axdr.octet_string(transaction),
                axdr.octet_string(originator.raw),
                axdr.octet_string(header.business_target_id.raw),
                axdr.octet_string(b""),
                key_information,
            ),
        )
    )


def encode_request(objects: tuple[ObjectRequest, ...], header: Message) -> Data:
    """The parameter of method get_protected_attributes."""
    items = [
        axdr.structure(
            axdr.long_unsigned(item.class_id),
            axdr.octet_string(item.obis.raw),
            axdr.integer(item.attribute),
            axdr.long_unsigned(0),
            _restriction(item.window),
        )
        for item in objects
    ]
    return axdr.structure(axdr.array(*items), protection_parameters(header))


def _restriction(window: tuple[bytes, bytes] | None) -> Data:
    if window is None:
        return axdr.structure(axdr.enum(_NO_RESTRICTION), axdr.null())
    bounds = axdr.structure(*(axdr.octet_string(bound) for bound in window))
    return axdr.structure(axdr.enum(_BY_DATE), bounds)


def decode_request(data: Data, header: Message, path: str) -> tuple[ObjectRequest, ...]:
    """The attributes that a protected request names. Raises GbcsDecodeError at the first wrong member."""
    objects, parameters = _members(data, 2, path)
    Const(protection_parameters(header)).decode(parameters, f"{path}.protection parameters")
    if not isinstance(objects, Sequence) or objects.tag is not Tag.ARRAY:
        raise mismatch(objects, f"{path}.objects", "array")
    return tuple(_decode_object(item, f"{path}.objects[{i}]") for i, item in enumerate(objects.items))


def _decode_object(data: Data, path: str) -> ObjectRequest:
    class_id, obis, attribute, data_index, restriction = _members(data, 5, path)
    Const(axdr.long_unsigned(0)).decode(data_index, f"{path}.data index")
    kind, bounds = _members(restriction, 2, f"{path}.restriction")
    if not isinstance(class_id, Number) or class_id.tag is not Tag.LONG_UNSIGNED:
        raise mismatch(class_id, f"{path}.class", "long-unsigned")
    if not isinstance(obis, Octets) or obis.tag is not Tag.OCTET_STRING or len(obis.value) != 6:
        raise mismatch(obis, f"{path}.logical name", "octet-string of 6")
    if not isinstance(attribute, Number) or attribute.tag is not Tag.INTEGER:
        raise mismatch(attribute, f"{path}.attribute", "integer")
    window: tuple[bytes, bytes] | None = None
    if kind == axdr.enum(_BY_DATE):
        first, last = _members(bounds, 2, f"{path}.restriction.period")
        window = (_date_time(first, f"{path}.restriction.from"), _date_time(last, f"{path}.restriction.to"))
    elif kind != axdr.enum(_NO_RESTRICTION) or not isinstance(bounds, Null):
        raise GbcsDecodeError(
            "unknown restriction",
            path=f"{path}.restriction",
            expected="enum 0 with null-data, or enum 1",
            found=f"{kind_of(kind)} with {kind_of(bounds)}",
            spec=_SPEC,
        )
    return ObjectRequest(class_id.value, Obis(obis.value), attribute.value, window)


def _date_time(data: Data, path: str) -> bytes:
    if not isinstance(data, Octets) or data.tag is not Tag.OCTET_STRING or len(data.value) != 12:
        raise mismatch(data, path, "octet-string of 12")
    return data.value


def _members(data: Data, count: int, path: str) -> tuple[Data, ...]:
    if not isinstance(data, Sequence) or data.tag is not Tag.STRUCTURE or len(data.items) != count:
        raise mismatch(data, path, f"structure of {count}")
    return data.items


def encode_response(values: tuple[Data, ...], header: Message, secret: bytes) -> Data:
    """The result of get_protected_attributes: parameters and the encrypted structure of `values`."""
    plaintext = axdr.encode_data(axdr.structure(*values))
    protected = EncryptionContext.of(header).encrypt(secret, plaintext)
    return axdr.structure(protection_parameters(header), axdr.octet_string(protected))


def protected_octets(data: Data, header: Message, path: str) -> bytes:
    """The protected octet-string of a response. Raises GbcsDecodeError at the first wrong member."""
    parameters, protected = _members(data, 2, path)
    Const(protection_parameters(header)).decode(parameters, f"{path}.protection parameters")
    if not isinstance(protected, Octets) or protected.tag is not Tag.OCTET_STRING:
        raise mismatch(protected, f"{path}.protected attributes", "octet-string")
    return protected.value


def is_sealed(parameters: Data, protected: Data) -> bool:
    """True when the two look like protection parameters and what they protect, in a response or an alert."""
    return (
        isinstance(parameters, Sequence)
        and parameters.tag is Tag.ARRAY
        and len(parameters.items) == 1
        and isinstance(protected, Octets)
        and protected.value.startswith(ENCRYPTED_HEADER)
        and axdr.describe_type(parameters.items[0]) == _PARAMETERS_TYPE
    )


def sealed_octets(apdu: AccessResponse | DataNotification, header: Message) -> tuple[bytes, ...]:
    """Every protected octet-string of a response or alert, whatever its use case, in order.

    Raises GbcsDecodeError when protection parameters do not repeat the grouping header.
    """
    values = (apdu.body,) if isinstance(apdu, DataNotification) else apdu.data
    found: list[bytes] = []
    for place, value in enumerate(values):
        members = value.items if isinstance(value, Sequence) else ()
        for parameters, protected in pairwise(members):
            if isinstance(protected, Octets) and is_sealed(parameters, protected):
                path = f"data list[{place}].protection parameters"
                Const(protection_parameters(header)).decode(parameters, path)
                found.append(protected.value)
    return tuple(found)


def open_response(
    protected: bytes, header: Message, secret: bytes, count: int, path: str
) -> tuple[Data, ...]:
    """The `count` decrypted values. Raises SecurityError when the tag, GbcsDecodeError when the content is
    wrong."""
    return _members(open_protected(protected, header, secret, path), count, f"{path}.plaintext")


def open_protected(protected: bytes, header: Message, secret: bytes, path: str) -> Data:
    """The decrypted structure, whatever it has in it. Raises as `open_response` does."""
    plaintext = EncryptionContext.of(header).decrypt(secret, protected)
    try:
        return axdr.decode_data(plaintext, path=f"{path}.plaintext")
    except GbcsDecodeError as error:
        # The offset is one of the plaintext, which has no place in the message.
        raise GbcsDecodeError(
            f"{error.what} at byte {error.offset} of the plaintext",
            path=error.path,
            expected=error.expected,
            found=error.found,
            spec=error.spec,
        ) from None


def _bound(text: Value, path: str) -> bytes:
    octets = date_time_from_text(text, path)
    if len(octets) != DATE_TIME_BYTES:
        raise GbcsEncodeError(
            "wrong length",
            path=path,
            expected=f"{DATE_TIME_BYTES} octets",
            found=str(len(octets)),
            spec=_SPEC,
        )
    return octets


@dataclass(frozen=True, slots=True)
class ProtectedRead:
    """The declaration of one protected read: which attributes, restricted to which period or not.

    Named values: the command has `start_date_time` and `end_date_time` where the read is of a log. The
    response has
    one member for each object, or `protected` with the sealed octets where the key is not at hand.
    """

    objects: tuple[ProtectedObject, ...]

    @property
    def windowed(self) -> bool:
        return any(item.window for item in self.objects)

    def encode_command(self, value: Value, header: Message, path: str) -> Data:
        window: tuple[bytes, bytes] | None = None
        if self.windowed:
            given = value if isinstance(value, dict) else {}
            window = (
                _bound(given.get("start_date_time"), f"{path}.start_date_time"),
                _bound(given.get("end_date_time"), f"{path}.end_date_time"),
            )
        requests = tuple(
            ObjectRequest(item.class_id, item.obis, item.attribute, window if item.window else None)
            for item in self.objects
        )
        return encode_request(requests, header)

    def decode_command(self, data: Data, header: Message, path: str) -> Value:
        requests = decode_request(data, header, path)
        found = [(r.class_id, r.obis, r.attribute, r.window is not None) for r in requests]
        wanted = [(o.class_id, o.obis, o.attribute, o.window) for o in self.objects]
        if found != wanted:
            raise GbcsDecodeError(
                "not the objects of the use case",
                path=f"{path}.objects",
                expected=", ".join(f"class {c} {o} attribute {a}" for c, o, a, _ in wanted),
                found=", ".join(f"class {c} {o} attribute {a}" for c, o, a, _ in found),
                spec=_SPEC,
            )
        windows = {request.window for request in requests if request.window is not None}
        if not windows:
            return None
        if len(windows) > 1:
            raise GbcsDecodeError(
                "periods differ between the objects",
                path=f"{path}.objects",
                expected="one period",
                found=str(len(windows)),
                spec=_SPEC,
            )
        first, last = windows.pop()
        return {"start_date_time": date_time_to_text(first), "end_date_time": date_time_to_text(last)}

    def encode_response(self, value: Value, header: Message, secret: bytes | None, path: str) -> Data:
        if not isinstance(value, dict):
            raise GbcsEncodeError("value does not fit the use case", path=path, expected="named members")
        if set(value) == {"protected"}:
            sealed = from_hex(value["protected"], f"{path}.protected")
            return axdr.structure(protection_parameters(header), axdr.octet_string(sealed))
        if secret is None:
            raise GbcsEncodeError(
                "protected values need the shared secret of device and remote party", path=path, spec=_SPEC
            )
        members = tuple(o.shape.encode(value.get(o.name), f"{path}.{o.name}") for o in self.objects)
        return encode_response(members, header, secret)

    def decode_response(self, data: Data, header: Message, secret: bytes | None, path: str) -> Value:
        protected = protected_octets(data, header, path)
        if secret is None:
            return {"protected": to_hex(protected)}
        members = open_response(protected, header, secret, len(self.objects), path)
        return {
            o.name: o.shape.decode(d, f"{path}.{o.name}") for o, d in zip(self.objects, members, strict=True)
        }
