"""The requests that are made of a bucket; `failures` says what their failures mean.

These two modules know obstore. Two clients speak for it: one repeats what may be repeated
(reads, listings, whole writes, removals), the other never repeats by itself. Conditional writes go
through the second: repeated in the dark, a write whose reply was lost conflicts with itself.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, BinaryIO, cast

import obstore
import tenacity
from obstore import exceptions
from obstore.store import from_url

from filmcan.errors import InvalidContentError, NotFoundError, StoreUnavailableError
from filmcan.store.object_store.address import check_url, is_loopback
from filmcan.store.object_store.failures import (
    ConditionFailedError,
    shorten,
    translated,
    writing,
)
from filmcan.store.object_store.records import Entry, Head, Tuning
from filmcan.store.object_store.transfer import Transfer

if TYPE_CHECKING:
    from obstore import Attributes, GetOptions, GetResult, ObjectMeta, UpdateVersion
    from obstore.store import ClientConfig, ObjectStore, RetryConfig

_WRITES = "filmcanwrites"
"""User metadata of an object: ids of the last writes that led to it. Azure wants a plain word."""

_TIMEOUT = timedelta(seconds=60)
_DOWNLOAD_TIMEOUT = timedelta(days=1)
"""A download takes as long as it takes; one that stands still for `_TIMEOUT` is broken."""

_LEAST_PART_BYTES = 5 << 20
_PIECE_BYTES = 1 << 18
"""A download comes in pieces of this size."""

_MOST_PARTS = 9_000
"""S3 takes at most 10,000 parts of one upload, each but the last of 5 MiB or more."""


class Client:
    """A bucket below a prefix; no path leads out of it."""

    def __init__(self, url: str, tuning: Tuning, *, shown: str | None = None) -> None:
        """Read the options of the cloud from the environment; no request is made.

        Args:
            url: Of bucket and prefix.
            tuning: How requests are made.
            shown: Given for the address of a single file, whose path is then `""`: what messages
                call it, since the address itself may hold a secret.

        Raises:
            StoreUnavailableError: The URL or an option is wrong.
        """
        self._address = check_url(url) if shown is None else url
        self.url = self._address if shown is None else shown
        self.tuning = tuning
        self._repeating = self._connect(tuning.tries - 1)
        self._once = self._connect(0)
        self._patient: ObjectStore | None = None

    def get(self, path: str, *, limit: int) -> tuple[Head, bytes]:
        """Return a whole object.

        Raises:
            NotFoundError: There is none.
            InvalidContentError: It is larger than `limit` bytes; they were not fetched.
            StoreUnavailableError: The bucket refused.
        """
        with translated(path, self.url):
            return self._fetch(path, {}, limit)

    def get_end(self, path: str, size: int) -> tuple[Head, bytes]:
        """Return up to `size` last bytes of an object, by one request where suffixes are known.

        Raises:
            NotFoundError: There is none.
            StoreUnavailableError: The bucket refused.
        """
        with translated(path, self.url):
            try:
                return self._fetch(path, {"range": {"suffix": size}})
            except (exceptions.GenericError, exceptions.NotSupportedError):
                # No suffixes (Azure), or no bytes: servers answer a range of nothing as they like.
                head = self._get_head(path)
            start = max(0, head.size - size)
            return head, self.get_range(path, start, head.size, head) if head.size else b""

    def get_start(self, path: str, size: int) -> tuple[Head, bytes]:
        """Return up to `size` first bytes of an object.

        Raises:
            NotFoundError: There is none.
            StoreUnavailableError: The bucket refused.
        """
        with translated(path, self.url):
            try:
                return self._fetch(path, {"range": (0, size)})
            except exceptions.GenericError:
                head = self._get_head(path)
                if head.size:
                    raise
                return head, b""

    def get_range(self, path: str, start: int, stop: int, head: Head) -> bytes:
        """Return some bytes of the object that `head` describes, and of no later one.

        Raises:
            StoreUnavailableError: It was replaced or removed, or the bucket refused.
        """
        options: GetOptions = {"range": (start, stop), "if_match": head.tag}
        if head.version:
            options = {"range": (start, stop), "version": head.version}
        try:
            with translated(path, self.url):
                return self._fetch(path, options)[1]
        except (ConditionFailedError, NotFoundError) as error:
            raise StoreUnavailableError(
                "the file was replaced or removed while it was being read",
                code="changed_meanwhile",
                where=path,
                hint="Read the manifest again: it names the file that is there now.",
            ) from error

    def find_head(self, path: str) -> Head | None:
        """Return what the bucket says of an object, or None where there is none.

        Raises:
            StoreUnavailableError: The bucket refused.
        """
        try:
            with translated(path, self.url):
                return self._get_head(path)
        except NotFoundError:
            return None

    def get_entry(self, path: str) -> Entry:
        """Return what the bucket says of an object, as a listing would.

        Raises:
            NotFoundError: There is none.
            StoreUnavailableError: The bucket refused.
        """
        with translated(path, self.url):
            found = _repeat(obstore.get, self._repeating, path, options={"head": True})
        return _read_entry(found.meta)

    def download(
        self, path: str, file: BinaryIO, *, limit: int, on_bytes: Callable[[int], None]
    ) -> Entry:
        """Write a whole object to an empty file, piece by piece, and return what it was.

        A transfer that breaks goes on where it broke; where the server cannot do that, or has
        another object by then, it begins anew.

        Args:
            path: The object.
            file: Takes its bytes.
            limit: Of a larger one nothing is written.
            on_bytes: Is told how many bytes have just come.

        Raises:
            NotFoundError: There is none.
            InvalidContentError: It is larger than `limit` bytes.
            StoreUnavailableError: The bucket refused.
            OSError: The file did.
        """
        if self._patient is None:
            self._patient = self._connect(self.tuning.tries - 1, _DOWNLOAD_TIMEOUT)
        store = self._patient

        def ask(start: int, known: Entry | None) -> tuple[Entry, int, Iterable[bytes]]:
            if known is not None and known.tag and 0 < start < known.size:
                rest = _find_rest(store, path, start, known)
                if rest is not None:
                    return known, start, _read_pieces(rest)
            whole = obstore.get(store, path)
            return _read_entry(whole.meta), 0, _read_pieces(whole)

        transfer = Transfer(ask, file, limit=limit, on_bytes=on_bytes)
        with translated(path, self.url):
            return _repeat.copy(stop=transfer.is_stuck)(transfer.go_on)

    def put(self, path: str, file: BinaryIO, size: int, write_id: str) -> None:
        """Store a file whole; long ones in parts, which are thrown away when one fails.

        Raises:
            StoreUnavailableError: The bucket refused.
        """
        part_bytes = max(self.tuning.part_bytes, _LEAST_PART_BYTES, size // _MOST_PARTS)
        with writing(path, self.url):
            obstore.put(
                self._repeating,
                path,
                file,
                attributes=_build_attributes((write_id,)),
                use_multipart=size > part_bytes,
                chunk_size=part_bytes,
                max_concurrency=self.tuning.parallel,
            )

    def put_if(
        self, path: str, data: bytes, expected: Head | None, writes: tuple[str, ...]
    ) -> Head:
        """Store bytes if the object is still `expected` (None: if there is none); ask once.

        Raises:
            ConditionFailedError: The bucket says that it is not, or that somebody else is at it.
            StoreUnavailableError: The bucket refused or did not answer; it may be done.
        """
        condition: UpdateVersion | None = None
        if expected is not None:
            condition = {"e_tag": expected.tag}
            if expected.version:
                condition["version"] = expected.version
        with writing(path, self.url):
            done = obstore.put(
                self._once,
                path,
                data,
                attributes=_build_attributes(writes),
                mode="create" if condition is None else condition,
                use_multipart=False,
            )
        return Head(len(data), done["e_tag"] or "", _find_version(done["version"]), writes)

    def list_folder(self, folder: str) -> tuple[list[str], list[Entry]]:
        """Return the paths of the folders in a folder, and the objects in it; all pages of them.

        Raises:
            StoreUnavailableError: The bucket refused, if only a page of it.
        """
        with translated(folder, self.url):
            found = _repeat(obstore.list_with_delimiter, self._repeating, folder or None)
        return list(found["common_prefixes"]), [_read_entry(item) for item in found["objects"]]

    def list_below(self, folder: str) -> list[Entry]:
        """Return all objects below a folder, at any depth.

        Raises:
            StoreUnavailableError: The bucket refused.
        """
        with translated(folder, self.url):
            found = _repeat(lambda: obstore.list(self._repeating, folder).collect())
        return [_read_entry(item) for item in found]

    def delete(self, path: str) -> None:
        """Remove an object; an absent one is no error.

        Raises:
            StoreUnavailableError: The bucket refused.
        """
        with contextlib.suppress(NotFoundError), translated(path, self.url):
            _repeat(obstore.delete, self._repeating, path)

    def copy(self, path: str, new_path: str) -> None:
        """Copy an object within the bucket.

        Raises:
            NotFoundError: There is none.
            StoreUnavailableError: The bucket refused.
        """
        with translated(path, self.url):
            _repeat(obstore.copy, self._repeating, path, new_path)

    def _get_head(self, path: str) -> Head:
        return _read_head(_repeat(obstore.get, self._repeating, path, options={"head": True}))

    def _fetch(
        self, path: str, options: GetOptions, limit: int | None = None
    ) -> tuple[Head, bytes]:
        def fetch() -> tuple[Head, bytes]:
            result = obstore.get(self._repeating, path, options=options)
            size = result.meta["size"]
            if limit is not None and size > limit:
                raise InvalidContentError(
                    f"{size} bytes, more than {limit}", where=path, code="too_large"
                )
            return _read_head(result), bytes(result.bytes())

        return _repeat(fetch)

    def _connect(self, retries: int, timeout: timedelta = _TIMEOUT) -> ObjectStore:
        client: ClientConfig = {"timeout": timeout, "read_timeout": _TIMEOUT}
        if is_loopback(os.environ) or self._address.startswith("http:"):
            client["allow_http"] = True
        retry: RetryConfig = {
            "max_retries": retries,
            "backoff": {
                "init_backoff": timedelta(seconds=self.tuning.first_pause_sec),
                "max_backoff": timedelta(seconds=self.tuning.longest_pause_sec),
                "base": 2,
            },
        }
        try:
            return from_url(self._address, client_options=client, retry_config=retry)
        except (exceptions.BaseError, ValueError) as error:
            raise StoreUnavailableError(
                f"the store cannot be opened: {shorten(error)}",
                code="bad_url",
                where=self.url,
                hint="Write s3://BUCKET/PREFIX, and set the environment variables of the cloud.",
            ) from error


_PASSES = re.compile(
    r"body error|after \d+ retries.* 416 |\(code: (?:SlowDown|InternalError|ServiceUnavailable)\)"
    r"|non-partial|Range request not supported"
)
"""What obstore does not ask for again: a reply that was cut; the rest of one that was replaced by a
shorter object meanwhile, or is not to be had alone; an object that was not removed together with
others."""


_NO_RANGES = re.compile(r"non-partial|Range request not supported")


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, exceptions.GenericError) and bool(_PASSES.search(str(error)))


_repeat = tenacity.Retrying(
    stop=tenacity.stop_after_attempt(8),
    wait=tenacity.wait_random_exponential(0.02, 2.0),
    retry=tenacity.retry_if_exception(_may_pass),
    reraise=True,
)


def _build_attributes(writes: tuple[str, ...]) -> Attributes:
    return {_WRITES: " ".join(writes)}


def _read_head(result: GetResult) -> Head:
    writes = cast("Mapping[str, str]", result.attributes).get(_WRITES, "")
    meta = result.meta
    return Head(
        meta["size"], meta["e_tag"] or "", _find_version(meta["version"]), tuple(writes.split())
    )


def _find_version(version: str | None) -> str:
    return "" if version in (None, "null") else version  # S3 calls it so without versioning


def _read_entry(meta: ObjectMeta) -> Entry:
    modified = meta["last_modified"].timestamp()
    return Entry(meta["path"], meta["size"], modified, meta["e_tag"] or "")


def _find_rest(store: ObjectStore, path: str, start: int, known: Entry) -> GetResult | None:
    """Return what is left of an object; None when it was replaced, or comes only as a whole."""
    options: GetOptions = {"range": (start, known.size), "if_match": known.tag}
    try:
        rest = obstore.get(store, path, options=options)
    except exceptions.PreconditionError:
        return None
    except (exceptions.GenericError, exceptions.NotSupportedError) as error:
        if _NO_RANGES.search(str(error)):
            return None
        raise
    found = _read_entry(rest.meta)  # a plain web server is not told the condition
    return rest if (found.tag, found.size) == (known.tag, known.size) else None


def _read_pieces(result: GetResult) -> Iterable[bytes]:
    # obstore's own buffer: has a length and can be written, and is never copied.
    return cast("Iterable[bytes]", result.stream(min_chunk_size=_PIECE_BYTES))
