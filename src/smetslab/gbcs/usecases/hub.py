"""Use cases of the Communications Hub Function: its device log and its sub-GHz radio.

Spec: GBCS use cases CCS01 to CCS07, DBCH01 to DBCH05.
"""

from __future__ import annotations

from smetslab.gbcs.dlms import axdr, shapes
from smetslab.gbcs.dlms.axdr import Tag
from smetslab.gbcs.dlms.forms import ChannelLogDetail, ChannelMask, Flags
from smetslab.gbcs.dlms.shapes import Bytes, Compact, Const, ListOf, Nullable, Num, Shape, Struct
from smetslab.gbcs.elements import known
from smetslab.gbcs.usecases.common import ACCESS_CONTROL_BROKER, CHF
from smetslab.gbcs.usecases.dlms import AccessItem, DlmsAccess, action, get, get_period, set_, unverified
from smetslab.gbcs.usecases.model import UseCase, newer

DEVICE_LOG, HISTORIC_DEVICE_LOG = "0-0:30.3.0.255", "0-0:30.3.1.255"

EXTENDED_PAN_ID = Bytes(8)


def log_details(*security_details: str) -> dict[str, Shape]:
    """A whole device log: the devices with the hashes of their link keys, empty until there is a key, which
    MMC knows as `security_details`."""
    device: dict[str, Shape] = {
        "device_identifier": shapes.EUI64,
        known("security_details", *security_details): shapes.OCTETS,
    }
    return {"han_identifier": EXTENDED_PAN_ID, "devices": ListOf(Struct(device))}


LOG_AS_READ = Struct({"read_date_time": shapes.DATE_TIME, **log_details("DeviceSecurityDetails")})


LOG_ENTRY = Struct(
    {
        known("entity_identifier", "DeviceID"): shapes.EUI64,
        "credentials_type": Num(Tag.ENUM, {1: "install code"}),
        known("installation_credentials", "InstallCode"): shapes.OCTETS,
        "device_type": shapes.ENUM,
    }
)
"""What adds a device to the log."""

_RSSI = Num(Tag.INTEGER, unit="dBm")

COMMUNICATIONS_STORE = ListOf(
    Struct(
        {
            known("entity_identifier", "DeviceID"): shapes.EUI64,
            "status": Flags(
                (
                    "authorised_on_pan",
                    "actively_reporting_on_pan",
                    "unauthorised_on_pan_but_has_reported",
                    "authorised_after_swap_out",
                    "sep_transmitting",
                    None,
                    None,
                    None,
                )
            ),
            "max_rssi": _RSSI,
            "average_rssi": _RSSI,
            "min_rssi": _RSSI,
            "max_lqi": shapes.UNSIGNED,
            "average_lqi": shapes.UNSIGNED,
            "min_lqi": shapes.UNSIGNED,
            known("last_communications_date_time", "LastCommunicationsDateTime"): shapes.DATE_TIME,
            "number_of_hops": shapes.UNSIGNED,
            "transmission_failures": shapes.UNSIGNED,
            "transmission_successes": shapes.UNSIGNED,
            "application_version": shapes.UNSIGNED,
            "stack_version": shapes.UNSIGNED,
        }
    )
)
"""active_devices of class 104: members named as there. GBCS uses the identifier, the last contact and, on a
dual band hub, a link quality. Spec: IEC 62056-6-2 (ZigBee network control)."""

_DUTY_CYCLE = Num(Tag.LONG_UNSIGNED, unit="1/100 %")
_PERCENTAGE = Num(Tag.LONG_UNSIGNED, unit="1/100 %")

SUB_GHZ_CONFIGURATION = Struct(
    {
        known("page_28_mask", "LowerBandSubGHzChannels0To26"): ChannelMask(),
        known("page_29_mask", "LowerBandSubGHzChannels27To34"): ChannelMask(),
        known("page_30_mask", "LowerBandSubGHzChannels35To61"): ChannelMask(),
        known("page_31_mask", "UpperBandSubGHzChannels0To26"): ChannelMask(),
        known("normal_limited_duty_cycle_threshold", "NormalLimitedDutyCycleThreshold"): _DUTY_CYCLE,
        known("limited_critical_duty_cycle_threshold", "LimitedCriticalDutyCycleThreshold"): _DUTY_CYCLE,
        known(
            "maximum_sub_ghz_channel_changes_per_week", "MaximumSubGHzChannelChangesPerWeek"
        ): shapes.UNSIGNED,
        known("gsme_curfew", "GSMECurfew"): shapes.LONG_UNSIGNED,
        known("channel_quieter_threshold", "ChannelQuieterThreshold"): shapes.UNSIGNED,
        known("channel_noisier_threshold", "ChannelNoisierThreshold"): shapes.UNSIGNED,
        known(
            "non_gsme_poor_communications_percentage_threshold", "NonGSMEPoorCommsPercentageThreshold"
        ): _PERCENTAGE,
        known(
            "non_gsme_poor_communications_measurement_periods", "NonGSMEPoorCommsMeasurementPeriods"
        ): shapes.UNSIGNED,
        known("local_ch_noise_measurement_period", "LocalCHNoiseMeasurementPeriod"): shapes.LONG_UNSIGNED,
        known("local_ch_failure_percentage", "LocalCHFailurePercentage"): _PERCENTAGE,
        known("local_ch_retry_percentage", "LocalCHRetryPercentage"): _PERCENTAGE,
    }
)

CHANNEL_LOG_ENTRIES = Compact(
    Struct(
        {
            known("timestamp", "Timestamp"): shapes.TIME_STAMP,
            known("log_code", "EventCode"): shapes.CODE,
            known("other_information", "OperatingSubGHzChannel", "ScanTrigger"): ChannelLogDetail(),
        }
    )
)

_READ_COMMUNICATIONS_STORE = unverified(
    get(known("device_log", "CHFDeviceLog"), 104, DEVICE_LOG, 4, COMMUNICATIONS_STORE)
)


def _row(
    name: str,
    code: int,
    title: str,
    srv: str,
    *items: AccessItem,
    replay_protected: bool = False,
    unverified_fields: tuple[str, ...] = (),
) -> UseCase:
    return UseCase(
        name=name,
        code=code,
        title=title,
        devices=CHF,
        critical=False,
        originator_roles=ACCESS_CONTROL_BROKER,
        service_requests=(srv,),
        replay_protected=replay_protected,
        payload=DlmsAccess(items),
        unverified=unverified_fields,
    )


USE_CASES = (
    _row(
        "CCS01",
        0x0001,
        "Add Device to CHF device log",
        "8.11",
        # That type 1 is an install code follows from the data beside it.
        unverified(
            action(known("entry_to_be_added", "AddDeviceToCHFWhitelist"), 104, DEVICE_LOG, 1, LOG_ENTRY)
        ),
        set_(
            known("joining_time_period", "JoinTimePeriod"),
            104,
            DEVICE_LOG,
            3,
            Num(Tag.LONG_UNSIGNED, unit="s"),
        ),
        set_("allows_devices_on_to_the_han", 104, DEVICE_LOG, 2, shapes.BOOLEAN),
        replay_protected=True,
    ),
    _row(
        "CCS02",
        0x0002,
        "Remove device from CHF device log",
        "8.11",
        action(known("entry_to_be_removed", "DeviceID"), 104, DEVICE_LOG, 2, shapes.EUI64),
        replay_protected=True,
    ),
    _row(
        "CCS03",
        0x0003,
        "Restore CHF Device Log",
        "8.12.1",
        action(
            "log_details",
            104,
            DEVICE_LOG,
            5,
            Struct(log_details()),
        ),
        replay_protected=True,
    ),
    _row(
        "CCS05/CCS04",
        0x0004,
        "Read CHF device log / check HAN communications (pre-CCS06 form)",
        "8.9",
        _READ_COMMUNICATIONS_STORE,
        unverified_fields=("future_dateable", "replay_protected"),
    ),
    newer(
        _row(
            "CCS06",
            0x010F,
            "Read CHF device log and check HAN communications",
            "8.9",
            _READ_COMMUNICATIONS_STORE,
        ),
        than="CCS05/CCS04",
    ),
    _row(
        "CCS07",
        0x00FE,
        "Read CHF Device Logs",
        "8.9",
        action(
            known("device_log", "CHFCurrentConnectedDeviceLogEntry"),
            104,
            DEVICE_LOG,
            4,
            returns=LOG_AS_READ,
        ),
        action(
            known("historic_device_log", "CHFHistoricConnectedDeviceLogEntry"),
            104,
            HISTORIC_DEVICE_LOG,
            4,
            # A hub that never had another log has none to show.
            returns=Nullable(LOG_AS_READ),
        ),
    ),
    _row(
        "DBCH01",
        0x010A,
        "Read CHF Sub GHz Channel",
        "6.31",
        get(
            known("operating_sub_ghz_channel", "OperatingSubGHzChannel"),
            1,
            "0-0:94.44.10.2",
            2,
            ChannelMask(),
        ),
    ),
    _row(
        "DBCH02",
        0x010B,
        "Read CHF Sub GHz Channel Log",
        "6.32",
        get_period(known("sub_ghz_channel_log", "LogEntry"), 7, "0-0:94.44.10.3", 2, CHANNEL_LOG_ENTRIES),
    ),
    _row(
        "DBCH03",
        0x010C,
        "Read CHF Sub GHz Configuration",
        "6.30",
        get("sub_ghz_configuration_settings", 1, "0-0:94.44.10.0", 2, SUB_GHZ_CONFIGURATION),
    ),
    _row(
        "DBCH04",
        0x010D,
        "Set CHF Sub GHz Configuration",
        "6.28",
        set_("sub_ghz_configuration_settings", 1, "0-0:94.44.10.0", 2, SUB_GHZ_CONFIGURATION),
        replay_protected=True,
    ),
    _row(
        "DBCH05",
        0x010E,
        "Request CHF Sub GHz Channel Scan",
        "6.29",
        set_("sub_ghz_channel_scan_request", 1, "0-0:94.44.10.1", 2, Const(axdr.unsigned(0))),
        replay_protected=True,
    ),
)
