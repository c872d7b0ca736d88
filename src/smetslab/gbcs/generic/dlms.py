"""DLMS content as JSON without a declaration: the access list by numbers, values by their type.

A value is one member whose name is its type: `{"long-unsigned": 5}`, `{"structure": [...]}`.

Spec: IEC 62056-5-3 (ACCESS), 62056-6-2 (Data), as used by GBCS 7.3.
"""

from __future__ import annotations

from smetslab.errors import GbcsEncodeError
from smetslab.gbcs.dlms import axdr, shapes
from smetslab.gbcs.dlms.apdu import (
    AccessRequest,
    AccessResponse,
    AccessResult,
    Choice,
    DataNotification,
    Obis,
    Specification,
    decode_apdu,
)
from smetslab.gbcs.dlms.axdr import (
    FIXED_OCTETS,
    NUMBER_FORMS,
    ArrayDescription,
    BitString,
    Boolean,
    CompactArray,
    Data,
    DontCare,
    Null,
    Number,
    Octets,
    Sequence,
    StructureDescription,
    Tag,
    TypeDescription,
)
from smetslab.gbcs.dlms.shapes import Num, Shape, Text
from smetslab.gbcs.usecases.results import result_name, result_number
from smetslab.gbcs.values import Value, from_hex, to_hex

_PATH = "content.dlms"
_NAMES = {tag: tag.name.lower().replace("_", "-") for tag in Tag}
_TAGS = {name: tag for tag, name in _NAMES.items()}
_CHOICES = {choice.name.lower().replace("_", "-"): choice for choice in Choice}
_CHOICE_NAMES = {choice: name for name, choice in _CHOICES.items()}
_TEXTS = (Tag.VISIBLE_STRING, Tag.UTF8_STRING)
_SHAPES: dict[Tag, Shape] = {
    Tag.BOOLEAN: shapes.BOOLEAN,
    Tag.BIT_STRING: shapes.BIT_STRING,
    **{tag: Num(tag) for tag in NUMBER_FORMS},
    **{tag: Text(tag) for tag in _TEXTS},
}
"""How the types without members are written that are not shown in hex."""


def _refuse(what: str, path: str, value: Value, expected: str = "") -> GbcsEncodeError:
    return GbcsEncodeError(what, path=f"{_PATH}.{path}", expected=expected, found=repr(value)[:60])


# -- APDUs ---------------------------------------------------------------------------------------------------


def apdu_to_json(content: bytes) -> Value:
    """The APDU that `content` is. Raises GbcsDecodeError."""
    apdu = decode_apdu(content)
    head: dict[str, Value] = {"long_invoke_id": f"{apdu.long_invoke_id:08X}"}
    if apdu.date_time:
        head["date_time"] = to_hex(apdu.date_time)
    if isinstance(apdu, DataNotification):
        return {"apdu": "data-notification", **head, "body": data_to_json(apdu.body)}
    if isinstance(apdu, AccessRequest):
        items: list[Value] = [
            {**_specification_to_json(specification), "data": data_to_json(data)}
            for specification, data in zip(apdu.specifications, apdu.data, strict=True)
        ]
        return {"apdu": "access-request", **head, "items": items}
    if apdu.specifications:
        head["access_list"] = [_specification_to_json(item) for item in apdu.specifications]
    results: list[Value] = [
        {
            "choice": _CHOICE_NAMES[result.choice],
            "result": result_name(result.result),
            "data": data_to_json(data),
        }
        for data, result in zip(apdu.data, apdu.results, strict=True)
    ]
    return {"apdu": "access-response", **head, "items": results}


def apdu_from_json(value: Value) -> bytes:
    """The reverse of `apdu_to_json`. Raises GbcsEncodeError."""
    given = value if isinstance(value, dict) else {}
    invoke_id = int.from_bytes(from_hex(given.get("long_invoke_id"), f"{_PATH}.long_invoke_id"), "big")
    date_time = from_hex(given.get("date_time", ""), f"{_PATH}.date_time")
    match given.get("apdu"):
        case "data-notification":
            return DataNotification(invoke_id, data_from_json(given.get("body"), "body"), date_time).encode()
        case "access-request":
            items = _items(given.get("items"), "items")
            return AccessRequest(
                invoke_id,
                tuple([_specification_from_json(item, path) for path, item in items]),
                tuple([data_from_json(item.get("data"), f"{path}.data") for path, item in items]),
                date_time,
            ).encode()
        case "access-response":
            items = _items(given.get("items"), "items")
            echo = _items(given.get("access_list", []), "access_list")
            return AccessResponse(
                invoke_id,
                tuple([data_from_json(item.get("data"), f"{path}.data") for path, item in items]),
                tuple([_result_from_json(item, path) for path, item in items]),
                tuple([_specification_from_json(item, path) for path, item in echo]),
                date_time,
            ).encode()
    raise _refuse(
        "unknown APDU", "apdu", given.get("apdu"), "access-request, access-response or data-notification"
    )


def _items(value: Value, path: str) -> list[tuple[str, dict[str, Value]]]:
    if not isinstance(value, list):
        raise _refuse("not a list", path, value)
    out: list[tuple[str, dict[str, Value]]] = []
    for place, item in enumerate(value):
        if not isinstance(item, dict):
            raise _refuse("not an item", f"{path}[{place}]", item)
        out.append((f"{path}[{place}]", item))
    return out


def _specification_to_json(item: Specification) -> dict[str, Value]:
    form: dict[str, Value] = {
        "choice": _CHOICE_NAMES[item.choice],
        "class": item.class_id,
        "logical_name": str(item.obis),
        "index": item.index,
    }
    if item.selector is not None and item.parameters is not None:
        form |= {"selector": item.selector, "selection": data_to_json(item.parameters)}
    return form


def _specification_from_json(item: dict[str, Value], path: str) -> Specification:
    name = item.get("logical_name")
    try:
        obis = Obis.parse(name if isinstance(name, str) else "")
    except ValueError as error:
        raise _refuse("not a logical name", f"{path}.logical_name", name, "such as 0-0:1.0.0.255") from error
    selection = item.get("selection")
    return Specification(
        _choice(item, path),
        _number(item.get("class"), 0xFFFF, f"{path}.class"),
        obis,
        _number(item.get("index"), 0xFF, f"{path}.index"),
        _number(item.get("selector"), 0xFF, f"{path}.selector") if "selector" in item else None,
        None if selection is None else data_from_json(selection, f"{path}.selection"),
    )


def _result_from_json(item: dict[str, Value], path: str) -> AccessResult:
    return AccessResult(_choice(item, path), result_number(item.get("result")))


def _choice(item: dict[str, Value], path: str) -> Choice:
    choice = _CHOICES.get(str(item.get("choice")))
    if choice is None:
        raise _refuse("unknown choice", f"{path}.choice", item.get("choice"), ", ".join(_CHOICES))
    return choice


def _number(value: Value, limit: int, path: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= limit:
        raise _refuse("not a number of this field", path, value, f"0 to {limit}")
    return value


# -- Data ----------------------------------------------------------------------------------------------------


def data_to_json(data: Data) -> Value:
    """One value under the name of its type."""
    value: Value = None
    match data:
        case Boolean():
            value = data.value if data.octet in {0x00, 0xFF} else data.octet
        case Number():
            value = data.value
        case BitString():
            value = shapes.BIT_STRING.decode(data, "")
        case Octets():
            value = Text(data.tag).decode(data, "") if data.tag in _TEXTS else to_hex(data.value)
        case Sequence():
            value = [data_to_json(item) for item in data.items]
        case CompactArray():
            entries: list[Value] = [data_to_json(item) for item in data.elements]
            value = {"of": _description_to_json(data.description), "entries": entries}
    return {_NAMES[data.tag]: value}


def data_from_json(value: Value, path: str) -> Data:
    """The reverse of `data_to_json`. Raises GbcsEncodeError."""
    if not isinstance(value, dict) or len(value) != 1:
        raise _refuse("not a typed value", path, value, "one member, named as its type")
    ((name, inner),) = value.items()
    tag = _TAGS.get(name)
    if tag is None:
        raise _refuse("unknown type", path, name, ", ".join(_TAGS))
    place = f"{path}.{name}"
    if tag in {Tag.ARRAY, Tag.STRUCTURE}:
        if not isinstance(inner, list):
            raise _refuse("not a list", place, inner)
        return Sequence(tag, tuple([data_from_json(item, f"{place}[{i}]") for i, item in enumerate(inner)]))
    return _compact_array(inner, place) if tag is Tag.COMPACT_ARRAY else _simple(tag, inner, place)


def _simple(tag: Tag, value: Value, path: str) -> Data:
    """A value without members."""
    shape: Shape | None = _SHAPES.get(tag)
    if shape is not None:
        return shape.encode(value, f"{_PATH}.{path}")
    if tag in {Tag.NULL_DATA, Tag.DONT_CARE}:
        if value is not None:
            raise _refuse("a value of this type says nothing", path, value, "null")
        return Null() if tag is Tag.NULL_DATA else DontCare()
    octets = from_hex(value, f"{_PATH}.{path}")
    if len(octets) != FIXED_OCTETS.get(tag, len(octets)):
        raise _refuse("wrong length", path, value, f"{FIXED_OCTETS[tag]} octets")
    return Octets(tag, octets)


def _compact_array(value: Value, path: str) -> CompactArray:
    entries = value.get("entries") if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(entries, list):
        raise _refuse("not a compact-array", path, value, "of and entries")
    return CompactArray(
        _description_from_json(value.get("of"), f"{path}.of"),
        tuple([data_from_json(item, f"{path}[{i}]") for i, item in enumerate(entries)]),
    )


def _description_to_json(description: TypeDescription) -> Value:
    if isinstance(description, StructureDescription):
        return {"structure": [_description_to_json(member) for member in description.elements]}
    if isinstance(description, ArrayDescription):
        return {"array": _description_to_json(description.element), "count": description.count}
    return _NAMES[description]


def _description_from_json(value: Value, path: str) -> TypeDescription:
    if isinstance(value, str) and value in _TAGS:
        return _TAGS[value]
    if isinstance(value, dict) and set(value) == {"structure"}:
        members = value["structure"]
        if isinstance(members, list):
            return StructureDescription(tuple([_description_from_json(member, path) for member in members]))
    if isinstance(value, dict) and set(value) == {"array", "count"}:
        count = _number(value["count"], axdr.MAX_DESCRIBED_COUNT, f"{path}.count")
        return ArrayDescription(count, _description_from_json(value["array"], path))
    raise _refuse("not a type description", path, value)
