"""What lies in a foreign run's folder, and which of its files a manifest's path means.

Paths of the other system are text: absolute, or relative to a folder of its own. They are never
followed; the file meant is the one of this run whose place is their tail.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from filmcan.store.base import Backend

_MAX_DEPTH = 8


@dataclass(frozen=True, slots=True)
class FolderContent:
    """Everything below a folder.

    Attributes:
        files: Path relative to the folder -> size of regular files.
        strange: Links, special files, and folders nested too deeply; none is ever opened.
    """

    files: dict[str, int]
    strange: tuple[str, ...]


def list_content(backend: Backend, folder: str) -> FolderContent:
    """Return what lies below a folder of a store, sorted by path.

    Raises:
        StoreUnavailableError: The store refused.
    """
    files: dict[str, int] = {}
    strange: list[str] = []
    pending = [""]
    while pending:
        below = pending.pop()
        listing = backend.list_folder(f"{folder}/{below}" if below else folder)
        prefix = f"{below}/" if below else ""
        files.update({f"{prefix}{name}": size for name, size in listing.files.items()})
        strange += [f"{prefix}{name}" for name in listing.strange]
        folders = [f"{prefix}{name}" for name in listing.folders]
        if prefix.count("/") >= _MAX_DEPTH:
            strange += folders
        else:
            pending += folders
    return FolderContent(dict(sorted(files.items())), tuple(sorted(strange)))


def find_file(path: str, component: str, content: FolderContent) -> str | None:
    """Return the file of a component that a manifest's path means, or None.

    It is the longest tail of the path that lies in the component's folder of this run.
    """
    segments = [part for part in path.replace("\\", "/").split("/") if part not in ("", ".")]
    if ".." in segments:
        return None
    for start, segment in enumerate(segments):
        tail = "/".join(segments[start:])
        if segment == component and tail in content.files:
            return tail
    return None
