"""The modules of the page and what they import of each other, as nothing builds them into one."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable
from pathlib import Path

WEB = Path(__file__).parent / "web"
_AT_ONCE = re.compile(r'^((?:import|export\b[^"]*\bfrom)\b[^"(]*)"(\.[^"]+)"', re.MULTILINE)
_LATER = re.compile(r'(\bimport\()"(\.[^"]+)"')


def read(name: str) -> str:
    """The source of a module, by its path such as ``lib/dom.js``."""
    return (WEB / name).read_text()


def closure(names: Iterable[str], read: Callable[[str], str] = read, *, later: bool = False) -> list[str]:
    """These modules and all that they import, in the order in which they are met; with ``later`` also what they import
    only when it is needed.
    """
    found: list[str] = []
    waiting = list(names)
    while waiting:
        name = waiting.pop(0)
        if name in found:
            continue
        found.append(name)
        source = read(name)
        imported = _AT_ONCE.findall(source) + (_LATER.findall(source) if later else [])
        waiting += [_place(name, path) for _, path in imported]
    return found


def renamed(name: str, source: str, prefix: str) -> str:
    """The source with imports by names, such as ``vaekit/lib/dom.js``, instead of paths."""
    for pattern in (_AT_ONCE, _LATER):
        source = pattern.sub(lambda match: f'{match[1]}"{prefix}{_place(name, match[2])}"', source)
    return source


def _place(name: str, path: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(name), path))
