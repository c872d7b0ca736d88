"""Quirks: the declared ways in which a device is wrong.

A quirk is one field of `Quirks`; its metadata say what the device does and which clause that breaks. The rule
asks for it where the rule lives. A profile names quirks in words with dashes, each with a reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType

from smetslab.errors import UsageError


def _quirk(description: str, clause: str) -> bool:
    # The type of a dataclass field is that of its value; `field` itself returns the descriptor.
    declared: bool = field(default=False, metadata={"description": description, "clause": clause})
    return declared


@dataclass(frozen=True, slots=True, kw_only=True)
class Quirks:
    """What is wrong with a device. All False: a sound one."""

    accepts_replay: bool = _quirk(
        "executes a command again whose originator counter is that of the last one", "GBCS 4.3.1.4"
    )
    accepts_lower_counter: bool = _quirk(
        "executes a command whose originator counter is lower than that of an earlier one", "GBCS 4.3.1.4"
    )
    forgets_counter_over_power_cut: bool = _quirk(
        "keeps execution counters in volatile memory, so that a replay after a power cut succeeds",
        "GBCS 4.3.1.4",
    )
    skips_mac: bool = _quirk("does not check the MAC of commands", "GBCS 6.2.2")
    skips_signature: bool = _quirk("does not check the signature of critical commands", "GBCS 6.2.2")
    skips_role_check: bool = _quirk(
        "lets every known remote party use every use case", "GBCS 20 (originator roles), 7.3"
    )
    accepts_any_recipient: bool = _quirk(
        "executes commands that are addressed to another device", "GBCS 6.2.4"
    )
    answers_before_authentication: bool = _quirk(
        "answers a command whose MAC or signature is wrong with a failure", "GBCS 6.2.4"
    )
    silent_on_unsupported_command: bool = _quirk(
        "drops an authentic command that it does not support without alert 0x8F85", "GBCS use case ECS100"
    )
    skips_structure_check: bool = _quirk(
        "runs any access list under any message code, as far as the role's rights go", "GBCS 6.2.4, 7.3"
    )
    continues_after_error: bool = _quirk("executes the items after a failed one", "GBCS 7.3 (break on error)")
    wrong_response_counter: bool = _quirk(
        "answers with the command's originator counter plus one", "GBCS 7.2.7"
    )
    unprotected_read: bool = _quirk("returns protected attributes as plain data", "GBCS 8.4")
    forgets_clock_status: bool = _quirk(
        "reports its clock as reliable, whatever the hub said", "GBCS 9.1; SMETS 5.6.3.32"
    )
    ignores_validity_interval: bool = _quirk(
        "sets its clock though the hub's time is outside the validity interval", "GBCS 9.1"
    )
    loses_pending_over_power_cut: bool = _quirk(
        "keeps future-dated instructions in volatile memory", "GBCS 9.2.2"
    )
    ignores_cancellation: bool = _quirk(
        "acknowledges the cancellation of a future-dated instruction and executes it all the same",
        "GBCS 9.2.2",
    )
    no_activation_alert: bool = _quirk(
        "executes future-dated instructions without alert 0x8F66", "GBCS use case FDEI-DLMS"
    )
    accepts_reused_utrn: bool = _quirk("credits a top-up again whose counter it has seen", "GBCS 14.6")
    wrong_register_scaler: bool = _quirk(
        "reports energy registers with the scaler of kWh and the value of Wh", "IEC 62056-6-2 Register"
    )
    two_octet_lengths: bool = _quirk(
        "writes lengths of 128 to 255 in ASN.1 content in two octets", "GBCS Annex 3 (DER); X.690 10.1"
    )
    recovers_no_debt: bool = _quirk(
        "takes nothing of a top-up for the payment-based debt", "SMETS 5.7.4 (Debt Recovery per Payment)"
    )
    refuses_zero_top_up: bool = _quirk("refuses a top-up of nothing", "GBCS 14.6")
    enables_on_credit: bool = _quirk(
        "turns the supply on by itself when there is credit again", "SMETS 5.6.3.7 (arm, then enable)"
    )
    never_disables: bool = _quirk(
        "leaves the supply on when the credit is gone", "SMETS 5.5 (Disablement Threshold)"
    )
    skips_time_debts: bool = _quirk("does not recover time-based debts", "SMETS 5.7.4 (Debt Recovery Rates)")
    stuck_rate: bool = _quirk(
        "stays on the rate that it began with", "SMETS 5.7.4.49 (Tariff Switching Table)"
    )
    daily_log_stops: bool = _quirk("writes nothing at midnight", "SMETS 5.7.5 (Daily Read Log)")
    clears_security_log: bool = _quirk(
        "clears the Security Log together with the Event Log", "SMETS 5.7.5.31; GBCS use case ECS15a"
    )
    outage_not_told: bool = _quirk(
        "does not tell the network operator of an interruption", "GBCS use case ECS80"
    )
    returns_other_certificate: bool = _quirk(
        "shows the certificate of its other key when it is asked for one", "GBCS use case CS02e"
    )
    alert_counter_restarts: bool = _quirk(
        "starts its own originator counter anew after a power cut", "GBCS 4.3.1.3"
    )

    @classmethod
    def of(cls, names: Iterable[str]) -> Quirks:
        """The value for names such as `accepts-replay`. Raises UsageError at the first unknown one."""
        chosen: dict[str, bool] = {}
        for name in names:
            if name not in QUIRKS:
                raise UsageError(f"unknown quirk {name!r}", hint=f"the quirks are: {', '.join(QUIRKS)}")
            chosen[name.replace("-", "_")] = True
        return cls(**chosen)


@dataclass(frozen=True, slots=True)
class QuirkDeclaration:
    """One quirk: what a device with it does, and the clause that it breaks."""

    name: str
    description: str
    clause: str


QUIRKS: Mapping[str, QuirkDeclaration] = MappingProxyType(
    {
        declared.name.replace("_", "-"): QuirkDeclaration(
            declared.name.replace("_", "-"), declared.metadata["description"], declared.metadata["clause"]
        )
        for declared in fields(Quirks)
    }
)
"""Every quirk by the name that profiles use."""


def known_quirks() -> frozenset[str]:
    """The names that a profile may use."""
    return frozenset(QUIRKS)
