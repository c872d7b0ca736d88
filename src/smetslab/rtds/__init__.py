"""The Reference Test Data Set: finds its messages and keys in a folder, checks every message, transforms its
request documents, and replays its scenarios on devices.

Works on any folder laid out like it. The checks know no device and no service; the messages are taken as they
stand.
"""

from smetslab.rtds.check import CheckReport, MessageRow, Summary, check_folder, check_message, report_schema
from smetslab.rtds.keys import MessageKeys
from smetslab.rtds.replay import ReplayReport, ScenarioRow, replay_folder, replay_schema
from smetslab.rtds.transform import TransformReport, TransformRow, transform_folder, transform_schema

__all__ = [
    "CheckReport",
    "MessageKeys",
    "MessageRow",
    "ReplayReport",
    "ScenarioRow",
    "Summary",
    "TransformReport",
    "TransformRow",
    "check_folder",
    "check_message",
    "replay_folder",
    "replay_schema",
    "report_schema",
    "transform_folder",
    "transform_schema",
]
