"""The page's own files; its document says ahead what the first picture needs, so that all is asked for at once."""

from __future__ import annotations

import hashlib
import html
from functools import cache
from urllib.parse import urlencode

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import HTMLResponse

from .depends import GivenHost
from .modules import WEB, closure

router = APIRouter(include_in_schema=False)
KINDS = {".css": "text/css", ".html": "text/html", ".js": "text/javascript", ".svg": "image/svg+xml"}
FIRST = ("app.js", "views/manifold.js")


@router.api_route("/", methods=["GET", "HEAD"])
async def shell(host: GivenHost) -> HTMLResponse:
    """``index.html`` with a line for each module, and for each answer about the first run, that the plane needs."""
    run = html.escape(urlencode({"run": host.names[0]}))
    answers = ("page/runs", f"page/run?{run}", f"page/axes?{run}")
    lines = [f'  <link rel="modulepreload" href="{name}">' for name in _modules()]
    lines += [f'  <link rel="preload" href="{answer}" as="fetch" crossorigin>' for answer in answers]
    return HTMLResponse((WEB / "index.html").read_text().replace("</head>", "\n".join([*lines, "</head>"])))


@router.api_route("/{name:path}", methods=["GET", "HEAD"])
async def file(name: str, request: Request) -> Response:
    """A file, read at once, as it is small: to hand it to a thread, as Starlette does, takes longer."""
    if name not in _names():
        raise HTTPException(404)
    content = (WEB / name).read_bytes()
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers={"ETag": tag})
    return Response(content, media_type=KINDS[(WEB / name).suffix], headers={"ETag": tag})


@cache
def _modules() -> list[str]:
    return closure(FIRST)


@cache
def _names() -> frozenset[str]:
    return frozenset(path.relative_to(WEB).as_posix() for path in WEB.rglob("*") if path.suffix in KINDS)
