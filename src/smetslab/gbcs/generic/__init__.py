"""Content as JSON without a declaration: for use cases and content that no declaration fits.

Every form gives its octets back. Knows encodings (DLMS, GBZ, DER), and no use case.
"""

from smetslab.gbcs.generic.content import HEX, content_from_generic, content_to_generic

__all__ = ["HEX", "content_from_generic", "content_to_generic"]
