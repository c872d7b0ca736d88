"""What is known about devices and users: the Smart Metering Inventory, the Certified Products List,
and the directory of service users.

Facts and rules about them only; it knows no documents, no messages and no wires.
"""

from smetslab.duis.codes import UserRole
from smetslab.registry.backups import DeviceLogBackup, DeviceLogBackups
from smetslab.registry.device import InventoryDevice, KnownParty, PropertyFilter, Responsibility
from smetslab.registry.inventory import Inventory, StatusChange
from smetslab.registry.life_cycle import DeviceStatus, LifeEvent
from smetslab.registry.products import CertifiedProduct, CertifiedProducts, ProductStatus
from smetslab.registry.users import User, UserDirectory

__all__ = [
    "CertifiedProduct",
    "CertifiedProducts",
    "DeviceLogBackup",
    "DeviceLogBackups",
    "DeviceStatus",
    "Inventory",
    "InventoryDevice",
    "KnownParty",
    "LifeEvent",
    "ProductStatus",
    "PropertyFilter",
    "Responsibility",
    "StatusChange",
    "User",
    "UserDirectory",
    "UserRole",
]
