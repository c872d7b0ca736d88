"""ASN.1 content of GBCS messages: one schema text, compiled, and a strict DER codec for its types.

`gbcs.asn` says what the messages consist of, `schema` compiles it, `der` reads and writes the types, `codec`
is the door. Knows no use case, no grouping header and no key; certificates stay opaque octets.
"""

from smetslab.gbcs.asn1.codec import LENGTH_FORM, TWO_OCTET, decode, encode, parameter_names

__all__ = ["LENGTH_FORM", "TWO_OCTET", "decode", "encode", "parameter_names"]
