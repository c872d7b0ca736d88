"""The declared clusters, a module each. Importing a module registers its cluster."""

from importlib import import_module
from pkgutil import iter_modules


def declare_all() -> None:
    """Import every module of this package, for who must know all clusters: a reader of captures."""
    for module in iter_modules(__path__):
        import_module(f"{__name__}.{module.name}")
