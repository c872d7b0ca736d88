"""The Reference Test Data Set: finds its messages and keys in a folder, checks every message, transforms its
request documents, and replays its scenarios on devices.

Works on any folder laid out like it; the messages are taken as they stand. The checks know no device and no
service, and are all that this package names: `rtds.transform` stands on the DCC,
`rtds.replay` on the devices.
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
