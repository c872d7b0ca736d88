"""What is this message, is it right, and if not, where? Answers in plain words, for damaged messages too.

`explain` reads octets of any kind, says what they are and who sent them to whom, makes every check that can
be made with the keys at hand, and names the first wrong octet with its field. `compare` says field by field
how two messages differ. Sans-I/O: keys and certificates come through `smetslab.gbcs.keys.KeyLookup`.
"""

from smetslab.gbcs.triage.compare import Difference, compare
from smetslab.gbcs.triage.explain import Explanation, explain
from smetslab.gbcs.triage.findings import Check, Finding, Outcome

__all__ = [
    "Check",
    "Difference",
    "Explanation",
    "Finding",
    "Outcome",
    "compare",
    "explain",
]
