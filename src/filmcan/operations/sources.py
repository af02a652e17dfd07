"""Find the video of a run again: by the digest of its bytes, below folders the user named.

A manifest names no path, and none that it could name would be followed (threats B7). Files are
told apart by size first, so only candidates are ever hashed, each once.
"""

from __future__ import annotations

import hashlib
import os
import stat
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from filmcan.errors import NotFoundError
from filmcan.files import open_regular
from filmcan.npz.source import FileSource

_HASH_BYTES = 1 << 20
_Identity = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class FoundSource:
    """A file whose bytes are those a run was made from.

    Attributes:
        path: Where it lies; shown to nobody.
        size_bytes: Its size.
        sha256: Its digest.
    """

    path: Path
    size_bytes: int
    sha256: str


class SourceFinder:
    """Finds files below some folders by their digest; links are not followed."""

    def __init__(self, roots: Iterable[str | Path] = ()) -> None:
        """Remember the folders; they are looked through when first asked.

        Raises:
            NotFoundError: One is no folder.
        """
        self._roots = tuple(Path(root) for root in roots)
        for root in self._roots:
            if not root.is_dir():
                raise NotFoundError(
                    "there is no such media folder", where=root.name, hint="Check --media-root."
                )
        self._lock = threading.Lock()
        self._by_size: dict[int, list[Path]] | None = None
        self._digests: dict[_Identity, str] = {}
        self._absent: set[str] = set()

    @property
    def has_roots(self) -> bool:
        """True when there is anywhere to look."""
        return bool(self._roots)

    def get(self, source: Mapping[str, object]) -> FoundSource:
        """Return the file of a manifest's `source`.

        Raises:
            NotFoundError: No folder holds it, or the source was not recorded.
        """
        sha256, size = source.get("sha256"), source.get("size_bytes")
        if not self._roots:
            raise NotFoundError(
                "this server shows no sources",
                code="no_media_root",
                hint="Start it with --media-root FOLDER.",
            )
        if not isinstance(sha256, str) or not isinstance(size, int):
            raise NotFoundError("the run does not say which file it was made from")
        with self._lock:
            for again in (False, True):
                path = self._find(sha256, size, again=again)
                if path is not None:
                    return FoundSource(path, size, sha256)
            if len(self._absent) < _MOST_ABSENT:
                self._absent.add(sha256)
        raise NotFoundError(
            "no media folder holds the file this run was made from",
            where=f"sha256 {sha256[:16]}",
            hint="Put it below a --media-root and start the server again.",
        )

    def open(self, found: FoundSource) -> FileSource:
        """Return the file, with the very bytes that were hashed.

        Raises:
            NotFoundError: It is gone or was changed.
        """
        try:
            descriptor = open_regular(found.path)
        except OSError as error:
            raise NotFoundError("the file of this run is gone") from error
        if self._digests.get(_identify(os.fstat(descriptor))) != found.sha256:
            os.close(descriptor)
            raise NotFoundError("the file of this run was changed")
        return FileSource(descriptor, found.path.name)

    def _find(self, sha256: str, size: int, *, again: bool) -> Path | None:
        if again and sha256 in self._absent:
            return None  # looked for in vain before; a new file is seen after a restart
        if self._by_size is None or again:
            self._by_size = _list_by_size(self._roots)
        for path in self._by_size.get(size, ()):
            if self._hash(path) == sha256:
                return path
        return None

    def _hash(self, path: Path) -> str | None:
        try:
            descriptor = open_regular(path)
        except OSError:
            return None
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            identity = _identify(os.fstat(descriptor))
            if identity not in self._digests:
                digest = hashlib.sha256()
                try:
                    while data := file.read(_HASH_BYTES):
                        digest.update(data)
                except OSError:
                    return None
                self._digests[identity] = digest.hexdigest()
            return self._digests[identity]


_MOST_ABSENT = 100_000


def _list_by_size(roots: Iterable[Path]) -> dict[int, list[Path]]:
    found: dict[int, list[Path]] = {}
    for root in roots:
        for folder, _, names in os.walk(root):
            for name in sorted(names):
                path = Path(folder) / name
                try:
                    status = path.lstat()
                except OSError:
                    continue
                if stat.S_ISREG(status.st_mode):
                    found.setdefault(status.st_size, []).append(path)
    return found


def _identify(status: os.stat_result) -> _Identity:
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
