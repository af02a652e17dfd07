"""Where fetched files lie: one folder, every file under its digest, shared by all processes.

    <cache>/assets/<first 2 hex>/<sha256>   the files, read-only
    <cache>/locks/<sha256>                  held while that file is fetched
    <cache>/partial/<sha256>, <sha256>.*    a download to go on with; for the lock's holder alone
    <cache>/work/<name>/, <name>.lock       a fetch in progress, a source from a URL while it is
                                            worked on; swept once its process is gone

The whole folder is expendable: what is missing is fetched again.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING

from filmcan.errors import AssetError
from filmcan.files import fsync_directory, locked

if TYPE_CHECKING:
    from filmcan.models.catalog import AssetFile

CACHE_VARIABLE = "FILMCAN_CACHE"

_READ_ONLY = 0o444


class Cache:
    """A cache folder; it need not exist yet."""

    def __init__(self, root: Path) -> None:
        """Take the folder."""
        self.root = root

    def find(self, file: AssetFile) -> Path | None:
        """Return where a file lies, or None when it is absent or not of its size.

        Cheap, for every use of a file; `hash_file` reads all of it. A file whose digest is not
        known is never there.
        """
        if file.sha256 is None:
            return None
        path = self.path(file)
        try:
            found = path.stat()
        except OSError:
            return None  # A cache that cannot be read has nothing; fetching will say why.
        return path if S_ISREG(found.st_mode) and found.st_size == file.size_bytes else None

    def path(self, file: AssetFile) -> Path:
        """Return where a file of a known digest lies once it is there."""
        digest = _get_key(file)
        return self.root / "assets" / digest[:2] / digest

    def partial(self, file: AssetFile) -> Path:
        """Return where an unfinished download of a file waits for the next attempt.

        Only the holder of the file's lock may use it.
        """
        folder = self.root / "partial"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / _get_key(file)

    def drop_partial(self, file: AssetFile) -> None:
        """Remove what an unfinished download left; the file has come some other way."""
        for path in (self.root / "partial").glob(f"{_get_key(file)}*"):
            path.unlink(missing_ok=True)

    def publish(self, file: AssetFile, fetched: Path) -> Path:
        """Check a fetched file and move it into place, durably and all at once.

        Raises:
            AssetError: Its digest is wrong; it is removed.
            OSError: The disk refused; nothing was published.
        """
        got = hash_file(fetched)
        if got != file.sha256:
            fetched.unlink()
            raise build_digest_error(file, got, hint="Do not use that source; nothing was kept.")
        fetched.chmod(_READ_ONLY)
        with fetched.open("rb") as opened:
            os.fsync(opened.fileno())
        path = self.path(file)
        path.parent.mkdir(parents=True, exist_ok=True)
        fetched.replace(path)
        fsync_directory(path.parent)
        self.drop_partial(file)
        return path

    @contextlib.contextmanager
    def locked(self, file: AssetFile) -> Iterator[None]:
        """Hold the right to fetch a file; others wait, then find it there."""
        folder = self.root / "locks"
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder / _get_key(file)):
            yield

    @contextlib.contextmanager
    def workspace(self) -> Iterator[Path]:
        """Yield an empty folder on the cache's disk and remove it afterwards.

        What a killed process left behind is removed on the way.
        """
        folder = self.root / "work"
        folder.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as held:
            name = secrets.token_hex(8)
            # Starting and sweeping exclude each other, so a start is never taken for a leftover.
            with locked(self.root / "work.lock"):
                _sweep(folder)
                held.enter_context(locked(folder / f"{name}.lock"))
                (folder / name).mkdir()
            try:
                yield folder / name
            finally:
                shutil.rmtree(folder / name, ignore_errors=True)
                (folder / f"{name}.lock").unlink(missing_ok=True)

    def sweep(self) -> None:
        """Remove the workspaces of processes that are gone, as far as the disk lets us."""
        folder = self.root / "work"
        if folder.is_dir():
            with contextlib.suppress(OSError), locked(self.root / "work.lock"):
                _sweep(folder)


def open_cache() -> Cache:
    """Return the cache this user has chosen.

    `FILMCAN_CACHE` decides; else the platform's place for caches, `filmcan` in it.
    Source: XDG Base Directory Specification (a relative `XDG_CACHE_HOME` is ignored); on macOS
    `~/Library/Caches`, on Windows `%LOCALAPPDATA%`.
    """
    chosen = os.environ.get(CACHE_VARIABLE)
    if chosen:
        return Cache(Path(chosen).expanduser().absolute())
    if sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        variable = "LOCALAPPDATA" if sys.platform == "win32" else "XDG_CACHE_HOME"
        base = Path(os.environ.get(variable, ""))
        if not base.is_absolute():
            base = Path.home() / ".cache"
    return Cache(base / "filmcan")


def hash_file(path: Path) -> str:
    """Return the sha256 of a file in lower-case hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def build_digest_error(file: AssetFile, got: str, *, hint: str) -> AssetError:
    """Return the error for a file whose bytes are not those of the catalog."""
    return AssetError(
        f"wrong digest: expected sha256 {file.sha256}, got {got}",
        code="asset_digest",
        where=file.path,
        hint=hint,
    )


def _get_key(file: AssetFile) -> str:
    """Return the name under which all that belongs to a file lies."""
    if file.sha256 is not None:
        return file.sha256
    described = "\n".join((file.path, *(source.describe() for source in file.sources)))
    return f"unknown-{hashlib.sha256(described.encode()).hexdigest()}"


def _sweep(folder: Path) -> None:
    for lock in folder.glob("*.lock"):
        with contextlib.suppress(TimeoutError), locked(lock, timeout_sec=0):
            shutil.rmtree(folder / lock.stem, ignore_errors=True)
            lock.unlink(missing_ok=True)
