"""Who may use the server, and how much of it: pure ASGI, so that WebSockets are guarded too."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .errors import answer
from .settings import LOCAL, Settings

OPEN = ("/healthz",)  # what is answered without a token
SAFE = ("GET", "HEAD", "OPTIONS")
CONTENT = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' blob: data:",
        "connect-src 'self'",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": CONTENT,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


class SecurityHeaders:
    """Tells browsers to trust nothing but this server: no other hosts, no frames, no guessing of types."""

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with these headers."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-cache" if "etag" in headers else "no-store")
            await send(message)

        await self.app(scope, receive, with_headers)


class Guard:
    """Refuses requests that are not meant for this server, that another site's page makes, or that lack the token.

    - Host: a page whose name was made to point here (DNS rebinding) asks under its own name. With a token this is not
      looked at, as such a page does not know it.
    - Origin and Sec-Fetch-Site: browsers say by them which site's page asks.
    - Token: ``Authorization: Bearer TOKEN``, or the cookie that ``/?token=TOKEN`` sets.
    """

    def __init__(self, app: ASGIApp, settings: Settings):
        self.app, self.settings = app, settings
        self.names = {*LOCAL, settings.host, *settings.hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._stranger(scope, headers)
        if refusal is None and not self._has_token(scope, headers):
            if self._shows_token(scope):
                await _keep_token(scope, headers, self.settings)(scope, receive, send)
                return
            refusal = (
                401,
                ("this server needs its token: open the address it printed, or send 'Authorization: Bearer TOKEN'"),
            )
        if refusal is None:
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": refusal[1][:120]})
        else:
            more = {"WWW-Authenticate": "Bearer"} if refusal[0] == 401 else None
            await answer(*refusal, more)(scope, receive, send)

    def _stranger(self, scope: Scope, headers: Headers) -> tuple[int, str] | None:
        """Why a request is not for this server, if so."""
        host = headers.get("host", "")
        if self.settings.token is None and not self._is_own(host):
            return 421, f"this server is not {host[:80]!r}; allow that name with --allow-host"
        origin, site = headers.get("origin"), headers.get("sec-fetch-site", "none")
        if origin in self.settings.origins:
            return None
        unsafe = scope["type"] == "websocket" or scope["method"] not in SAFE
        if origin is not None and unsafe and origin.partition("://")[2].lower() != host.lower():
            return 403, f"pages of {origin[:80]} may not use this server; allow them with --allow-origin"
        visited = headers.get("sec-fetch-mode") == "navigate" and not unsafe
        if site not in ("none", "same-origin") and not visited:
            return 403, "pages of other sites may not use this server; allow them with --allow-origin"
        return None

    def _is_own(self, host: str) -> bool:
        """Whether a Host header names this server; an address cannot have been made to point here."""
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        return name in self.names or _is_address(name)

    def _has_token(self, scope: Scope, headers: Headers) -> bool:
        token = self.settings.token
        if token is None or scope["path"] in OPEN:
            return True
        kind, _, shown = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and _same(shown.strip(), token):
            return True
        cookie = HTTPConnection(scope).cookies.get(_cookie_name(headers), "")
        return _same(cookie, _digest(token))

    def _shows_token(self, scope: Scope) -> bool:
        shown = dict(parse_qsl(scope["query_string"].decode("latin-1"))).get("token", "")
        return scope["type"] == "http" and scope["method"] == "GET" and _same(shown, self.settings.token or "")


def _keep_token(scope: Scope, headers: Headers, settings: Settings) -> RedirectResponse:
    """Set the cookie, and go on to the same address without the token."""
    rest = [(name, value) for name, value in parse_qsl(scope["query_string"].decode("latin-1")) if name != "token"]
    path = "/" + scope["path"].lstrip("/")  # not //, which would be another host
    response = RedirectResponse(f"{path}?{urlencode(rest)}" if rest else path, 303)
    secure = scope.get("scheme") == "https"
    value = _digest(settings.token or "")
    response.set_cookie(_cookie_name(headers), value, httponly=True, samesite="strict", secure=secure)
    return response


def _cookie_name(headers: Headers) -> str:
    """One for each port, as browsers send cookies to all ports of a host."""
    port = "".join(filter(str.isdigit, headers.get("host", "").rpartition(":")[2]))
    return f"vaekit-{port or 80}"


def _digest(token: str) -> str:
    """What the cookie holds, from which the token cannot be had."""
    return hashlib.sha256(b"vaekit cookie " + token.encode()).hexdigest()


def _same(one: str, other: str) -> bool:
    """Compared in a time that says nothing of where they differ."""
    return hmac.compare_digest(one.encode(), other.encode())


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
