"""The Reference Test Data Set: finds its messages and keys in a folder and checks every message.

Works on any folder laid out like it. Knows no device and no service; the messages are taken as they stand.
"""

from smetslab.rtds.check import CheckReport, MessageRow, Summary, check_folder, check_message, report_schema
from smetslab.rtds.keys import MessageKeys

__all__ = [
    "CheckReport",
    "MessageKeys",
    "MessageRow",
    "Summary",
    "check_folder",
    "check_message",
    "report_schema",
]
