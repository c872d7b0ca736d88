"""Variants about the sub-GHz radio of a Communications Hub. Spec: DUIS service references 6.28 to 6.32."""

from __future__ import annotations

from typing import Final

from smetslab.duis.srv.common import SUPPLIER_AGENT, SUPPLIERS, period, read
from smetslab.duis.srv.forms import Form, scaled
from smetslab.duis.srv.holes import At
from smetslab.duis.srv.model import ServiceRequest, body, mapping
from smetslab.duis.srv.shapes import PRESENT, Child, Sequence, optional
from smetslab.duis.srv.simple import Decimals, Number, Refusal
from smetslab.duis.srv.template import Template
from smetslab.gbcs.values import Value


def _channels(first: int, last: int) -> Sequence:
    return Sequence(*(optional(f"Channel{number}", PRESENT) for number in range(first, last + 1)))


def _numbers(value: Value) -> Value:
    names = list(value) if isinstance(value, dict) else []
    return [number for number in sorted(int(name.removeprefix("Channel")) for name in names)]


def _names(value: Value) -> Value:
    if not isinstance(value, list):
        raise Refusal("channels")
    return {f"Channel{number}": True for number in value}


_NUMBERS: Final = Form(_numbers, _names)

_PAGES: Final = {
    28: ("LowerBandSubGHzChannels0To26", 0, 26),
    29: ("LowerBandSubGHzChannels27To34", 27, 34),
    30: ("LowerBandSubGHzChannels35To61", 35, 61),
    31: ("UpperBandSubGHzChannels0To26", 0, 26),
}
"""The element for the channels of each page. Spec: ZigBee 802.15.4 channel pages 28 to 31."""

_PERCENTAGE = Decimals(2, "1.00", "100.00")
_SETTINGS: Final = (
    ("NormalLimitedDutyCycleThreshold", Decimals(1, "0.5", "2.0")),
    ("LimitedCriticalDutyCycleThreshold", Decimals(1, "1.6", "2.4")),
    ("MaximumSubGHzChannelChangesPerWeek", Number(1, 7)),
    ("GSMECurfew", Number(2, 65535)),
    ("ChannelQuieterThreshold", Number(1, 255)),
    ("ChannelNoisierThreshold", Number(0, 20)),
    ("NonGSMEPoorCommsPercentageThreshold", _PERCENTAGE),
    ("NonGSMEPoorCommsMeasurementPeriods", Number(50, 150)),
    ("LocalCHNoiseMeasurementPeriod", Number(61, 65535)),
    ("LocalCHFailurePercentage", _PERCENTAGE),
    ("LocalCHRetryPercentage", _PERCENTAGE),
)
"""Name and range. Spec: DUIS schema 5.4, type SubGHzConfiguration."""

_COUNTED: Final = 2
"""Percentages are counted in hundredths, however many digits the schema has."""

_PARAMETERS: Final = (
    "normal_limited_duty_cycle_threshold",
    "limited_critical_duty_cycle_threshold",
    "maximum_sub_ghz_channel_changes_per_week",
    "gsme_curfew",
    "channel_quieter_threshold",
    "channel_noisier_threshold",
    "non_gsme_poor_communications_percentage_threshold",
    "non_gsme_poor_communications_measurement_periods",
    "local_ch_noise_measurement_period",
    "local_ch_failure_percentage",
    "local_ch_retry_percentage",
)
_CONFIGURATION: Final[dict[str, Template]] = {
    **{
        f"page_{page}_mask": {"page": page, "channels": At(element, _NUMBERS)}
        for page, (element, _, _) in _PAGES.items()
    },
    **{
        parameter: At(name, scaled(_COUNTED, shape.digits)) if isinstance(shape, Decimals) else At(name)
        for parameter, (name, shape) in zip(_PARAMETERS, _SETTINGS, strict=True)
    },
}

_READERS = (*SUPPLIERS, SUPPLIER_AGENT)

SERVICE_REQUESTS = (
    ServiceRequest(
        variant="6.28",
        reference="6.28",
        name="Set CHF Sub GHz Configuration",
        element="SetCHFSubGHzConfiguration",
        body=body(
            *(Child(element, _channels(first, last)) for element, first, last in _PAGES.values()),
            *(Child(name, shape) for name, shape in _SETTINGS),
        ),
        critical=False,
        eligible_roles=SUPPLIERS,
        mappings=(mapping("DBCH04", {"sub_ghz_configuration_settings": _CONFIGURATION}),),
    ),
    read(
        "6.29",
        "Request CHF Sub GHz Channel Scan",
        "RequestCHFSubGHzChannelScan",
        SUPPLIERS,
        mapping("DBCH05"),
        dated=False,
    ),
    read(
        "6.30",
        "Read CHF Sub GHz Configuration",
        "ReadCHFSubGHzConfiguration",
        _READERS,
        mapping("DBCH03"),
        dated=False,
    ),
    read(
        "6.31",
        "Read CHF Sub GHz Channel",
        "ReadCHFSubGHzChannel",
        _READERS,
        mapping("DBCH01"),
        dated=False,
    ),
    read(
        "6.32",
        "Read CHF Sub GHz Channel Log",
        "ReadCHFSubGHzChannelLog",
        _READERS,
        mapping("DBCH02", period("sub_ghz_channel_log_period")),
        dated=False,
        window=True,
    ),
)
