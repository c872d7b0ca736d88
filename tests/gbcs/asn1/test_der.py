"""What is DER of our types and what is not: each refusal names the octet and the member."""

from __future__ import annotations

import pytest

from smetslab.errors import GbcsDecodeError, GbcsEncodeError
from smetslab.gbcs.asn1 import LENGTH_FORM, codec, decode, encode
from smetslab.gbcs.asn1.primitives import NO_SUCH_MOMENT

CERTIFICATE = "3006" + "020101" + "020102"


def refused(type_name: str, content: str) -> GbcsDecodeError:
    with pytest.raises(GbcsDecodeError) as caught:
        decode(type_name, bytes.fromhex(content))
    return caught.value


@pytest.mark.parametrize(
    ("type_name", "content", "parameters"),
    [
        # The worked examples of the message layer's description.
        (
            "ProvideSecurityCredentialDetailsCommand",
            "30113007 020104 030203083006 020102 020103",
            {
                "authorising_remote_party_ta_cell_identifier": {
                    "trust_anchor_cell_remote_party_role": "accessControlBroker",
                    "trust_anchor_cell_key_usage": "keyAgreement",
                    "trust_anchor_cell_usage": "management",
                },
                "remote_party_roles_credentials_required": ["supplier", "networkOperator"],
            },
        ),
        (
            "ProvideSecurityCredentialDetailsResponse",
            "30083006 020106 0A0119",
            {
                "remote_party_details": [
                    {"remote_party_role": "wanProvider", "status_code": "trustAnchorNotFound"}
                ]
            },
        ),
        (
            "UpdateSecurityCredentialsResponse",
            "304D0500"
            "3049 02020514 020104"
            "3008 3006 020104 020100"
            "3036 3034 3007 020104 03020308 0A0100"
            "040890B3D51F30000002 04084A9CE02C39AB910B 040890B3D51F30000002 04084897771D34FCB0C6",
            {
                "command_accepted": None,
                "execution_outcome": {
                    "authorising_remote_party_seq_number": 1300,
                    "credentials_replacement_mode": "accessControlBrokerByACB",
                    "remote_party_seq_number_changes": [
                        {
                            "other_remote_party_role": "accessControlBroker",
                            "other_remote_party_floor_seq_number": 0,
                        }
                    ],
                    "replacement_outcomes": [
                        {
                            "affected_trust_anchor_cell": {
                                "trust_anchor_cell_remote_party_role": "accessControlBroker",
                                "trust_anchor_cell_key_usage": "keyAgreement",
                                "trust_anchor_cell_usage": "management",
                            },
                            "status_code": "success",
                            "existing_subject_unique_id": "90B3D51F30000002",
                            "existing_subject_key_identifier": "4A9CE02C39AB910B",
                            "replacing_subject_unique_id": "90B3D51F30000002",
                            "replacing_subject_key_identifier": "4897771D34FCB0C6",
                        }
                    ],
                },
            },
        ),
        (
            "SetTimeResponse",
            "3014180F" + b"20150101000000Z".hex() + "020102",
            {"device_time": "2015-01-01T00:00:00Z", "device_time_status": "unreliable"},
        ),
        (
            "UnjoinDeviceCommand",
            "040800DB123456789099",
            {"other_device_entity_identifier": "00DB123456789099"},
        ),
        ("ReadDeviceJoinDetailsCommand", "0500", {}),
        ("ActivateFirmwareResponse", "0500", {"command_accepted": None}),
        (
            "ActivateFirmwareResponse",
            "3009 020102 04040123ABCF",
            {
                "execution_outcome": {
                    "activate_image_response_code": "hashMismatch",
                    "firmware_version": "0123ABCF",
                }
            },
        ),
        (
            "IssueSecurityCredentialsResponse",
            "020103",
            {"response_code": "certificationRequestProductionFailed"},
        ),
        ("IssueSecurityCredentialsResponse", CERTIFICATE, {"certification_request": CERTIFICATE}),
        ("UpdateDeviceCertificateCommand", CERTIFICATE, {"certificate": CERTIFICATE}),
        # Numbers without a name stay numbers, whatever the type.
        ("JoinDeviceResponse", "02010E", {"join_response_code": 14}),
        ("JoinDeviceResponse", "020200FF", {"join_response_code": 255}),
        (
            "ProvideSecurityCredentialDetailsResponse",
            "30093007 020109 0A0200C8",
            {"remote_party_details": [{"remote_party_role": 9, "status_code": 200}]},
        ),
        # More bits than one, none, one without a name.
        (
            "IssueSecurityCredentialsCommand",
            "3004 03020388",
            {"key_usage": ["digitalSignature", "keyAgreement"]},
        ),
        ("IssueSecurityCredentialsCommand", "3003 030100", {"key_usage": []}),
        ("IssueSecurityCredentialsCommand", "3004 03020640", {"key_usage": [1]}),
        ("IssueSecurityCredentialsCommand", "3005 0303070080", {"key_usage": [8]}),
        # The largest counter, and an alert code with its top bit set.
        (
            "SpecialistSeqNumber",
            "300D 020100 02087FFFFFFFFFFFFFFF",
            {"seq_number_usage": "prepaymentTopUp", "seq_number": 2**63 - 1},
        ),
        (
            "FirmwareActivationAlert",
            "301F 0203008F8B 180F" + b"99991231235959Z".hex() + "04041234ABCD 020101",
            {
                "alert_code": "8F8B",
                "time_stamp": "never",
                "firmware_version": "1234ABCD",
                "activate_image_response_code": "failure",
            },
        ),
    ],
)
def test_content_and_parameters_are_two_forms_of_one_message(
    type_name: str, content: str, parameters: dict[str, object]
) -> None:
    octets = bytes.fromhex(content)
    assert decode(type_name, octets) == parameters
    assert encode(type_name, decode(type_name, octets)) == octets


@pytest.mark.parametrize(
    ("type_name", "content", "offset", "path", "what"),
    [
        ("UnjoinDeviceResponse", "", 0, "", "not the type of the use case"),
        ("UnjoinDeviceResponse", "02", 1, "unjoin_response_code", "truncated"),
        ("UnjoinDeviceResponse", "0201", 1, "unjoin_response_code", "length runs past the end"),
        ("UnjoinDeviceResponse", "02010000", 3, "UnjoinDeviceResponse", "trailing bytes"),
        ("UnjoinDeviceResponse", "0A0100", 0, "", "not the type of the use case"),
        ("UnjoinDeviceResponse", "0200", 2, "unjoin_response_code", "no contents"),
        ("UnjoinDeviceResponse", "02020001", 2, "unjoin_response_code", "number not in its shortest form"),
        ("UnjoinDeviceResponse", "0202FF80", 2, "unjoin_response_code", "number not in its shortest form"),
        ("UnjoinDeviceResponse", "0201FF", 2, "unjoin_response_code", "out of range"),
        ("UnjoinDeviceResponse", "02020100", 2, "unjoin_response_code", "out of range"),
        ("UnjoinDeviceResponse", "020A01" + "00" * 9, 2, "unjoin_response_code", "out of range"),
        ("UnjoinDeviceResponse", "02810100", 1, "unjoin_response_code", "length not in its shortest form"),
        ("UnjoinDeviceResponse", "0282000100", 1, "unjoin_response_code", "length not in its shortest form"),
        (
            "UnjoinDeviceResponse",
            "028400000001",
            1,
            "unjoin_response_code",
            "length not in its shortest form",
        ),
        (
            "UnjoinDeviceResponse",
            "028500000000010000",
            1,
            "unjoin_response_code",
            "length of unsupported size",
        ),
        ("UnjoinDeviceResponse", "028200", 1, "unjoin_response_code", "truncated"),
        ("ReadDeviceJoinDetailsCommand", "050100", 1, "", "wrong length"),
        ("UnjoinDeviceCommand", "0407" + "00" * 7, 1, "other_device_entity_identifier", "wrong length"),
        # Constructed form of a primitive type, indefinite length.
        ("UnjoinDeviceCommand", "24020400", 0, "", "not the type of the use case"),
        ("GPFDeviceLogRestoreCommand", "308030000000", 1, "", "indefinite length"),
        # Members: missing, in another order, twice, one too many.
        ("SetTimeResponse", "3003 020100", 2, "device_time", "not the type of the use case"),
        ("SetTimeResponse", "3000", 2, "device_time", "not the type of the use case"),
        ("DeviceLogEntry", "300D 020105 0408" + "00" * 8, 2, "device_id", "not the type of the use case"),
        (
            "DeviceLogEntry",
            "3010 0408" + "00" * 8 + "020105 020105",
            15,
            "",
            "more than the use case has, or in another order",
        ),
        ("DeviceLogEntry", "300C 0408" + "00" * 8 + "020105", 13, "device_type", "length runs past the end"),
        # A member may not reach beyond the SEQUENCE around it.
        (
            "GPFDeviceLogRestoreCommand",
            "3006 3001 3003 020105",
            5,
            "device_log_entries[0]",
            "truncated",
        ),
        (
            "GPFDeviceLogRestoreCommand",
            "3021 301F 300D 0408" + "00" * 8 + "020105 300E 0408" + "00" * 8 + "02020005",
            33,
            "device_log_entries[1].device_type",
            "number not in its shortest form",
        ),
        # A default that is written out.
        (
            "TrustAnchorCellIdentifier",
            "300A 020104 03020308 020100",
            9,
            "trust_anchor_cell_usage",
            "default value written out",
        ),
        # Bit strings.
        ("IssueSecurityCredentialsCommand", "3004 03020080", 4, "key_usage", "zero bits at the end"),
        ("IssueSecurityCredentialsCommand", "3004 03020781", 4, "key_usage", "zero bits at the end"),
        ("IssueSecurityCredentialsCommand", "3005 0303070800", 4, "key_usage", "zero bits at the end"),
        ("IssueSecurityCredentialsCommand", "3003 030107", 4, "key_usage", "zero bits at the end"),
        ("IssueSecurityCredentialsCommand", "3004 03020880", 4, "key_usage", "wrong count of unused bits"),
        ("IssueSecurityCredentialsCommand", "3002 0300", 4, "key_usage", "wrong count of unused bits"),
        ("IssueSecurityCredentialsCommand", "3008 030600" + "01" * 5, 3, "key_usage", "wrong length"),
        # Certificates are opaque, but they are one SEQUENCE that ends where it says.
        ("UpdateDeviceCertificateCommand", "3106020101020102", 0, "", "not the type of the use case"),
        ("UpdateDeviceCertificateCommand", "3007020101020102", 1, "certificate", "length runs past the end"),
        ("UpdateDeviceCertificateCommand", "30800201010000", 1, "certificate", "indefinite length"),
    ],
)
def test_anything_but_der_is_refused_at_its_first_octet(
    type_name: str, content: str, offset: int, path: str, what: str
) -> None:
    error = refused(type_name, content)
    assert (error.offset, error.path, error.what) == (offset, path, what)


@pytest.mark.parametrize(
    "time",
    [
        "2015010100000Z",  # a digit short
        "20150101000000",  # local time
        "201501010000Z",  # no seconds, which BER allows
        "20150101000000.5Z",  # fractions, which DER allows and GBCS does not use
        "20150101000000+0000",
        "2015010100000 Z",
    ],
)
def test_a_time_that_is_not_a_second_of_utc_is_refused(time: str) -> None:
    contents = time.encode().hex()
    content = f"18{len(time):02X}{contents}020100"
    error = refused("SetTimeResponse", f"30{len(content) // 2:02X}{content}")
    assert (error.offset, error.path, error.what) == (4, "device_time", "not a date-time")


@pytest.mark.parametrize(
    ("time", "place"),
    [
        ("20151301000000Z", 4),  # thirteenth month
        ("20150229000000Z", 6),  # not a leap year
        ("20150101240000Z", 8),
        ("20150101006000Z", 10),
        ("20150101000060Z", 12),  # leap second
        ("00000101000000Z", 0),
    ],
)
def test_a_time_that_does_not_exist_is_refused_where_it_is_wrong(time: str, place: int) -> None:
    content = f"180F{time.encode().hex()}020100"
    error = refused("SetTimeResponse", f"30{len(content) // 2:02X}{content}")
    assert (error.offset, error.path, error.what) == (4 + place, "device_time", NO_SUCH_MOMENT)


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00Z", "2016-02-29T23:59:59Z", "9999-12-31T23:59:58Z"])
def test_every_second_from_year_one_is_a_time(text: str) -> None:
    parameters = {"device_time": text, "device_time_status": "reliable"}
    assert decode("SetTimeResponse", encode("SetTimeResponse", dict(parameters))) == parameters


def log_of(count: int) -> dict[str, object]:
    return {"device_log_entries": [{"device_id": f"{n:016X}", "device_type": "esme"} for n in range(count)]}


@pytest.mark.parametrize(("entries", "head"), [(9, "30818A308187"), (17, "308201023081FF")])
def test_lengths_from_128_on_are_as_short_as_der_wants(entries: int, head: str) -> None:
    content = encode("GPFDeviceLogRestoreCommand", log_of(entries))
    assert content.startswith(bytes.fromhex(head))
    assert decode("GPFDeviceLogRestoreCommand", content) == log_of(entries)


@pytest.mark.parametrize(("entries", "head"), [(9, "3082008B30820087"), (17, "30820103308200FF")])
def test_published_two_octet_lengths_are_read_named_and_written_again(entries: int, head: str) -> None:
    parameters = log_of(entries) | {LENGTH_FORM: "two-octet"}
    content = encode("GPFDeviceLogRestoreCommand", parameters)
    assert content.startswith(bytes.fromhex(head))
    assert decode("GPFDeviceLogRestoreCommand", content) == parameters


def test_two_forms_of_length_in_one_message_are_refused() -> None:
    entries = encode("GPFDeviceLogRestoreCommand", log_of(9))[3:]
    error = refused("GPFDeviceLogRestoreCommand", "3082008A" + entries.hex())
    assert (error.offset, error.what) == (5, "lengths of one message in two different forms")
    assert (error.path, error.expected, error.found) == ("device_log_entries", "820087", "8187")


def test_the_form_of_lengths_inside_a_certificate_is_its_own() -> None:
    certificate = "308180" + "00" * 128
    cell = "3007 020104 03020308"
    for outer in ("30818C", "3082008C"):
        content = bytes.fromhex(outer + certificate + cell)
        parameters = decode("TrustAnchorReplacement", content)
        assert parameters["replacement_certificate"] == certificate
        assert (LENGTH_FORM in parameters) is (outer == "3082008C")
        assert encode("TrustAnchorReplacement", parameters) == content


def test_content_of_any_size_and_any_number_of_digits_is_only_an_error() -> None:
    big = "0283010000" + "7F" * 0x10000
    assert refused("UnjoinDeviceResponse", big).what == "content too long"
    long_number = "0282F000" + "7F" * 0xF000
    error = refused("UnjoinDeviceResponse", long_number)
    assert (error.what, error.found) == ("out of range", "7F" * 20 + "...")


@pytest.mark.parametrize(
    ("type_name", "parameters", "path", "what"),
    [
        ("DeviceLogEntry", {"device_type": "esme"}, "device_id", "missing"),
        ("DeviceLogEntry", {"device_id": "00" * 8, "type": "esme"}, "type", "no such parameter"),
        (
            "DeviceLogEntry",
            {"device_id": "00" * 7, "device_type": 1},
            "device_id",
            "value does not fit the use case",
        ),
        ("DeviceLogEntry", {"device_id": "0g" * 8, "device_type": 1}, "device_id", "not a hex string"),
        ("DeviceLogEntry", {"device_id": 8, "device_type": 1}, "device_id", "not a hex string"),
        (
            "DeviceLogEntry",
            {"device_id": "00" * 8, "device_type": "ihd"},
            "device_type",
            "value does not fit the use case",
        ),
        (
            "DeviceLogEntry",
            {"device_id": "00" * 8, "device_type": True},
            "device_type",
            "value does not fit the use case",
        ),
        (
            "DeviceLogEntry",
            {"device_id": "00" * 8, "device_type": 256},
            "device_type",
            "value does not fit the use case",
        ),
        (
            "SpecialistSeqNumber",
            {"seq_number_usage": 0, "seq_number": 2**63},
            "seq_number",
            "value does not fit the use case",
        ),
        (
            "SpecialistSeqNumber",
            {"seq_number_usage": 0, "seq_number": -1},
            "seq_number",
            "value does not fit the use case",
        ),
        (
            "GPFDeviceLogRestoreCommand",
            {"device_log_entries": [{"device_id": "00" * 8, "device_type": 1}, {"device_id": "00" * 8}]},
            "device_log_entries[1].device_type",
            "missing",
        ),
        (
            "GPFDeviceLogRestoreCommand",
            {"device_log_entries": "none"},
            "device_log_entries",
            "value does not fit the use case",
        ),
        (
            "GPFDeviceLogRestoreCommand",
            {"device_log_entries": ["none"]},
            "device_log_entries[0]",
            "value does not fit the use case",
        ),
        ("ReadDeviceJoinDetailsCommand", {"anything": 1}, "anything", "no such parameter"),
        ("ActivateFirmwareResponse", {}, "", "value does not fit the use case"),
        ("ActivateFirmwareResponse", {"accepted": None}, "", "value does not fit the use case"),
        (
            "ActivateFirmwareResponse",
            {"command_accepted": True},
            "command_accepted",
            "value does not fit the use case",
        ),
        (
            "ActivateFirmwareResponse",
            {"command_accepted": None, "execution_outcome": {}},
            "",
            "value does not fit the use case",
        ),
        (
            "UpdateDeviceCertificateCommand",
            {"certificate": "020101"},
            "certificate",
            "value does not fit the use case",
        ),
        (
            "UpdateDeviceCertificateCommand",
            {"certificate": CERTIFICATE + "00"},
            "certificate",
            "value does not fit the use case",
        ),
        (
            "IssueSecurityCredentialsCommand",
            {"key_usage": "crlSign"},
            "key_usage",
            "value does not fit the use case",
        ),
        (
            "IssueSecurityCredentialsCommand",
            {"key_usage": [32]},
            "key_usage",
            "value does not fit the use case",
        ),
        (
            "IssueSecurityCredentialsCommand",
            {"key_usage": [True]},
            "key_usage",
            "value does not fit the use case",
        ),
        ("IssueSecurityCredentialsCommand", {"key_usage": 7}, "key_usage", "value does not fit the use case"),
        (
            "SetTimeResponse",
            {"device_time": "2015-01-01", "device_time_status": 0},
            "device_time",
            "not a date-time",
        ),
        (
            "FirmwareActivationAlert",
            {
                "alert_code": "8F",
                "time_stamp": "never",
                "firmware_version": "",
                "activate_image_response_code": 0,
            },
            "alert_code",
            "value does not fit the use case",
        ),
        ("ReadDeviceJoinDetailsCommand", {LENGTH_FORM: "long"}, LENGTH_FORM, "unknown form"),
    ],
)
def test_a_parameter_that_does_not_fit_is_named(
    type_name: str, parameters: dict[str, object], path: str, what: str
) -> None:
    with pytest.raises(GbcsEncodeError) as caught:
        encode(type_name, parameters)
    assert (caught.value.path, caught.value.what) == (path, what)


def test_a_default_may_be_left_out_or_given() -> None:
    cell = {"trust_anchor_cell_remote_party_role": "supplier", "trust_anchor_cell_key_usage": "keyAgreement"}
    expected = bytes.fromhex("3007 020102 03020308")
    assert encode("TrustAnchorCellIdentifier", dict(cell)) == expected
    for default in ("management", 0):
        assert encode("TrustAnchorCellIdentifier", cell | {"trust_anchor_cell_usage": default}) == expected
    top_up = encode("TrustAnchorCellIdentifier", cell | {"trust_anchor_cell_usage": "prePaymentTopUp"})
    assert top_up == bytes.fromhex("300A 020102 03020308 020101")


def test_no_member_of_the_schema_is_called_like_the_form_of_lengths() -> None:
    assert not [name for name in codec.types() if LENGTH_FORM in codec.parameter_names(name)]
