"""Download one file over HTTPS: resumed, bounded, retried, and never along an insecure address.

Standard library only. The proxy variables (`HTTPS_PROXY`, `NO_PROXY`) and `SSL_CERT_FILE` are
honoured, because urllib honours them. What arrives is checked for its size alone; the digest is
the caller's to check, save after a resumption: there it tells whether the two parts fit together.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import Message
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, Protocol, cast
from urllib.parse import quote, urljoin

from filmcan.errors import AssetError
from filmcan.models.sources.address import describe_host, find_origin, find_redirect_fault
from filmcan.models.sources.base import build_size_error

if TYPE_CHECKING:
    from filmcan.models.sources.base import FetchOrder

TIMEOUT_SEC = 30.0
MAX_ATTEMPTS = 5
MAX_REDIRECTS = 5
MAX_WAIT_SEC = 60.0

_CHUNK_BYTES = 1 << 18
_MAX_STATE_BYTES = 1 << 16
_REDIRECTS = (301, 302, 303, 307, 308)
_TRANSIENT = (408, 425, 429, 500, 502, 503, 504)
_NETWORK_HINT = (
    "Check the network and the proxy settings (HTTPS_PROXY), or name your own copy in a catalog "
    "of yours with a source of kind local."
)


class _Response(Protocol):
    status: int
    headers: Message

    def read(self, size: int) -> bytes: ...
    def close(self) -> None: ...


class _PassingError(Exception):
    """A fault that may be gone at the next attempt."""

    def __init__(self, message: str, wait_sec: float = 0.0) -> None:
        super().__init__(message)
        self.message = message
        self.wait_sec = wait_sec


@dataclass(frozen=True, slots=True)
class _State:
    """What must still be true for an unfinished download to be gone on with.

    Attributes:
        url: Where it came from.
        validator: The server's name for these bytes: a strong ETag or a date.
    """

    url: str
    validator: str


def download(url: str, target: Path, order: FetchOrder, *, where: str, token: str = "") -> None:
    """Write what an address holds to `target`; an interrupted download is gone on with.

    Args:
        url: Passes `find_url_fault`.
        target: The file to make.
        order: What is expected, and where unfinished bytes may stay.
        where: The source, for messages.
        token: A bearer token; it goes to the address's own host and to no other.

    Raises:
        AssetError: The server is out of reach, refuses, or has not the file of that size.
        OSError: The disk refused; what has arrived stays for the next attempt.
    """
    transfer = _Transfer(url, order, where, token)
    transfer.run()
    order.partial.replace(target)
    transfer.forget()


def wait(seconds: float) -> None:
    """Wait before the next attempt."""
    time.sleep(seconds)


@dataclass(slots=True)
class _Transfer:
    """One download, over as many connections as it takes."""

    url: str
    order: FetchOrder
    where: str
    token: str = field(repr=False)
    resumed: bool = False
    answered: bool = False

    def run(self) -> None:
        """Fetch all bytes into `order.partial`."""
        if self._read_state() is not None and self._is_whole():
            return
        self._fetch()
        if self.resumed and self.order.sha256 is not None and not self._is_whole():
            # What an earlier attempt left was damaged, or is another file's: anew, once.
            self.forget()
            self._fetch()

    def _fetch(self) -> None:
        failures = 0
        while True:
            before = self._count_bytes()
            try:
                self._attempt()
            except _PassingError as fault:
                failures = 1 if self._count_bytes() > before else failures + 1
                if failures >= MAX_ATTEMPTS:
                    self._fail(f"{fault.message}, {MAX_ATTEMPTS} times in a row")
                wait(max(fault.wait_sec, 2.0 ** (failures - 1)))
            else:
                return

    def forget(self) -> None:
        """Remove what has arrived and what is known of it."""
        self._state_path.unlink(missing_ok=True)
        self.order.partial.unlink(missing_ok=True)
        self.resumed = False

    @property
    def _state_path(self) -> Path:
        return self.order.partial.with_name(f"{self.order.partial.name}.json")

    def _count_bytes(self) -> int:
        try:
            return self.order.partial.stat().st_size
        except FileNotFoundError:
            return 0

    def _attempt(self) -> None:
        headers = {"User-Agent": "filmcan", "Accept-Encoding": "identity"}
        state = self._read_state()
        start = self._count_bytes() if state is not None else 0
        if start >= self.order.limit_bytes:
            start = 0
        if state is not None and start:
            headers |= {"Range": f"bytes={start}-", "If-Range": state.validator}
        with contextlib.closing(self._open(headers)) as response:
            self.answered = True
            self._receive(response, start)

    def _open(self, headers: dict[str, str]) -> _Response:
        """Return the answer to a request, redirects followed."""
        url = self.url
        for _ in range(MAX_REDIRECTS + 1):
            response = self._request(url, headers)
            if response.status not in _REDIRECTS:
                return response
            response.close()
            location = response.headers.get("Location", "")
            with contextlib.suppress(ValueError):  # what is malformed is refused below
                location = urljoin(url, location)
            fault = find_redirect_fault(self.url, location)
            if fault is not None:
                self._fail(f"a redirect to {describe_host(location)} was not followed: {fault}")
            url = location
        raise self._build_error(f"more than {MAX_REDIRECTS} redirects")

    def _request(self, url: str, headers: dict[str, str]) -> _Response:
        request = urllib.request.Request(url, headers=headers)  # noqa: S310 - checked by find_url_fault
        if self.token and find_origin(url) == find_origin(self.url):
            request.add_header("Authorization", f"Bearer {self.token}")
        unreachable = self.order.work / f"unreachable-{quote(find_origin(url), safe='')}"
        if unreachable.exists():
            self._fail("the server was out of reach a moment ago")
        opener = _build_opener()
        try:
            return cast("_Response", opener.open(request, timeout=TIMEOUT_SEC))
        except urllib.error.HTTPError as error:
            if error.code in _REDIRECTS:
                return cast("_Response", error)
            with contextlib.closing(error):
                self._refuse(error.code, error.headers)
        except urllib.error.URLError as error:
            reason = error.reason
            message = f"no connection: {getattr(reason, 'strerror', None) or reason}"
            if self.answered and not isinstance(reason, ssl.SSLCertVerificationError):
                raise _PassingError(message) from error
            unreachable.touch()
            self._fail(message)
        except (OSError, http.client.HTTPException) as error:
            raise _PassingError(f"no answer: {_describe_fault(error)}") from error

    def _refuse(self, status: int, headers: Message) -> NoReturn:
        """Raise what a status other than success means."""
        named = f"HTTP {status} {_describe_status(status)}".rstrip()
        if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and self._count_bytes():
            self.forget()
            raise _PassingError(named)
        if status in _TRANSIENT:
            self.answered = True
            seconds = _read_seconds(headers.get("Retry-After"))
            if seconds > MAX_WAIT_SEC:
                self._fail(f"{named}; it asks to wait {seconds:.0f} s")
            raise _PassingError(named, seconds)
        hint = _NETWORK_HINT
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            hint = "It may need a token (HF_TOKEN on Hugging Face), or a proxy is in the way."
        self._fail(named, hint)

    def _receive(self, response: _Response, start: int) -> None:
        """Append a response's body to what is there, or begin anew where it is whole."""
        encoding = response.headers.get("Content-Encoding", "identity")
        if encoding != "identity":
            self._fail(f"the server sends it encoded as {encoding}, which was not asked for")
        if response.status == HTTPStatus.PARTIAL_CONTENT:
            if not _begins_at(response.headers.get("Content-Range", ""), start):
                self.forget()
                raise _PassingError("the server sent another range than was asked for")
            self.resumed = True
        elif response.status == HTTPStatus.OK:
            start = 0
        else:
            self._fail(f"HTTP {response.status} {_describe_status(response.status)}")
        length = response.headers.get("Content-Length")
        total = start + int(length) if length is not None and length.isdecimal() else None
        self._check_size(total)
        if start == 0:
            self._begin(response)
        self._append(response, start, total)

    def _check_size(self, total: int | None) -> None:
        """Refuse a file whose declared size is wrong before any of it travels."""
        limit, exact = self.order.limit_bytes, self.order.size_bytes is not None
        if total is not None and (total > limit or (exact and total != limit)):
            self.forget()
            raise build_size_error(limit, total, self.where)

    def _begin(self, response: _Response) -> None:
        self.forget()
        etag = response.headers.get("ETag", "")
        validator = etag if etag.startswith('"') else response.headers.get("Last-Modified", "")
        self.order.partial.touch()
        if validator and validator.isprintable():
            state = json.dumps({"url": self.url, "validator": validator})
            self._state_path.write_text(state, encoding="utf-8")

    def _append(self, response: _Response, start: int, total: int | None) -> None:
        received, limit = start, self.order.limit_bytes
        with self.order.partial.open("ab") as file:
            for chunk in _read_chunks(response):
                received += len(chunk)
                if received > limit:
                    break
                file.write(chunk)
                self.order.on_bytes(received)
        if received > limit:
            self.forget()
            raise build_size_error(limit, f"more than {limit}", self.where)
        expected = total if total is not None else self.order.size_bytes
        if expected is not None and received < expected:
            raise _PassingError(f"the connection ended after {received} of {expected} bytes")

    def _read_state(self) -> _State | None:
        """Return what an earlier attempt left, None when it cannot be gone on with."""
        try:
            with self._state_path.open("rb") as file:
                read = json.loads(file.read(_MAX_STATE_BYTES))
            state = _State(str(read["url"]), str(read["validator"]))
        except (FileNotFoundError, ValueError, TypeError, KeyError):
            return None
        return state if state.url == self.url and state.validator.isprintable() else None

    def _is_whole(self) -> bool:
        """Tell whether what is there has the expected digest."""
        if self.order.sha256 is None or self._count_bytes() != self.order.size_bytes:
            return False
        with self.order.partial.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == self.order.sha256

    def _fail(self, message: str, hint: str = _NETWORK_HINT) -> NoReturn:
        raise self._build_error(message, hint)

    def _build_error(self, message: str, hint: str = _NETWORK_HINT) -> AssetError:
        return AssetError(message, code="asset_unreachable", where=self.where, hint=hint)


def _build_opener() -> urllib.request.OpenerDirector:
    """Return an opener that knows HTTP and proxies, and follows no redirect."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPErrorProcessor,
        urllib.request.HTTPDefaultErrorHandler,
    ):
        opener.add_handler(handler())
    return opener


def _read_chunks(response: _Response) -> Iterator[bytes]:
    while True:
        try:
            chunk = response.read(_CHUNK_BYTES)
        except (OSError, http.client.HTTPException) as error:
            raise _PassingError(f"the connection broke: {_describe_fault(error)}") from error
        if not chunk:
            return
        yield chunk


def _begins_at(content_range: str, start: int) -> bool:
    return content_range.lower().startswith(f"bytes {start}-")


def _read_seconds(value: str | None) -> float:
    """Return the seconds of a `Retry-After`; its other form, a date, counts as none."""
    return float(value) if value is not None and value.isascii() and value.isdecimal() else 0.0


def _describe_status(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _describe_fault(error: Exception) -> str:
    return str(error) or type(error).__name__
