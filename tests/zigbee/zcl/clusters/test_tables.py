"""The clusters that GBCS uses: every command and attribute of its use cases, by the published names.

The lists below were made from the tables of the specification, not from the code.
"""

from __future__ import annotations

import pytest

from smetslab.zigbee.zcl import CLIENT_TO_SERVER, SERVER_TO_CLIENT, Cluster, Direction
from smetslab.zigbee.zcl.cluster import Ladder
from smetslab.zigbee.zcl.clusters.basic import Basic
from smetslab.zigbee.zcl.clusters.calendar import Calendar
from smetslab.zigbee.zcl.clusters.device_management import DeviceManagement
from smetslab.zigbee.zcl.clusters.events import Events
from smetslab.zigbee.zcl.clusters.messaging import Messaging
from smetslab.zigbee.zcl.clusters.metering import Metering
from smetslab.zigbee.zcl.clusters.prepayment import Prepayment
from smetslab.zigbee.zcl.clusters.price import Price
from smetslab.zigbee.zcl.fields import Fields, _List, _Optional, _Variant
from smetslab.zigbee.zcl.named import Bits
from smetslab.zigbee.zcl.types import DataType

CLUSTERS: dict[int, type[Cluster]] = {
    0x0000: Basic,
    0x0700: Price,
    0x0702: Metering,
    0x0703: Messaging,
    0x0705: Prepayment,
    0x0707: Calendar,
    0x0708: DeviceManagement,
    0x0709: Events,
}

# Command id and name.
FROM_CLIENT = {
    "price": """
        00:get_current_price 03:get_block_periods 04:get_conversion_factor 05:get_calorific_value
        06:get_tariff_information 07:get_price_matrix 08:get_block_thresholds 0B:get_billing_period
    """,
    "metering": """
        01:request_mirror_response 02:mirror_removed 09:mirror_report_attribute_response
        06:get_snapshot 07:start_sampling 08:get_sampled_data 0B:change_supply
        0C:local_change_supply 0D:set_supply_status
        0E:set_uncontrolled_flow_threshold
    """,
    "prepayment": """
        00:select_available_emergency_credit 02:change_debt 03:emergency_credit_setup 04:consumer_top_up
        05:credit_adjustment 06:change_payment_mode 07:get_prepay_snapshot 08:get_top_up_log
        09:set_low_credit_warning_level 0A:get_debt_repayment_log 0B:set_maximum_credit_limit
        0C:set_overall_debt_cap
    """,
    "calendar": """
        00:get_calendar 01:get_day_profiles 02:get_week_profiles 03:get_seasons 04:get_special_days
    """,
    "device_management": """
        00:get_change_of_tenancy 01:get_change_of_supplier 05:get_cin
        04:report_event_configuration
    """,
    "events": """
        00:get_event_log 01:clear_event_log_request
    """,
    "messaging": """
        00:get_last_message 01:message_confirmation
    """,
}
FROM_SERVER = {
    "price": """
        00:publish_price 01:publish_block_period 02:publish_conversion_factor 03:publish_calorific_value
        04:publish_tariff_information 05:publish_price_matrix 06:publish_block_thresholds
        09:publish_billing_period
    """,
    "metering": """
        01:request_mirror 02:remove_mirror 08:configure_mirror
        06:publish_snapshot 07:get_sampled_data_response 0C:supply_status_response
        0D:start_sampling_response
    """,
    "messaging": """
        00:display_message 01:cancel_message 03:cancel_all_messages
    """,
    "prepayment": """
        01:publish_prepay_snapshot 02:change_payment_mode_response 03:consumer_top_up_response
        05:publish_top_up_log 06:publish_debt_log
    """,
    "calendar": """
        00:publish_calendar 01:publish_day_profile 02:publish_week_profile 03:publish_seasons
        04:publish_special_days
    """,
    "device_management": """
        00:publish_change_of_tenancy 01:publish_change_of_supplier 02:request_new_password_response
        03:update_site_id 04:set_event_configuration 05:get_event_configuration 06:update_cin
    """,
    "events": """
        00:publish_event 01:publish_event_log 02:clear_event_log_response
    """,
}

# Attribute id, type and name.
ATTRIBUTES = {
    "basic": """
        0003:20:hw_version 0004:42:manufacturer_name 0005:42:model_identifier
    """,
    "price": """
        0100:25:block_1_threshold 0101:25:block_2_threshold 0102:25:block_3_threshold
        0202:22:threshold_multiplier 0203:22:threshold_divisor 0301:23:standing_charge
        0302:23:conversion_factor 0303:18:conversion_factor_trailing_digit 0304:23:calorific_value
        0305:30:calorific_value_unit 0306:18:calorific_value_trailing_digit
        0400:23:no_tier_block_1_price 0401:23:no_tier_block_2_price 0402:23:no_tier_block_3_price
        0403:23:no_tier_block_4_price 0410:23:tier_1_block_1_price 0420:23:tier_2_block_1_price
        0430:23:tier_3_block_1_price 0440:23:tier_4_block_1_price 0615:30:unit_of_measure
        0616:21:currency 0617:18:price_trailing_digits
    """,
    "metering": """
        0000:25:current_summation_delivered 0014:30:supply_status
        0100:25:current_tier_1_summation_delivered 0102:25:current_tier_2_summation_delivered
        0104:25:current_tier_3_summation_delivered 0106:25:current_tier_4_summation_delivered
        0205:21:remaining_battery_life_in_days 0206:41:current_meter_id
        0207:30:ambient_consumption_indicator 0400:2A:instantaneous_demand 0300:30:unit_of_measure
        0301:22:multiplier 0302:22:divisor 0307:41:site_id 0607:30:supply_tamper_state
        0608:30:supply_depletion_state 0700:25:current_no_tier_block_1_summation_delivered
        0701:25:current_no_tier_block_2_summation_delivered
        0702:25:current_no_tier_block_3_summation_delivered
        0703:25:current_no_tier_block_4_summation_delivered 0A00:23:bill_to_date_delivered
        0B10:21:uncontrolled_flow_threshold 0B11:30:uncontrolled_flow_threshold_unit_of_measure
        0B12:21:uncontrolled_flow_multiplier 0B13:21:uncontrolled_flow_divisor
        0000:1B:functional_notification_flags 0001:1B:notification_flags_2 0002:1B:notification_flags_3
        0003:1B:notification_flags_4 0004:1B:notification_flags_5
        0B14:20:flow_stabilisation_period 0B15:21:flow_measurement_period
    """,
    "prepayment": """
        0000:19:payment_control_configuration 0001:2B:credit_remaining
        0002:2B:emergency_credit_remaining 0005:2B:accumulated_debt 0006:2B:overall_debt_cap
        0010:23:emergency_credit_limit 0011:23:emergency_credit_threshold 0021:23:max_credit_limit
        0022:23:max_credit_per_top_up 0031:23:low_credit_warning_level 0040:2B:cut_off_value
        0211:23:debt_amount_1 0216:30:debt_recovery_frequency_1 0217:23:debt_recovery_amount_1
        0221:23:debt_amount_2 0226:30:debt_recovery_frequency_2 0227:23:debt_recovery_amount_2
        0231:23:debt_amount_3 0239:21:debt_recovery_top_up_percentage_3
    """,
}

LADDERS = {"metering": 44 + 4 * 8 + 2 * (9 + 6 + 14)}
"""Attributes that stand in rows: rates, blocks of rates, days, weeks and months, in two units. Their numbers
and names are Wireshark's, see tests/interop/test_tshark_tables.py."""


@pytest.mark.parametrize(("number", "cluster"), CLUSTERS.items(), ids=str)
def test_every_published_command_and_attribute_is_declared(number: int, cluster: type[Cluster]) -> None:
    assert cluster.id == number
    for direction, table in ((CLIENT_TO_SERVER, FROM_CLIENT), (SERVER_TO_CLIENT, FROM_SERVER)):
        declared = {f"{row.id:02X}:{row.name}" for row in commands(cluster, direction)}
        assert declared == set(table.get(cluster.name, "").split())
    ladders = {one for row in vars(cluster).values() if isinstance(row, Ladder) for one in row}
    assert len(ladders) == LADDERS.get(cluster.name, 0)
    attributes = {
        f"{row.id:04X}:{row.type.code:02X}:{row.name}"
        for row in cluster.attributes.values()
        if row not in ladders
    }
    assert attributes == set(ATTRIBUTES.get(cluster.name, "").split())


def commands(cluster: type[Cluster], direction: Direction) -> list:
    return [row for (towards, _), row in cluster.commands.items() if towards is direction]


def test_each_list_is_of_a_cluster() -> None:
    names = {cluster.name for cluster in CLUSTERS.values()}
    assert set(FROM_CLIENT) | set(FROM_SERVER) | set(ATTRIBUTES) == names


# What the JSON form of a component and of an attribute has besides fields and values.
TAKEN = {"cluster", "command", "header", "from_date_time", "sealed", "payload", "trailing"}


@pytest.mark.parametrize("cluster", CLUSTERS.values(), ids=lambda cluster: cluster.name)
def test_no_name_stands_for_two_things(cluster: type[Cluster]) -> None:
    for command in cluster.commands.values():
        assert TAKEN.isdisjoint(command.fields.names)
    for attribute in cluster.attributes.values():
        if isinstance(attribute.type, Bits):
            assert {"status", "type", "value"}.isdisjoint(attribute.type.parts)
    rows = [*cluster.commands.values(), *cluster.attributes.values()]
    assert len(cluster.commands_by_name) + len(cluster.attributes_by_name) == len(rows)


def names_in(kind: DataType) -> list[str]:
    """The names of all fields of a payload, inner ones too."""
    if isinstance(kind, Fields):
        inner = [name for part in kind.kinds for name in names_in(part)]
        return [*kind.names, *inner]
    if isinstance(kind, _List):
        return names_in(kind.element)
    if isinstance(kind, _Optional):
        return names_in(kind.kind)
    if isinstance(kind, _Variant):
        return [name for part in kind.kinds.values() for name in names_in(part)]
    return [*kind.parts] if isinstance(kind, Bits) else []


@pytest.mark.parametrize("cluster", CLUSTERS.values(), ids=lambda cluster: cluster.name)
def test_no_name_is_generic(cluster: type[Cluster]) -> None:
    names = [name for command in cluster.commands.values() for name in names_in(command.fields)]
    for name in [*names, *cluster.commands_by_name, *cluster.attributes_by_name]:
        assert name.isidentifier()
        assert name == name.lower()
        assert not name.startswith(("field", "item", "value", "data", "unknown", "byte"))


def test_a_price_matrix_in_words() -> None:
    payload = bytes.fromhex("00000000804A371CFEFFFFFF010000000001010180250000")
    matrix = Price.publish_price_matrix
    assert matrix.to_json(matrix.decode(payload)) == {
        "provider_id": 0,
        "issuer_event_id": "2015-01-01T00:00:00Z",
        "start_time": "never",
        "issuer_tariff_id": 1,
        "command_index": 0,
        "number_of_commands": 1,
        "sub_payload_control": "tou",
        "price_entries": [{"tier_block_id": 1, "price": 9600}],
    }


def test_a_day_profile_has_what_its_calendar_is_for() -> None:
    head = "00000000804A371C804A371C01" + "01000103"
    day = Calendar.publish_day_profile
    form = day.to_json(day.decode(bytes.fromhex(head + "E00101")))
    assert form["calendar_type"] == "friendly_credit"
    assert form["schedule_entries"] == [{"start_time": 480, "friendly_credit_enable": "enabled"}]
    form = day.to_json(day.decode(bytes.fromhex(head[:-2] + "00" + "E00101")))
    assert form["schedule_entries"] == [{"start_time": 480, "price_tier": 1}]
    form = day.to_json(day.decode(bytes.fromhex(head[:-2] + "77" + "E00101")))
    assert form["schedule_entries"] == "E00101"


def test_a_published_price_may_be_longer_than_gbcs_needs() -> None:
    """Up to 19 octets more are allowed, which the later fields of the published layout fill exactly."""
    short = bytes.fromhex("0000000000804A371C804A371C013A03514100000000A00580250000")
    price = Price.publish_price
    assert "price_ratio" not in price.to_json(price.decode(short))
    record = price.decode(short + bytes(19))
    assert not record.trailing
    assert price.to_json(record)["extended_register_tier"] == 0


def test_a_snapshot_has_the_registers_of_its_type() -> None:
    head = "000000001026351C1F00010100000006"
    registers = "200000000000" + "04" + "E30000000000" * 4 + "14" + "2F0000000000" * 4
    snapshot = Metering.publish_snapshot
    form = snapshot.to_json(snapshot.decode(bytes.fromhex(head + registers)))
    assert form["snapshot_cause"] == ["general"]
    assert form["snapshot_payload"] == {
        "current_summation_delivered": 32,
        "current_tier_summations_delivered": [227] * 4,
        "number_of_tiers_and_block_thresholds_in_use": {
            "number_of_block_thresholds_in_use": 4,
            "number_of_tiers_in_use": 1,
        },
        "current_block_summations_delivered": [47] * 4,
    }
