"""Variants about firmware that a device carries out. Spec: DUIS service references 11.2, 11.3."""

from __future__ import annotations

from smetslab.duis.codes import FutureDating
from smetslab.duis.srv.common import EVERYBODY, EXECUTION, SUPPLIERS, read
from smetslab.duis.srv.components import ACTIVATION_TIME
from smetslab.duis.srv.holes import At, Fact
from smetslab.duis.srv.model import ServiceRequest, body, mapping
from smetslab.duis.srv.shapes import Child
from smetslab.duis.srv.simple import Octets

SERVICE_REQUESTS = (
    read(
        "11.2",
        "Read Firmware Version",
        "ReadFirmwareVersion",
        EVERYBODY,
        mapping("ECS52"),
        mapping("CS08"),
        mapping("GCS38"),
    ),
    ServiceRequest(
        variant="11.3",
        reference="11.3",
        name="Activate Firmware",
        element="ActivateFirmware",
        body=body(EXECUTION, Child("FirmwareHash", Octets("hex", 32, 32))),
        critical=True,
        eligible_roles=SUPPLIERS,
        future_dating=FutureDating.DEVICE,
        mappings=(
            mapping(
                "CS06",
                {
                    "manufacturer_image_hash": At("FirmwareHash"),
                    "originator_counter": Fact("originator_counter"),
                    "execution_date_time": ACTIVATION_TIME,
                },
            ),
        ),
    ),
)
