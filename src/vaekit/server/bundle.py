"""The page in one HTML file: its modules and styles, and the answers that its modules ask for."""

from __future__ import annotations

import base64
import html
import json
import re
from typing import Any

from . import modules
from .modules import WEB

VIEWS = ("manifold", "clusters", "training", "model")  # those that need no server
PREFIX = "vaekit/"  # of the modules' names within the file
STYLE = re.compile(r'<link rel="stylesheet" href="([^"]+)">')
CONTENT = "default-src 'none'; script-src 'unsafe-inline' data:; style-src 'unsafe-inline'; img-src data: blob:"


def bundle(saved: dict[str, Any], note: str) -> str:
    """The shell with everything inside it that it refers to; ``saved.js`` answers from ``saved``, as a server would."""
    page = (WEB / "index.html").read_text()
    icon = _data_url("image/svg+xml", (WEB / "icon.svg").read_text())
    policy = f'<meta http-equiv="Content-Security-Policy" content="{CONTENT}">'
    page = STYLE.sub(lambda found: f"<style>\n{(WEB / found[1]).read_text()}</style>", page)
    for old, new in {
        '<meta charset="utf-8">': f'<meta charset="utf-8">\n  {policy}',
        'href="icon.svg"': f'href="{icon}"',
        '<script type="module" src="app.js"></script>': "",
        '<span class="connection"': '<span hidden class="connection"',
        "</main>": f'  <p class="muted small saved">{html.escape(note)}</p>\n  </main>',
        "</body>": f"{_scripts(saved)}\n</body>",
    }.items():
        if old not in page:
            raise RuntimeError(f"index.html has no {old}")
        page = page.replace(old, new)
    return page


def _scripts(saved: dict[str, Any]) -> str:
    """The modules by name, what is saved, and the start."""
    names = {f"{PREFIX}{name}": _data_url("text/javascript", source) for name, source in _modules().items()}
    content = json.dumps(saved, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    return (
        f'<script type="importmap">{json.dumps({"imports": names})}</script>\n'
        f'<script type="application/json" id="saved">{content}</script>\n'
        f'<script type="module">import "{PREFIX}saved.js"; import "{PREFIX}app.js";</script>'
    )


def _modules() -> dict[str, str]:
    """The sources of all modules that are needed, by path; those that they import are called by name, as paths mean
    nothing within a file.
    """
    names = modules.closure(["saved.js", "app.js"], _source, later=True)
    return {name: modules.renamed(name, _source(name), PREFIX) for name in names}


def _source(name: str) -> str:
    """A module; of the views those that need no server."""
    source = modules.read(name)
    if name != "views/index.js":
        return source
    lines = source.splitlines(keepends=True)
    return "".join(line for line in lines if "import(" not in line or any(f'"{view}"' in line for view in VIEWS))


def _data_url(kind: str, text: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(text.encode()).decode()}"
