"""Alert messages of DLMS devices. Spec: GBCS 16 (alert payloads), 9.2.2 (future-dated execution)."""

from __future__ import annotations

from smetslab.gbcs.codes import DeviceType
from smetslab.gbcs.dlms import shapes
from smetslab.gbcs.dlms.axdr import Tag
from smetslab.gbcs.dlms.forms import SCAN_TRIGGERS, ChannelMask, ControllerOctet, NamedOctets
from smetslab.gbcs.dlms.protection import ProtectedRead
from smetslab.gbcs.dlms.shapes import Bytes, Num, Packed, PackedForm, Shape, Struct
from smetslab.gbcs.elements import known
from smetslab.gbcs.usecases.auxiliary import STATE_INFORMATION
from smetslab.gbcs.usecases.common import CHF, ESME
from smetslab.gbcs.usecases.dlms import DlmsAlert, protected_object
from smetslab.gbcs.usecases.hub import SUB_GHZ_CONFIGURATION, log_details
from smetslab.gbcs.usecases.model import Confidence, UseCase
from smetslab.gbcs.usecases.reading import billing_entries
from smetslab.gbcs.usecases.sealed import SealedAlert

_HEAD: dict[str, Shape] = {
    known("alert_code", "GBCSHexAlertCode"): shapes.CODE,
    known("time_stamp", "Timestamp"): shapes.DATE_TIME,
}
_DLMS_DEVICES = (DeviceType.ESME, DeviceType.CHF)

_COMMAND: tuple[tuple[str, int, PackedForm], ...] = (
    (known("message_code", "FutureDatedCommandMessageCode"), 2, "message-code"),
    (known("originator_counter", "FutureDatedCommandOriginatorCounter"), 8, "int"),
)
_INSTRUCTION: tuple[tuple[str, int, PackedForm], ...] = (
    (known("class_id", "ClassId"), 2, "int"),
    (known("logical_name", "InstanceId"), 6, "logical-name"),
    (known("attribute", "AttributeId"), 1, "int"),
)
_UNSUPPORTED: tuple[tuple[str, int, PackedForm], ...] = (
    (known("message_code", "MessageCodeofCommandReceived"), 2, "message-code"),
    (known("originator_counter", "OriginatorCounterfromCommandReceived"), 8, "int"),
)
_MESSAGE = Packed(
    (
        ("business_originator_id", 8, "hex"),
        ("business_target_id", 8, "hex"),
        ("cra_flag", 1, "int"),
        ("originator_counter", 8, "int"),
    )
)
"""The start of a grouping header: which message it was."""

_SCAN_TRIGGER = NamedOctets({bytes((code,)): name for code, name in SCAN_TRIGGERS.items()}, length=1)

INTEGRITY_WARNINGS = (
    "Other",
    "Error Non Volatile Memory",
    "Error Program Execution",
    "Error Program Storage",
    "Error RAM",
    "Error Unexpected Hardware Reset",
    "Error Watchdog",
    "Error Metrology Firmware Verification Failure",
    "Error Measurement Fault",
    "Unspecified Smart Meter Operational Integrity Error",
)
"""Reasons of alert 81A0, from 0000. Spec: MMC SmartMeterIntegrityIssueWarningDeviceAlert."""

_WARNING = NamedOctets(
    {code.to_bytes(2, "big"): name for code, name in enumerate(INTEGRITY_WARNINGS)}, length=2
)
_LEVEL = Num(Tag.UNSIGNED, unit="%")


def _alert(
    name: str,
    code: int,
    title: str,
    devices: tuple[DeviceType, ...],
    members: dict[str, Shape],
    *,
    critical: bool = True,
    confidence: Confidence = "vectors",
    unverified: tuple[str, ...] = (),
) -> UseCase:
    """A row whose alert has these members after alert code and time stamp."""
    return UseCase(
        name=name,
        code=code,
        title=title,
        devices=devices,
        critical=critical,
        payload=DlmsAlert(Struct({**_HEAD, **members})),
        confidence=confidence,
        unverified=unverified,
    )


USE_CASES = (
    _alert(
        "CS14",
        0x0018,
        "Device Addition To / Removal From HAN Whitelist Alerts",
        CHF,
        {"device_log": Struct({"backup_date_time": shapes.DATE_TIME, **log_details()})},
        critical=False,
    ),
    UseCase(
        name="ECS68",
        code=0x0061,
        title="ESME Critical Sensitive Alert (Billing Data Log)",
        devices=ESME,
        critical=True,
        payload=SealedAlert(
            Struct(_HEAD),
            "billing_data_log",
            ProtectedRead(
                (
                    protected_object(
                        known("billing_calendar_triggered_billing_data_log", "ESMEBillingDataLogEntry"),
                        7,
                        "0-0:98.1.0.255",
                        2,
                        billing_entries(),
                    ),
                )
            ),
        ),
    ),
    _alert(
        "ECS80",
        0x0067,
        "Supply Outage Restore Alert from ESME",
        ESME,
        {
            known("interruption_date_time", "interruptionValue"): shapes.DATE_TIME,
            known("restoration_date_time", "restorationValue"): shapes.DATE_TIME,
        },
    ),
    _alert(
        "FDEI-DLMS",
        0x00CC,
        "Future Dated Execution Of Instruction Alert (DLMS COSEM)",
        ESME,
        {known("instruction", "DLMSCOSEMFDInstructionIdentification"): Packed(_COMMAND + _INSTRUCTION)},
    ),
    _alert(
        "FDRA-DLMS",
        0x00CE,
        "Firmware Distribution Receipt Alert (ESME)",
        ESME,
        {"manufacturer_image_hash": Bytes(32)},
    ),
    _alert(
        "ALERT-8F84",
        0x00D5,
        "Failure to Deliver Remote Party Message to ESME Alert",
        _DLMS_DEVICES,
        {"undelivered_message": _MESSAGE},
        confidence="unverified",
        unverified=("devices", "critical", "payload"),
    ),
    _alert(
        "MIIWA-DLMS",
        0x00F0,
        "Meter Integrity Issue Warning Alert 81A0 (ESME)",
        ESME,
        {known("warning", "Warning"): _WARNING},
        critical=False,
    ),
    _alert(
        "DBCH06",
        0x0110,
        "Limited Duty Cycle Action Taken Sub GHz Alert",
        CHF,
        {"device_identifier": shapes.EUI64},
        critical=False,
    ),
    _alert(
        "DBCH07",
        0x0111,
        "Sub GHz Channel Changed Sub GHz Alert",
        CHF,
        {
            "channel_change": Struct(
                {"operating_sub_ghz_channel": ChannelMask(), "scan_trigger": _SCAN_TRIGGER}
            )
        },
        critical=False,
    ),
    _alert(
        "DBCH08",
        0x0112,
        "Sub GHz Channel Scan Request Assessment Outcome Sub GHz Alert",
        CHF,
        {"scan_request": Struct({"scan_trigger": _SCAN_TRIGGER, "assessment_outcome": Bytes(1)})},
        critical=False,
        unverified=("payload",),
    ),
    _alert(
        "DBCH09",
        0x0113,
        "Sub GHz Configuration Changed Sub GHz Alert",
        CHF,
        {"sub_ghz_configuration_settings": SUB_GHZ_CONFIGURATION},
        critical=False,
    ),
    _alert(
        "DBCH10",
        0x0114,
        "Message Discarded Due to Duty Cycle Management Sub GHz Alert",
        CHF,
        {"discarded_message": _MESSAGE},
        critical=False,
    ),
    _alert(
        "DBCH11",
        0x0115,
        "No More Sub GHz Device Capacity Sub GHz Alert",
        CHF,
        {"device_identifier": shapes.EUI64},
        critical=False,
    ),
    _alert(
        "ECS100",
        0x0120,
        "Alert 8F85: Command not supported by Device",
        _DLMS_DEVICES,
        {known("unsupported_command", "CommandNotSupportedbyDevice"): Packed(_UNSUPPORTED)},
    ),
    _alert(
        "ECS101",
        0x0121,
        "Alert 8F86: Limit APC Level Command processed",
        ESME,
        {
            known("auxiliary_proportional_controller", "AuxiliaryControllerN"): ControllerOctet(),
            known("limit_period_start_date_time", "APCLimitPeriodStart"): shapes.DATE_TIME,
            known("limit_period_end_date_time", "APCLimitPeriodEnd"): shapes.DATE_TIME,
            known("resulting_level", "ResultingLevel"): _LEVEL,
        },
    ),
    _alert(
        "ECS102",
        0x0122,
        "Alert 8F87: Limit APC Level ended or cancelled",
        ESME,
        {
            known("auxiliary_proportional_controller", "AuxiliaryControllerN"): ControllerOctet(),
            known("resulting_level", "ResultingLevel"): _LEVEL,
        },
    ),
    _alert(
        "ECS200",
        0x0123,
        "Alert 8F88: Operational Update",
        ESME,
        {known("state_and_associated_information", "OperationalUpdateDeviceAlert"): STATE_INFORMATION},
    ),
    _alert("GCA", 0x1000, "Generic Critical Alert", _DLMS_DEVICES, {}),
    _alert("GNCA", 0x1001, "Generic Non Critical Alert", _DLMS_DEVICES, {}, critical=False),
)
