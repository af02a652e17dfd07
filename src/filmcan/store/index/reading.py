"""Read manifests into rows, many at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from filmcan.errors import InvalidContentError, NotFoundError
from filmcan.store.index.rows import RunRows, build_rows
from filmcan.store.manifests import check_place, read_facts
from filmcan.store.side_by_side import read_in_chunks
from filmcan.store.tombstones import TOMBSTONES, find_tombstone

if TYPE_CHECKING:
    from filmcan.store.base import Backend

DELETED = "deleted"
"""Why the manifest of a deleted video gives no run; all other reasons are codes of errors."""

_CHUNK = 250


@dataclass(frozen=True, slots=True)
class Look:
    """A manifest to be read: the run's path, and its stamp before anybody read it."""

    path: str
    stamp: str


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look gave: rows, or the reason why there is no run; neither when it is gone."""

    path: str
    stamp: str
    rows: RunRows | None
    reason: str | None = None


def read_runs(backend: Backend, looks: Sequence[Look], workers: int = 1) -> Iterator[list[Seen]]:
    """Yield what each manifest gave, in chunks and in order.

    Args:
        backend: The store.
        looks: Which to read.
        workers: Processes to read with; see `read_in_chunks`.

    Raises:
        StoreUnavailableError: The store refused.
    """
    has_tombstones = bool(backend.list_folder(TOMBSTONES).files)
    yield from read_in_chunks(
        backend,
        partial(_read_run, has_tombstones=has_tombstones),
        looks,
        chunk_size=_CHUNK,
        workers=workers,
    )


def _read_run(backend: Backend, look: Look, *, has_tombstones: bool) -> Seen:
    try:
        manifest = read_facts(backend, look.path)
        check_place(manifest, look.path)
        if has_tombstones:
            tombstone = find_tombstone(backend, look.path.rpartition("/")[0])
            if tombstone.is_dead(manifest.run):
                return Seen(look.path, look.stamp, None, DELETED)
    except NotFoundError:
        return Seen(look.path, look.stamp, None)
    except InvalidContentError as error:
        return Seen(look.path, look.stamp, None, error.code)
    return Seen(look.path, look.stamp, build_rows(manifest))
