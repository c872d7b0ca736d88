"""The COSEM objects of a Communications Hub Function, and what a new one holds.

Spec: GBCS use cases CCS01 to CCS07, DBCH01 to DBCH05, ECS26i, ECS26n, ECS35c, ECS35d, ECS52.
"""

from __future__ import annotations

from typing import Final

from smetslab.devices.cosem.model import (
    CosemObject,
    buffer,
    computed,
    cosem_object,
    fixed,
    method,
    stored,
)
from smetslab.devices.cosem.objects import ObjectModel
from smetslab.devices.cosem.rights import AccessRights
from smetslab.devices.sub_ghz import CHANNEL, CONFIGURATION
from smetslab.gbcs.codes import DeviceType
from smetslab.gbcs.usecases.hub import DEVICE_LOG, HISTORIC_DEVICE_LOG
from smetslab.gbcs.usecases.registry import USE_CASES
from smetslab.gbcs.values import Value

DUAL_BAND_USE_CASES: Final = ("DBCH01", "DBCH02", "DBCH03", "DBCH04", "DBCH05")
"""What a hub with one radio does not support."""

_CONFIGURATION: Value = {
    "page_28_mask": {"page": 28, "channels": [0, 1]},
    "page_29_mask": {"page": 29, "channels": [27, 28]},
    "page_30_mask": {"page": 30, "channels": [35, 36]},
    "page_31_mask": {"page": 31, "channels": [0, 1]},
    "normal_limited_duty_cycle_threshold": 125,
    "limited_critical_duty_cycle_threshold": 200,
    "maximum_sub_ghz_channel_changes_per_week": 4,
    "gsme_curfew": 6,
    "channel_quieter_threshold": 6,
    "channel_noisier_threshold": 10,
    "non_gsme_poor_communications_percentage_threshold": 5050,
    "non_gsme_poor_communications_measurement_periods": 125,
    "local_ch_noise_measurement_period": 90,
    "local_ch_failure_percentage": 5000,
    "local_ch_retry_percentage": 3000,
}

OBJECTS: tuple[CosemObject, ...] = (
    # Identity
    cosem_object(1, "0-0:0.2.1.255", stored(2, "firmware_version", "00000000")),
    cosem_object(1, "0-0:96.1.1.255", fixed(2, "entity_identifier", "0000000000000000")),
    cosem_object(1, "0-0:96.1.4.255", fixed(2, "model_type", "00000000")),
    cosem_object(1, "0-0:96.1.6.255", fixed(2, "manufacturer_identifier", "0000")),
    # Logs
    cosem_object(7, "0-0:99.98.0.255", buffer(2, "event_log")),
    cosem_object(7, "0-0:99.98.1.255", buffer(2, "security_log")),
    # Device Log
    cosem_object(
        104,
        DEVICE_LOG,
        stored(2, "allows_devices_on_to_the_han", False),
        stored(3, "joining_time_period", 0),
        computed(4, "communications_store"),
        method(1, "register_device"),
        method(2, "unregister_device"),
        method(4, "backup_device_log"),
        method(5, "restore_device_log"),
    ),
    cosem_object(104, HISTORIC_DEVICE_LOG, method(4, "backup_historic_device_log")),
    # Sub-GHz radio
    cosem_object(1, "0-0:94.44.10.0", stored(2, CONFIGURATION, _CONFIGURATION)),
    cosem_object(1, "0-0:94.44.10.1", stored(2, "sub_ghz_channel_scan_request", None)),
    cosem_object(1, "0-0:94.44.10.2", stored(2, CHANNEL, {"page": 28, "channels": [0]})),
    cosem_object(7, "0-0:94.44.10.3", buffer(2, "sub_ghz_channel_log")),
)

MODEL = ObjectModel(OBJECTS, USE_CASES, DeviceType.CHF)
RIGHTS = AccessRights.of(USE_CASES, DeviceType.CHF)
