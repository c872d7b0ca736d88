"""Device Management, cluster 0x0708: tenancy, supplier, site, customer, passwords, what becomes of events.

Spec: ZSE 1.4 D.10; GBCS use cases GCS09, GCS11, GCS20, GCS20r, GCS36, GCS41, GCS44
"""

from __future__ import annotations

from smetslab.zigbee.zcl.cluster import CLIENT_TO_SERVER, SERVER_TO_CLIENT, Cluster, command
from smetslab.zigbee.zcl.clusters import meanings
from smetslab.zigbee.zcl.fields import counted, fields, to_end, variant
from smetslab.zigbee.zcl.named import Bits, Enumeration, EventCode, Part, StartTime, Time
from smetslab.zigbee.zcl.types import Bitmap8, Bitmap32, Enum8, UInt8, UInt16, UInt32

EventConfiguration = Bits(
    Bitmap8,
    logging=Part(
        3,
        {
            0: "do_not_log",
            1: "log_as_tamper",
            2: "log_as_fault",
            3: "log_as_general_event",
            4: "log_as_security_event",
            5: "log_as_network_event",
        },
    ),
    push_event_to_wan=Part(1),
    push_event_to_han=Part(1),
    raise_alarm_zigbee=Part(1),
    raise_alarm_physical=Part(1),
)
"""Spec: ZSE 1.4 D.10.2.3.5."""

ChangeControl = Bits(
    Bitmap32,
    pre_snapshots=Part(1),
    post_snapshots=Part(1),
    reset_credit_register=Part(1),
    reset_debit_register=Part(1),
    reset_billing_period=Part(1),
    clear_tariff_plan=Part(1),
    clear_standing_charge=Part(1),
    block_historical_load_profile_information=Part(1),
    clear_historical_load_profile_information=Part(1),
    clear_ihd_data_consumer=Part(1),
    clear_ihd_data_supplier=Part(1),
    meter_contactor_state=Part(2, meanings.SupplyState.names),
    clear_transaction_log=Part(1),
    clear_prepayment_data=Part(1),
)
"""What a change of tenancy or supplier does. Spec: ZSE 1.4 D.10.2.4.1, D.10.2.4.2."""

PasswordType = Enumeration(Enum8, {1: "password_1", 2: "password_2", 3: "password_3", 4: "password_4"})
"""Spec: ZSE 1.4 D.10.2.4.3; 2 is the privacy PIN (GBCS use case GCS11)."""

ConfigurationControl = Enumeration(
    Enum8,
    {
        0: "apply_by_list",
        1: "apply_by_event_group",
        2: "apply_by_log_type",
        3: "apply_by_configuration_match",
    },
)
"""Spec: ZSE 1.4 D.10.2.4.5."""


class DeviceManagement(Cluster, id=0x0708, spec="ZSE 1.4 D.10"):
    """Spec: ZSE 1.4 D.10."""

    get_change_of_tenancy = command(0x00, CLIENT_TO_SERVER, fields())
    get_change_of_supplier = command(0x01, CLIENT_TO_SERVER, fields())
    get_cin = command(0x05, CLIENT_TO_SERVER, fields())
    report_event_configuration = command(
        0x04,
        CLIENT_TO_SERVER,
        fields(
            command_index=UInt8,
            total_commands=UInt8,
            event_configuration_payload=to_end(
                fields(event_id=EventCode, event_configuration=EventConfiguration)
            ),
        ),
    )

    publish_change_of_tenancy = command(
        0x00,
        SERVER_TO_CLIENT,
        fields(
            provider_id=UInt32,
            issuer_event_id=Time,
            tariff_type=meanings.TariffType,
            implementation_date_time=StartTime,
            proposed_tenancy_change_control=ChangeControl,
        ),
    )
    publish_change_of_supplier = command(
        0x01,
        SERVER_TO_CLIENT,
        fields(
            current_provider_id=UInt32,
            issuer_event_id=Time,
            tariff_type=meanings.TariffType,
            proposed_provider_id=UInt32,
            provider_change_implementation_time=StartTime,
            provider_change_control=ChangeControl,
            proposed_provider_name=meanings.Text,
            proposed_provider_contact_details=meanings.Text,
        ),
    )
    request_new_password_response = command(
        0x02,
        SERVER_TO_CLIENT,
        fields(
            issuer_event_id=Time,
            implementation_date_time=StartTime,
            duration_in_minutes=UInt16,
            password_type=PasswordType,
            password=meanings.Text,
        ),
    )
    update_site_id = command(
        0x03,
        SERVER_TO_CLIENT,
        fields(issuer_event_id=Time, site_id_time=StartTime, provider_id=UInt32, site_id=meanings.Text),
    )
    set_event_configuration = command(
        0x04,
        SERVER_TO_CLIENT,
        fields(
            issuer_event_id=Time,
            start_date_time=StartTime,
            event_configuration=EventConfiguration,
            configuration_control=ConfigurationControl,
            event_configuration_payload=variant(
                "configuration_control",
                {
                    0: fields(event_ids=counted(UInt8, EventCode)),
                    1: fields(event_group_id=EventCode),
                    2: fields(log_id=meanings.LogId),
                    3: fields(configuration_value_match=EventConfiguration),
                },
            ),
        ),
    )
    get_event_configuration = command(0x05, SERVER_TO_CLIENT, fields(event_id=EventCode))
    update_cin = command(
        0x06,
        SERVER_TO_CLIENT,
        fields(
            issuer_event_id=Time,
            cin_implementation_time=StartTime,
            provider_id=UInt32,
            customer_id_number=meanings.Text,
        ),
    )
