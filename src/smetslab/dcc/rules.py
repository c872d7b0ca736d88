"""What the mock DCC insists on and how long it waits: switches and time limits, because sources leave them
open.

All time limits are choices of this laboratory, in laboratory seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from smetslab.dcc.limits import NO_LIMITS, AnomalyLimits, Threshold
from smetslab.duis.document import DEFAULT_SCHEMA_VERSION
from smetslab.duis.limits import MAX_DOCUMENT_BYTES
from smetslab.ids import Eui64
from smetslab.registry import CertifiedProducts

DCC_IDENTITY: Final = Eui64(bytes.fromhex("90B3D51F30000002"))
"""The access control broker of the published test hierarchy, and the target of requests to the DCC itself."""

RECOVERY: Final = Eui64(bytes.fromhex("90B3D51F30000001"))
"""The recovery party of the published test hierarchy."""

TRANSITIONAL_COS: Final = Eui64(bytes.fromhex("90B3D51F30000004"))
"""The change of supplier party of the published test hierarchy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DccRules:
    """How strict this DCC is. A check that is off lets everything pass; the order of the others stays.

    `verify_users`: the signature on a signed pre-command, and that it is the command that was asked for.
    `verify_devices`: the signature or, where it is addressed to the broker, the MAC of responses and
    alerts. `response_timeout_s` runs from the moment the WAN took the command; `sleeper_timeout_s` takes
    its place for gas meters, which fetch their commands when they wake. `delivery_timeout_s` is how long
    the WAN may refuse a command, `retry_interval_s` how often it is asked; `response_retries` is how often
    a command without response is sent again. `sequence_timeout_s` is how long a request waits for one
    before it that has not come. `kept_documents` bounds undelivered responses, and undelivered alerts.
    `image_timeout_s`: how long the WAN may refuse a firmware image.

    `alert_threshold`: how many alerts of one code a device may raise in a while before the others are
    counted and not passed on; with `alert_throttle_fields` the next one says how many, which published
    clients do not take. `certified_products`: pre-notified devices and firmware images must be on this list;
    None asks for none. `alert_codes` replaces codes of DCC alerts. `csp_region`, `wan_technology`
    and `wan_post_codes` (beginnings of the post codes that have the WAN, None for all) answer 12.1, in the
    form of schema 5.1 or 5.4: no form is valid under both. `transitional_cos` and `recovery` are the
    DCC's own parties for changes of supplier and for recovery.
    """

    check_roles: bool = True
    check_responsibility: bool = True
    check_status: bool = True
    check_counters: bool = True
    check_local_commands: bool = True
    verify_users: bool = True
    verify_devices: bool = True
    response_timeout_s: float = 300.0
    sleeper_timeout_s: float = 7200.0
    delivery_timeout_s: float = 300.0
    retry_interval_s: float = 10.0
    response_retries: int = 0
    sequence_timeout_s: float = 3600.0
    kept_documents: int = 100_000
    image_timeout_s: float = 86_400.0
    anomaly_limits: AnomalyLimits = NO_LIMITS
    alert_threshold: Threshold | None = None
    alert_throttle_fields: bool = False
    certified_products: CertifiedProducts | None = None
    alert_codes: Mapping[str, str] = field(default_factory=dict)
    csp_region: str = "Central"
    wan_technology: str = "Cellular"
    wan_post_codes: tuple[str, ...] | None = None
    wan_matrix_form: Literal["5.1", "5.4"] = "5.1"
    schema_version: str = DEFAULT_SCHEMA_VERSION
    document_limit: int = MAX_DOCUMENT_BYTES
    transitional_cos: Eui64 = TRANSITIONAL_COS
    recovery: Eui64 = RECOVERY
