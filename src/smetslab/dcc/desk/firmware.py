"""Services that distribute firmware images. Spec: DUIS service references 11.1 and 11.4; GBCS 11."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from smetslab.dcc.desk.model import DONE, Call, Rule, Service
from smetslab.dcc.distribution import hash_of, version_in
from smetslab.dcc.intake import Served
from smetslab.duis.document import OtherPayload, leaf, node
from smetslab.duis.element import Element
from smetslab.errors import FirmwareError
from smetslab.firmware import OtaFile, decode_file
from smetslab.gbcs.codes import DeviceType
from smetslab.ids import Eui64
from smetslab.registry import DeviceStatus, InventoryDevice

_METERS: Final = (DeviceType.ESME, DeviceType.GSME)
_OTHERS: Final = (DeviceType.PPMID, DeviceType.HCALCS)
_READY: Final = (DeviceStatus.COMMISSIONED, DeviceStatus.INSTALLED_NOT_COMMISSIONED, DeviceStatus.SUSPENDED)


def _image(call: Call) -> bytes:
    return bytes.fromhex(call.text("FirmwareImage"))


def _asked_for(call: Call) -> tuple[Eui64, ...]:
    named = [Eui64.parse(one) for one in call.text("DeviceIDList").split(",")]
    return tuple(dict.fromkeys(named))


def _not_an_image(call: Call) -> str | None:
    try:
        decode_file(_image(call))
    except FirmwareError as error:
        return str(error)
    return None


def _version_of_another(call: Call) -> str | None:
    """The header knows better; the published templates say zeros, which claims nothing."""
    claimed = call.text("FirmwareVersion").upper()
    version = version_in(decode_file(_image(call)))
    if claimed in {version, "0" * len(claimed)}:
        return None
    return f"the image is version {version}, the request says {claimed}"


def _sort(
    call: Call, types: tuple[DeviceType, ...]
) -> tuple[tuple[InventoryDevice, ...], dict[str, list[Eui64]]]:
    """The devices that get the image, and the others by the list that a warning shows them in."""
    file = decode_file(_image(call))
    good: list[InventoryDevice] = []
    bad: dict[str, list[Eui64]] = {}
    for device_id in _asked_for(call):
        device = call.office.inventory.find(device_id)
        if device is None or device.device_type not in types or device.hub is None:
            bad.setdefault("InvalidDeviceIDList", []).append(device_id)
        elif device.status not in _READY:
            bad.setdefault("NotCommissionedDeviceIDList", []).append(device_id)
        elif not _for_maker(device.manufacturer, file.header.manufacturer_code) or not _certified(
            call, device, file
        ):
            bad.setdefault("NotApplicableFirmwareDeviceIDList", []).append(device_id)
        elif call.office.distribution.busy(device_id):
            bad.setdefault("OtherRequestInProgressList", []).append(device_id)
        else:
            good.append(device)
    return tuple(good), bad


def _for_maker(manufacturer: str, code: int) -> bool:
    """Whether an image may be for a device: the manufacturer's code, where the inventory has it, agrees."""
    try:
        known = int(manufacturer, 16) if len(manufacturer) == 4 else None
    except ValueError:
        known = None
    return known is None or known == code


def _certified(call: Call, device: InventoryDevice, file: OtaFile) -> bool:
    """Whether an image is one that such a device may have."""
    products = call.office.rules.certified_products
    image = version_in(file), hash_of(file)
    return products is None or products.fault(device.manufacturer, device.model, *image) is None


def _no_device(types: tuple[DeviceType, ...]) -> Callable[[Call], str | None]:
    def fault(call: Call) -> str | None:
        return None if _sort(call, types)[0] else "the image is for none of these devices"

    return fault


def _distribute(types: tuple[DeviceType, ...], warning: str, element: str) -> Callable[[Call], Served]:
    def act(call: Call) -> Served:
        good, bad = _sort(call, types)
        call.office.distribution.start(call.request.header.request_id, _image(call), good)
        if not bad:
            return DONE
        lists = [_id_list(name, bad[name]) for name in _LISTS if name in bad]
        return Served(warning, OtherPayload(node(element, *lists)))

    return act


_LISTS: Final = (
    "InvalidDeviceIDList",
    "NotCommissionedDeviceIDList",
    "NotApplicableFirmwareDeviceIDList",
    "OtherRequestInProgressList",
    "InvalidGBCSVersionList",
)


def _id_list(name: str, devices: list[Eui64]) -> Element:
    return leaf(name, ",".join(device.dashed() for device in devices))


def _service(variant: str, types: tuple[DeviceType, ...], element: str) -> Service:
    number = f"{int(variant.split('.', maxsplit=1)[0]):02}{int(variant.split('.')[1]):02}"
    return Service(
        variant=variant,
        rules=(
            Rule("no image", f"E{number}01", _not_an_image),
            Rule("version", f"E{number}02", _version_of_another),
            Rule("no device", f"E{number}03", _no_device(types)),
        ),
        act=_distribute(types, f"W{number}01", element),
    )


SERVICES: Final = (
    _service("11.1", _METERS, "DSPUpdateFirmwareWarning"),
    _service("11.4", _OTHERS, "DSPUpdatePPMIDFirmwareWarning"),
)
