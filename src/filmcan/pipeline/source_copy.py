"""A source as a file of this machine: the file itself, or a copy of an object behind a URL.

The copy is made when it is first needed, lies in a workspace of the cache, and is gone with its
holder: `close` removes it, and what a killed process left is swept by the next one. An object whose
digest is known is not fetched to be identified.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from filmcan.errors import (
    BadMediaError,
    FilmcanError,
    InternalError,
    InvalidContentError,
    MissingExtraError,
    NotFoundError,
    StoreUnavailableError,
)
from filmcan.models.cache import hash_file, open_cache
from filmcan.pipeline.digest_cache import find_digest, hash_source, keep_digest
from filmcan.pipeline.remote_source import ObjectState, RemoteFolder, RemoteSource
from filmcan.store.object_store.address import find_endpoint

if TYPE_CHECKING:
    from filmcan.store.object_store.client import Client
    from filmcan.store.object_store.records import Entry

FETCH_CODES = frozenset(
    {
        "bad_source_url",
        "source_changed",
        "source_denied",
        "source_missing",
        "source_too_large",
        "source_unreachable",
    }
)
"""Codes of errors that say nothing of a source's bytes: another try may find another answer."""


_SAYS_NOTHING = ("source_denied", "source_missing")
"""The latter is what obstore makes of 405, too."""


def _ignore(count: int) -> None:
    del count


class SourceCopy:
    """A source, and a file with its bytes where that is asked for."""

    def __init__(
        self,
        source: Path | RemoteSource,
        *,
        limit_bytes: int,
        sha256: str | None = None,
        on_bytes: Callable[[int], None] = _ignore,
    ) -> None:
        """Fetch nothing yet.

        Args:
            source: The file or object.
            limit_bytes: Of a larger object nothing is fetched.
            sha256: The digest its bytes are known by; other bytes are refused.
            on_bytes: Is told how many bytes have just come.
        """
        self.source = source
        self.on_bytes = on_bytes
        self._limit_bytes = limit_bytes
        self._sha256 = sha256
        self._held = contextlib.ExitStack()
        self._path: Path | None = None

    def get_digest(self) -> str:
        """Return the digest of the source's bytes; an object is fetched where it is not known.

        Raises:
            BadMediaError: It cannot be read or fetched.
            StoreUnavailableError: There is no room for the copy.
        """
        if self._sha256 is None:
            self._sha256 = find_known_digest(self.source)
        if self._sha256 is None:
            self.get_path()
        if self._sha256 is None:
            self._sha256 = hash_source(self.get_path())
        return self._sha256

    def get_path(self) -> Path:
        """Return a file with the source's bytes, named like the source.

        Raises:
            BadMediaError: It cannot be fetched, or its bytes are others than those it is known by.
            StoreUnavailableError: There is no room for the copy.
        """
        if isinstance(self.source, Path):
            return self.source
        if self._path is None:
            with _refusing_scratch():
                path = self._held.enter_context(open_cache().workspace()) / self.source.name
                self.source = self._fetch(self.source, path)
            self._path = path
        return self._path

    def _fetch(self, source: RemoteSource, path: Path) -> RemoteSource:
        with _translated(source), path.open("xb") as file:
            entry = _connect(source).download(
                source.key, file, limit=self._limit_bytes, on_bytes=self.on_bytes
            )
        if not entry.size:
            raise BadMediaError("the object is empty", where=source.url, hint="Upload it again.")
        digest = hash_file(path)
        fetched = source.with_state(_read_state(entry))
        remember(fetched, digest)
        if self._sha256 not in (None, digest):
            raise BadMediaError(
                "the object has other bytes than when it was looked at",
                code="source_changed",
                where=source.url,
                hint="Run again once nothing writes to it.",
            )
        self._sha256 = digest
        return fetched

    def get_source(self) -> RemoteSource:
        """Return the object in the state in which it was fetched.

        Raises:
            InternalError: It is a file.
        """
        if isinstance(self.source, Path):
            raise InternalError("a file was not fetched", where=self.source.name)
        return self.source

    def close(self) -> None:
        """Remove the copy."""
        self._path = None
        self._held.close()

    def __enter__(self) -> Self:
        """Return the source."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove the copy."""
        self.close()


def find_known_digest(source: Path | RemoteSource) -> str | None:
    """Return the digest of an object that was fetched before and has not changed since.

    Raises:
        BadMediaError: It is not there, or its server refused.
    """
    if isinstance(source, Path):
        return None
    identity = source.identify(_name_server(source))
    return None if identity is None else find_digest(identity)


def remember(source: RemoteSource, digest: str) -> None:
    """Keep the digest of an object in the state it is in."""
    identity = source.identify(_name_server(source))
    if identity is not None:
        keep_digest(identity, digest)


def look_at(source: RemoteSource) -> RemoteSource:
    """Return an object with what its server says of it, by a request that fetches no bytes.

    A web server that refuses such a request may still give the bytes, as for an address that is
    signed for reading alone; then the object comes back as it was.

    Raises:
        BadMediaError: It is not in its bucket, or its server refused.
    """
    if source.state is not None:
        return source
    try:
        with _translated(source):
            return source.with_state(_read_state(_connect(source).get_entry(source.key)))
    except BadMediaError as error:
        says_nothing = error.code in _SAYS_NOTHING or "status code: 501" in error.message
        if source.key or not says_nothing:
            raise
        return source


def list_objects(folder: RemoteFolder) -> Iterator[RemoteSource]:
    """Go through all objects below a prefix, by name.

    Raises:
        BadMediaError: The bucket is not there, or refused.
    """
    source = RemoteSource(folder.place, folder.prefix)
    with _translated(source):
        found = _connect(source).list_below(folder.prefix.rstrip("/"))
    for entry in sorted(found, key=lambda entry: entry.path):
        yield RemoteSource(folder.place, entry.path, _read_state(entry))


def _read_state(entry: Entry) -> ObjectState:
    return ObjectState(entry.size, entry.tag, int(entry.modified))


def _name_server(source: RemoteSource) -> str:
    """Return which server a bucket is on; an address says it itself."""
    return find_endpoint(os.environ) if source.key else ""


_CLIENTS: dict[str, Client] = {}
"""Bucket -> its client, opened once per process; an address has one for each time it is used."""


def _connect(source: RemoteSource) -> Client:
    try:
        # What speaks to buckets is an extra, and takes its time to load.
        from filmcan.store.object_store.client import Client  # noqa: PLC0415
        from filmcan.store.object_store.records import Tuning  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"{error.name} is not installed; sources behind URLs need it",
            where=source.url,
            hint='pip install "filmcan[s3]"',
        ) from error
    if not source.place.partition("://")[0].startswith("http"):
        key = f"{source.place} {find_endpoint(os.environ)}"
        if key not in _CLIENTS:
            _CLIENTS[key] = Client(source.place, Tuning())
        return _CLIENTS[key]
    return Client(source.place, Tuning(), shown=source.url)


@contextlib.contextmanager
def _translated(source: RemoteSource) -> Iterator[None]:
    """Say of a source what the client says of a store; the cause may show a secret and is cut."""
    try:
        yield
    except MissingExtraError:
        raise
    except FilmcanError as error:
        raise _tell(source, error) from None


def _tell(source: RemoteSource, error: FilmcanError) -> BadMediaError:
    if isinstance(error, NotFoundError) or error.code == "no_store":
        what = "bucket" if error.code == "no_store" else "object"
        return BadMediaError(
            f"there is no such {what}", code="source_missing", where=source.url,
            hint="Check its name; a folder of a bucket ends in /.",
        )  # fmt: skip
    if isinstance(error, InvalidContentError) and error.code == "too_large":
        return BadMediaError(
            f"the object has {error.message}, which execution.max_fetch_mib allows",
            code="source_too_large", where=source.url,
            hint="Raise execution.max_fetch_mib in the profile if there is room for it.",
        )  # fmt: skip
    if error.code == "store_denied":
        return BadMediaError(
            error.message, code="source_denied", where=source.url,
            hint="Check the credentials, and what they may do in this bucket.",
        )  # fmt: skip
    if error.code == "foreign_names":
        return BadMediaError(
            error.message, code="source_unreachable", where=source.url,
            hint="Such an object stops a listing; name the others one by one, or in a list.",
        )  # fmt: skip
    return BadMediaError(
        f"it cannot be fetched: {error.message.removeprefix('the store cannot be used: ')}",
        code="source_unreachable", where=source.url,
        hint=error.hint or "Check the endpoint, the network and the credentials.",
    )  # fmt: skip


@contextlib.contextmanager
def _refusing_scratch() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreUnavailableError(
            f"there is no room for a copy of the source: {error.strerror or error}",
            code="scratch_unusable",
            where=str(open_cache().root),
            hint="Free some space there, or name another folder in FILMCAN_CACHE.",
        ) from error
