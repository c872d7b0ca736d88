"""How strict the DCC of a laboratory is: its configuration as the rules that the DCC goes by."""

from __future__ import annotations

from smetslab.dcc import DccRules
from smetslab.dcc.limits import NO_LIMITS, AnomalyLimits, Threshold
from smetslab.dcc.rules import RECOVERY, TRANSITIONAL_COS
from smetslab.gbcs.codes import RemotePartyRole
from smetslab.ids import Eui64
from smetslab.lab.config import DccConfig, LabConfig, ThresholdConfig
from smetslab.registry import CertifiedProduct, CertifiedProducts, ProductStatus

_OF_ANOTHER_SHAPE = frozenset({"alert_threshold", "anomaly_limits", "certified_products"})


def dcc_rules(config: LabConfig) -> DccRules:
    """The DCC's rules as the lab file has them, with its own parties."""
    dcc = config.dcc
    return DccRules(
        **dcc.model_dump(exclude=set(_OF_ANOTHER_SHAPE)),
        alert_threshold=None if dcc.alert_threshold is None else _threshold(dcc.alert_threshold),
        anomaly_limits=_limits(dcc),
        certified_products=_products(dcc),
        transitional_cos=_party(config, RemotePartyRole.TRANSITIONAL_COS, TRANSITIONAL_COS),
        recovery=_party(config, RemotePartyRole.RECOVERY, RECOVERY),
    )


def _party(config: LabConfig, role: RemotePartyRole, otherwise: Eui64) -> Eui64:
    found = config.party(role)
    return otherwise if found is None else found.eui64


def _threshold(config: ThresholdConfig) -> Threshold:
    return Threshold(config.requests, config.window_s)


def _limits(dcc: DccConfig) -> AnomalyLimits:
    limits = dcc.anomaly_limits
    if limits is None:
        return NO_LIMITS
    return AnomalyLimits(
        user={variant: _threshold(one) for variant, one in limits.user.items()},
        dcc={variant: _threshold(one) for variant, one in limits.dcc.items()},
        attributes=dict(limits.attributes),
    )


def _products(dcc: DccConfig) -> CertifiedProducts | None:
    if dcc.certified_products is None:
        return None
    return CertifiedProducts(
        CertifiedProduct(
            manufacturer=one.manufacturer,
            model=one.model,
            firmware_version=version,
            firmware_hash=one.firmware_hashes.get(version, ""),
            status=ProductStatus(one.status),
        )
        for one in dcc.certified_products
        for version in one.firmware_versions
    )
