"""A source behind a URL: what it is called, where it lies, and what may be shown of that.

Light: knows no library that fetches anything. `source_copy` brings the bytes here.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from filmcan.errors import BadMediaError

_BUCKETS = ("s3", "gs", "az")
"""Schemes whose URLs name a bucket and a key in it; the key is written as it is, not encoded."""

_WEB = ("https", "http")
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_NAME_BYTES = 200
"""A longer name keeps its end: a file system takes 255 bytes."""


@dataclass(frozen=True, slots=True)
class ObjectState:
    """What tells an object's bytes from others under its name, as its server states it.

    Attributes:
        size_bytes: Its size.
        tag: Its ETag; empty where the server gives none.
        modified: When it was written by the server's clock, in whole seconds.
    """

    size_bytes: int
    tag: str
    modified: int


@dataclass(frozen=True, slots=True)
class RemoteSource:
    """An object that is a video's source.

    Attributes:
        place: URL of its bucket; for a web address all of it, which may hold a secret.
        key: Its path in the bucket; empty for a web address.
        state: What the server said of it where that is known already, as after a listing.
    """

    place: str = field(repr=False)
    key: str = ""
    state: ObjectState | None = field(default=None, compare=False)

    @property
    def url(self) -> str:
        """The URL as it may be shown and recorded: no user, no query, no fragment."""
        if self.key:
            return f"{self.place}/{self.key}"
        parts = urlsplit(self.place)
        host = parts.hostname or ""
        host = f"[{host}]" if ":" in host else host
        return f"{parts.scheme}://{host}{f':{parts.port}' if parts.port else ''}{parts.path}"

    @property
    def name(self) -> str:
        """Its last segment, as a file of it is called."""
        if self.key:
            name = self.key.rpartition("/")[2]
        else:
            segment = urlsplit(self.place).path.rstrip("/").rpartition("/")[2]
            name = unquote(segment)
            if "/" in name or not name.isprintable():
                name = segment
        name = name.replace("\0", "").encode()[-_NAME_BYTES:].decode(errors="ignore")
        return "source" if name in ("", ".", "..") else name

    def with_state(self, state: ObjectState) -> RemoteSource:
        """Return the same object with what is now known of it."""
        return replace(self, state=state)

    def is_same_as(self, other: RemoteSource) -> bool:
        """Tell whether both are known to have the same bytes."""
        if self != other or self.state is None or other.state is None or not self.state.tag:
            return False
        ours, theirs = self.state, other.state
        return (ours.size_bytes, ours.tag) == (theirs.size_bytes, theirs.tag)

    def identify(self, server: str) -> str | None:
        """Return a name for its bytes, from which no secret can be read; None: nothing names them.

        Args:
            server: Which server the place is on, where the place does not say.
        """
        if self.state is None or not self.state.tag:
            return None
        state = self.state
        parts = (server, self.place, self.key, state.size_bytes, state.tag, state.modified)
        return f"remote:{hashlib.sha256(repr(parts).encode()).hexdigest()}"


@dataclass(frozen=True, slots=True)
class RemoteFolder:
    """All objects of a bucket below a prefix, which is empty or ends in `/`."""

    place: str
    prefix: str

    @property
    def url(self) -> str:
        """Its URL."""
        return f"{self.place}/{self.prefix}"


def parse_source(text: str) -> Path | RemoteSource:
    """Return the file or the object that a text names.

    Raises:
        BadMediaError: It is a URL that cannot be taken, or that names a folder.
    """
    found = parse_place(text)
    if isinstance(found, RemoteFolder):
        raise BadMediaError(
            "a URL that ends in / names a folder, not a video",
            code="bad_source_url",
            where=found.url,
            hint="Name one object, or give the folder to `filmcan batch`.",
        )
    return found


def parse_place(text: str) -> Path | RemoteSource | RemoteFolder:
    """Return the file, the object or the remote folder that a text names.

    Raises:
        BadMediaError: It is a URL that cannot be taken; nothing of it but its scheme is shown.
    """
    match = _URL.match(text)
    if match is None:
        return Path(text)
    scheme = match[1].lower()
    if scheme in _BUCKETS:
        return _parse_bucket_url(scheme, text[match.end() :])
    if scheme in _WEB:
        return _parse_web_url(scheme, text)
    raise _refuse(scheme, f"sources behind {scheme}:// are not fetched")


def _parse_bucket_url(scheme: str, rest: str) -> RemoteSource | RemoteFolder:
    bucket, _, key = rest.partition("/")
    if not bucket or "@" in bucket or not {"?", "#"}.isdisjoint(rest):
        raise _refuse(scheme, "a source's URL names a bucket and a key, and nothing besides")
    if {".", ".."} & set(key.split("/")) or "//" in f"/{key}" or "\0" in key:
        raise _refuse(scheme, "the key is no path: it has an empty part, `.` or `..`")
    try:
        key.encode()
    except UnicodeEncodeError:
        raise _refuse(scheme, "the key is no UTF-8, as keys of buckets are") from None
    place = f"{scheme}://{bucket}"
    if not key or key.endswith("/"):
        return RemoteFolder(place, key)
    return RemoteSource(place, key)


def _parse_web_url(scheme: str, text: str) -> RemoteSource:
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise _refuse(scheme, "the address is malformed") from None
    if not host or not text.isascii() or not text.isprintable() or " " in text:
        raise _refuse(scheme, "the address is malformed")
    if parts.username is not None or parts.fragment:
        raise _refuse(scheme, "an address with a user, a password or a # is not taken")
    if scheme == "http" and not _is_loopback(host):
        raise _refuse(scheme, "plain http is taken for this machine itself only")
    return RemoteSource(SplitResult(scheme, parts.netloc, parts.path, parts.query, "").geturl())


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _refuse(scheme: str, message: str) -> BadMediaError:
    return BadMediaError(
        message,
        code="bad_source_url",
        where=f"{scheme}://",  # what else stands there may be a secret
        hint="Write s3://BUCKET/KEY, gs://, az:// or https://HOST/FILE; credentials go into the "
        "environment.",
    )
