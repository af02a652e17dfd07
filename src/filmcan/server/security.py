"""Who may ask, and what a browser may do with the answer.

A server on the loopback is reached by every page in the user's browser. So it answers only under
its own names (no DNS rebinding), lets no other origin read, and sends a policy under which a page
runs no script but ours. With a token, it asks for it: as `Authorization: Bearer`, or once as
`?token=`, which a browser turns into a cookie.
"""

from __future__ import annotations

import hmac
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, urlencode

from starlette.datastructures import Headers, MutableHeaders

from filmcan.server.answers import dump_json
from filmcan.server.failures import build_error

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from filmcan.server.state import Settings

COOKIE = "filmcan_token"
OPEN_PATHS = ("/api/v1/health",)
"""Asked by whoever watches whether the server lives."""

# Attributes may style, since plotly's do; scripts and style sheets come from us alone.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; "
    "img-src 'self' data: blob:; "
    "media-src 'self'; connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


class Guard:
    """Checks each request before anything else sees it, and each answer on its way out."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        """Wrap the application."""
        self._app = app
        self._settings = settings
        self._headers = dict(HEADERS)
        if settings.cors_origins:
            # Who may read across origins may also be told so by the browser's other check.
            self._headers["Cross-Origin-Resource-Policy"] = "cross-origin"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        headers = Headers(scope=scope)
        if not self._is_own_name(headers.get("host", "")):
            told = build_error("wrong_host", "the server does not answer under this name",
                               hint="Name it with --allow-host.")  # fmt: skip
            await _refuse(send_guarded, 400, told)
            return
        token = self._settings.token
        if token is None or scope["path"] in OPEN_PATHS or scope["method"] == "OPTIONS":
            await self._app(scope, receive, send_guarded)
            return
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        shown = [value for name, value in query if name == "token"]
        if shown and _is_equal(shown[-1], token):
            await _let_in(send_guarded, scope, query, token)
            return
        bearer = headers.get("authorization", "").partition(" ")
        given = bearer[2] if bearer[0].lower() == "bearer" else _read_cookie(headers)
        if _is_equal(given, token):
            await self._app(scope, receive, send_guarded)
            return
        told = build_error("unauthorized", "this server asks for a token",
                           hint="Send Authorization: Bearer TOKEN, or open the address with ?token=TOKEN.")  # fmt: skip # noqa: E501
        await _refuse(send_guarded, 401, told, (b"www-authenticate", b"Bearer"))

    def _is_own_name(self, host: str) -> bool:
        if not self._settings.hosts:
            return True
        name = host if host.endswith("]") else host.rpartition(":")[0] or host
        return name.lower() in self._settings.hosts


def _is_equal(given: str, token: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), token.encode())


def _read_cookie(headers: Headers) -> str:
    try:
        cookies = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        return ""
    return cookies[COOKIE].value if COOKIE in cookies else ""


async def _let_in(send: Send, scope: Scope, query: list[tuple[str, str]], token: str) -> None:
    """Turn the token of the address into a cookie, so that it stays in no history."""
    rest = urlencode([(name, value) for name, value in query if name != "token"])
    target = quote(scope["path"].lstrip("/\\"))
    cookie = SimpleCookie({COOKIE: token})[COOKIE]
    cookie["path"] = "/"
    cookie["httponly"] = True
    cookie["samesite"] = "Strict"
    headers = [
        (b"location", f"/{target}{'?' if rest else ''}{rest}".encode("latin-1", "replace")),
        (b"set-cookie", cookie.OutputString().encode("latin-1", "replace")),
        (b"content-length", b"0"),
    ]
    await send({"type": "http.response.start", "status": 303, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


async def _refuse(send: Send, status: int, told: object, *extra: tuple[bytes, bytes]) -> None:
    body = dump_json(told)
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        *extra,
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
