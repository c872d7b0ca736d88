"""smetslab: the open test laboratory for Britain's smart meters."""

__version__ = "0.1.0"
