"""Identity, contact, messages, clock, access of the consumer."""

from __future__ import annotations

from smetslab.devices.cosem.model import CosemObject, computed, cosem_object, fixed, method, stored
from smetslab.gbcs.values import NEVER

OBJECTS: tuple[CosemObject, ...] = (
    cosem_object(1, "0-0:0.2.1.255", fixed(2, "firmware_version", "0123ABCD")),
    cosem_object(1, "0-0:96.1.1.255", fixed(2, "entity_identifier", "0000000000000000")),
    cosem_object(1, "0-0:96.1.2.255", fixed(2, "meter_variant", "A")),
    cosem_object(1, "0-0:96.1.4.255", fixed(2, "model_type", "hex:0000000000000000")),
    cosem_object(1, "0-0:96.1.6.255", fixed(2, "manufacturer_identifier", "")),
    cosem_object(1, "0-0:94.44.34.11", stored(2, "import_mpans", "")),
    cosem_object(1, "1-0:0.0.2.255", stored(2, "export_mpan", "")),
    cosem_object(1, "0-2:96.13.1.255", stored(2, "supplier_message", "")),
    cosem_object(1, "0-3:96.13.1.255", stored(2, "customer_identification_number", "")),
    cosem_object(9000, "0-0:96.13.0.255", stored(2, "supplier_telephone_number", "")),
    cosem_object(9000, "0-0:96.13.1.255", stored(2, "supplier_name", "")),
    cosem_object(1, "0-0:94.44.3.1", stored(2, "privacy_pin_disabled", None)),
    cosem_object(1, "0-0:94.44.3.2", stored(2, "restricted_data_date_time", NEVER)),
    cosem_object(
        8,
        "0-0:1.0.0.255",
        computed(2, "clock_time"),
        computed(4, "clock_status"),
        stored(9, "clock_base", None),
        method(4, "adjust_to_preset_time"),
        method(5, "preset_adjusting_time"),
    ),
)
