"""GBCS use cases: each one declared as data, all interpreted by one engine.

`registry` holds the rows, `engine` turns content into named parameters and back and checks it against its
row; the other modules only declare. Grepping a use case's name finds its one declaration.
"""

from smetslab.gbcs.usecases.engine import (
    activation_of,
    decode_content,
    encode_content,
)
from smetslab.gbcs.usecases.model import UseCase
from smetslab.gbcs.usecases.registry import USE_CASES, by_code, find

__all__ = ["USE_CASES", "UseCase", "activation_of", "by_code", "decode_content", "encode_content", "find"]
