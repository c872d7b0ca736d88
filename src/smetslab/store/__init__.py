"""What survives: the non-volatile memory of devices and the durable state of the other actors, in an SQL
database.

A SQLite file or memory by default, PostgreSQL by URL. An owner (a device, the DCC) sees keys and octets in
transactions that are kept whole or not at all, whatever moment the power goes. The store knows nothing of
what the octets mean, and nothing above it knows SQL.
"""

from smetslab.store.engine import PowerCut, Store
from smetslab.store.nvm import Json, Nvm, Transaction

__all__ = ["Json", "Nvm", "PowerCut", "Store", "Transaction"]
