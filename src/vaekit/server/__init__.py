"""The page and the service: HTTP and WebSocket → one task → answer. Needs the extra ``serve``."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .app import create_app
    from .hosting import Host, Hosted
    from .settings import Settings
    from .worker import Worker

__all__ = ["Host", "Hosted", "Settings", "Worker", "create_app"]

_MODULE_OF = {
    "Host": "hosting",
    "Hosted": "hosting",
    "Settings": "settings",
    "Worker": "worker",
    "create_app": "app",
}


def __getattr__(name: str) -> object:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'vaekit.server' has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
