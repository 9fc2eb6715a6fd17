"""IMP: trusted digital identities for products, and the answer to every scan of them.

    import imp

    with imp.Engine.open("var/batch") as engine: ...

Names are loaded when first used, so `import imp` is quick and pulls in neither web framework nor database.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from imp import codes, errors
    from imp._core import __version__
    from imp.engine import Engine

__all__ = ["Engine", "__version__", "codes", "errors"]


def __getattr__(name: str) -> Any:
    if name in ("codes", "errors"):
        return import_module(f"imp.{name}")
    if name == "Engine":
        return import_module("imp.engine").Engine
    if name == "__version__":
        return import_module("imp._core").__version__
    raise AttributeError(f"module 'imp' has no attribute {name!r}")
