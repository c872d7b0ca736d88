"""Request documents become the published messages; what differs, or pairs with nothing, is said."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from smetslab.duis.codes import CommandVariant
from smetslab.duis.document import Request, RequestHeader, RequestId, write_request
from smetslab.duis.element import Element
from smetslab.duis.srv import SERVICE_REQUESTS, ServiceRequest, restore, write_body
from smetslab.errors import DuisError, UsageError
from smetslab.gbcs.codes import Cra
from smetslab.gbcs.message import Message, OtherInformation, decode_message, encode_message
from smetslab.gbcs.usecases import USE_CASES, decode_content, encode_content, find
from smetslab.gbcs.values import Parameters
from smetslab.ids import Eui64
from smetslab.rtds.transform import TransformReport, TransformRow, transform_folder, transform_schema

BROKER = "90B3D51F30000002"
SUPPLIER, ESME = Eui64.parse("90B3D51F30010000"), Eui64.parse("00DB1234567890A0")

KNOWN_DIFFERENCES = {
    # The published templates are younger than the messages, and these say something else.
    "ECS25a_6.22_SUCCESS": r"mask_and_actions_for_wan_alerting\.mask",
    "ECS25b_6.22_SUCCESS": r"mask_and_actions_for_wan_alerting\.mask",
    "GCS09_3.2_SUCCESS": r"components\[0\]\.implementation_date_time",
    "GCS15c_4.4.3_SUCCESS": r"components\[0\]\.earliest_start_time",
    "GCS16b_4.14_URP_SUCCESS": r"components\[0\]\.earliest_start_time",
    "GCS61_4.17_SUCCESS": r"components\[0\]\.earliest_sample_time",
    # The backup of another gas proxy's device log is nowhere in the data set.
    "GCS59_8.12.2_SUCCESS": "device_log_entries",
}
SAID_OTHERWISE = {
    **KNOWN_DIFFERENCES,
    "ECS25a_6.22_SUCCESS": r"mask_and_actions_for_wan_alerting\.(mask|actions)$",
    "ECS25b_6.22_SUCCESS": r"mask_and_actions_for_wan_alerting\.(mask|actions)$",
    "GCS15c_4.4.3_SUCCESS": r"components\[\d+\]\.(earliest_start_time|latest_end_time)$",
    "GCS16b_4.14_URP_SUCCESS": r"components\[\d+\]\.earliest_start_time$",
    "GCS61_4.17_SUCCESS": r"components\[0\]\.(earliest_sample_time|number_of_samples)$",
}
MAY_BE_TAKEN = {
    "originator",
    "originator_counter",
    "cin",
    "peer_device_type",
    "certificates",
    "signature",
}


@pytest.fixture(scope="module")
def published(rtds: Path) -> TransformReport:
    return transform_folder(rtds, rtds / "duis")


def test_every_published_pair_is_made_but_for_those_that_say_something_else(
    published: TransformReport,
) -> None:
    assert published.summary.rows >= 280
    assert published.summary.unsupported == 0
    for row in published.templates:
        stem = row.template.partition("_REQUEST_DUIS")[0]
        if row.result == "different":
            assert stem in KNOWN_DIFFERENCES, f"{row.template}: {row.first_difference}"
            assert re.match(KNOWN_DIFFERENCES[stem], row.first_difference or ""), row.first_difference
            # Header, layout and number of values are the message's own.
            assert row.values_that_differ, row.template
            assert all(re.match(SAID_OTHERWISE[stem], one.parameter) for one in row.values_that_differ), (
                row.values_that_differ
            )


def test_alerts_for_polyphase_meters_reach_the_command(rtds: Path, published: TransformReport) -> None:
    """Both documents with one ask for what the published commands ask for that a single-phase meter refuses:
    those whose answer is an error. So a document and the command that succeeds disagree.
    """
    rows = {row.use_case: row for row in published.templates if row.srv == "6.22"}
    for name in ("ECS25a", "ECS25b"):
        refused = "".join(path.read_text() for path in rtds.rglob(f"{name}_6.22_ERROR_COMMAND_GBCS.HEX"))
        use_case = USE_CASES[name]
        asked = decode_content(use_case, decode_message(bytes.fromhex(refused.strip())))
        setting = asked["mask_and_actions_for_wan_alerting"]
        assert isinstance(setting, dict)
        made = {one.parameter.rpartition(".")[2]: one.transformed for one in rows[name].values_that_differ}
        assert made["mask"] == setting["mask"]


def test_a_pre_command_is_made_of_its_document_alone(published: TransformReport) -> None:
    rows = [row for row in published.templates if row.kind == "pre-command"]
    assert len(rows) >= 80
    for row in rows:
        assert row.result != "different", row.first_difference
        assert set(row.from_vector) <= {"certificates", "peer_device_type"}, row.template


def test_only_what_no_document_says_comes_from_the_message_and_is_listed(published: TransformReport) -> None:
    for row in published.templates:
        assert set(row.from_vector) <= MAY_BE_TAKEN, row.template
        assert (row.result == "identical") == (not row.from_vector) or row.result == "different"


def test_documents_without_a_message_are_those_of_the_dcc_itself(published: TransformReport) -> None:
    for name in published.unpaired:
        number = re.search(r"(?:^|_)(\d+(?:\.\d+)+)", name)
        assert number is not None, name
        variant = SERVICE_REQUESTS[number[1]]
        # Variants that name a use case too ask for the same read in another way.
        assert variant.non_device or variant.variant == "4.1.1", name


# What the DCC knows but no message says, where a body has to have it.
NOT_IN_MESSAGES: Parameters = {
    "ImportMPxN": "1312345678111",
    "OldCHFID": "00DB1234567890B2",
    "OldGPFID": "00DB1234567890B3",
    "ExecutionDateTime": "2030-01-01T00:00:00Z",
}
# This message has the code of the sister of the use case in its name.
NAMED_LIKE_ANOTHER = "CS04B_8.8.2_ERROR"


def document_of(stem: str, message: Message) -> bytes | None:
    """The request document whose command a published message is, None where none is."""
    use_case = find(message)
    if use_case is None:
        return None
    parameters = decode_content(use_case, message)
    for row in sorted(SERVICE_REQUESTS.values(), key=lambda row: f"_{row.variant}_" not in stem):
        mapping = row.mapping_to(use_case)
        if mapping is None:
            continue
        try:
            elements, _ = restore(mapping, parameters)
        except DuisError:
            continue
        names = {name.partition(".")[0] for name in row.body.leaves()}
        for extra in ({}, {name: value for name, value in NOT_IN_MESSAGES.items() if name in names}):
            with suppress(DuisError):
                return written(row, message, write_body(row, {**extra, **elements}))
    return None


def written(row: ServiceRequest, message: Message, body: Element) -> bytes:
    other = message.other_information
    user, counter = message.business_originator_id, message.originator_counter
    if str(user) == BROKER:
        user = other.supplementary_remote_party_id or SUPPLIER
        counter = other.supplementary_remote_party_counter or 1000
    header = RequestHeader(
        request_id=RequestId(user, message.business_target_id, counter),
        command_variant=CommandVariant.TRANSFORM if row.critical else CommandVariant.SEND,
        service_reference=row.reference,
        variant=row.variant,
    )
    return write_request(Request(header=header, body=body))


def test_messages_without_a_document_are_what_a_document_that_says_the_same_becomes(
    rtds: Path, tmp_path: Path
) -> None:
    with_document = {path.name.partition("_REQUEST")[0] for path in (rtds / "duis").iterdir()}
    made = 0
    for path in sorted(rtds.rglob("*COMMAND_GBCS.HEX")):
        stem = re.sub(r"_(PRE)?COMMAND_GBCS\.HEX", "", path.name)
        if stem in with_document:
            continue
        document = document_of(stem, decode_message(bytes.fromhex(path.read_text(encoding="ascii").strip())))
        if document is None:
            assert "_NA_" in stem, stem
            continue
        (tmp_path / f"{stem}_REQUEST_DUIS.XML").write_bytes(document)
        made += 1
    assert made >= 150
    for row in transform_folder(rtds, tmp_path).templates:
        good = row.result in {"identical", "structurally_equal"}
        assert good or row.template.startswith(NAMED_LIKE_ANOTHER), f"{row.template}: {row.first_difference}"
        assert set(row.from_vector) <= MAY_BE_TAKEN


# A data set of our own -----------------------------------------------------------


def document(variant: str, elements: Parameters, counter: int = 1000) -> bytes:
    row = SERVICE_REQUESTS[variant]
    header = RequestHeader(
        request_id=RequestId(SUPPLIER, ESME, counter),
        command_variant=CommandVariant.TRANSFORM if row.critical else CommandVariant.SEND,
        service_reference=row.reference,
        variant=variant,
    )
    return write_request(Request(header=header, body=write_body(row, elements)))


def pre_command(use_case: str, parameters: Parameters, counter: int = 1000) -> str:
    row = USE_CASES[use_case]
    header = Message(
        cra=Cra.COMMAND,
        originator_counter=counter,
        business_originator_id=SUPPLIER,
        business_target_id=ESME,
        other_information=OtherInformation(message_code=row.code),
        content=b"",
    )
    content = encode_content(row, header, parameters)
    return encode_message(
        Message(
            cra=header.cra,
            originator_counter=counter,
            business_originator_id=SUPPLIER,
            business_target_id=ESME,
            other_information=header.other_information,
            content=content,
        )
    ).hex()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "gbcs").mkdir()
    (tmp_path / "duis").mkdir()
    (tmp_path / "gbcs" / "ECS81_6.25_PRECOMMAND_GBCS.HEX").write_text(
        pre_command("ECS81", {"supply_tamper_state": "Locked"})
    )
    return tmp_path


def rows(folder: Path, **documents: bytes) -> list[TransformRow]:
    for name, octets in documents.items():
        (folder / "duis" / f"{name.replace('__', '.')}.XML").write_bytes(octets)
    return transform_folder(folder, folder / "duis").templates


LOCKED: Parameters = {"SupplyTamperState": "Locked"}


def test_a_document_pairs_by_its_name(folder: Path) -> None:
    (row,) = rows(folder, ECS81_6__25_REQUEST_DUIS=document("6.25", LOCKED))
    assert (row.result, row.srv, row.use_case, row.kind) == ("identical", "6.25", "ECS81", "pre-command")
    assert (row.from_vector, row.first_difference) == ([], None)


def test_a_document_with_another_name_pairs_by_its_request_id(folder: Path) -> None:
    (row,) = rows(folder, altered=document("6.25", LOCKED))
    assert (row.template, row.message, row.result) == (
        "altered.XML",
        "gbcs/ECS81_6.25_PRECOMMAND_GBCS.HEX",
        "identical",
    )


@pytest.mark.parametrize(
    ("elements", "counter", "difference"),
    [
        ({"SupplyTamperState": "Unchanged"}, 1000, "supply_tamper_state: 'Unchanged', published 'Locked'"),
        (LOCKED, 1001, "originator counter: 1001, published 1000"),
    ],
)
def test_what_differs_is_named(folder: Path, elements: Parameters, counter: int, difference: str) -> None:
    (row,) = rows(folder, ECS81_6__25_REQUEST_DUIS=document("6.25", elements, counter))
    assert (row.result, row.first_difference) == ("different", difference)
    # A header that differs is more than values that do.
    values = [(one.parameter, one.transformed, one.published) for one in row.values_that_differ]
    assert values == ([] if counter != 1000 else [("supply_tamper_state", "Unchanged", "Locked")])


def test_another_use_case_differs_in_its_code(folder: Path) -> None:
    (row,) = rows(folder, ECS81_6__25_REQUEST_DUIS=document("7.2", {}))
    assert (row.result, row.use_case) == ("different", "ECS43")
    assert (row.first_difference or "").startswith("message code: ")


def test_what_is_no_request_is_unsupported_and_says_why(folder: Path) -> None:
    wrong = document("6.25", LOCKED).replace(b"Locked", b"Open")
    (row,) = rows(folder, ECS81_6__25_REQUEST_DUIS=wrong)
    assert row.result == "unsupported"
    assert "SupplyTamperState (line 1): wrong value" in (row.first_difference or "")
    (row,) = rows(folder, ECS81_6__25_REQUEST_DUIS=b"<Request>")
    assert (row.result, row.srv) == ("unsupported", None)
    assert row.first_difference


def test_documents_without_a_message_are_listed(folder: Path) -> None:
    for name in ("b", "a"):
        (folder / "duis" / f"{name}.xml").write_bytes(document("6.25", LOCKED, 7))
    report = transform_folder(folder, folder / "duis")
    assert (report.unpaired, report.templates, report.passed) == (["a.xml", "b.xml"], [], True)


def test_folders_without_anything_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no \*\.XML files"):
        transform_folder(folder, folder / "gbcs")
    with pytest.raises(UsageError, match="is no folder"):
        transform_folder(folder, tmp_path / "nowhere")
    (folder / "duis" / "a.XML").write_bytes(document("6.25", LOCKED))
    with pytest.raises(UsageError, match=r"no \*_GBCS\.HEX files"):
        transform_folder(folder / "duis", folder / "duis")


def test_the_schema_names_every_member_of_a_row() -> None:
    def names(value: object) -> Iterator[str]:
        if isinstance(value, dict):
            yield from value.get("properties", {})
            for inner in value.values():
                yield from names(inner)

    wanted = {"template", "srv", "use_case", "kind", "result", "from_vector", "first_difference"}
    assert wanted <= set(names(transform_schema()))
