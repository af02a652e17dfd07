"""Read manifests into rows, many at a time, in this process or in several."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

from filmcan.errors import InvalidContentError, NotFoundError
from filmcan.store.index.rows import RunRows, build_rows
from filmcan.store.local import LocalBackend
from filmcan.store.manifests import check_place, read_facts
from filmcan.store.side_by_side import read_each
from filmcan.store.tombstones import TOMBSTONES, find_tombstone

if TYPE_CHECKING:
    from filmcan.store.base import Backend

_CHUNK = 250
_WORTH_PROCESSES = 2_000
"""Fewer manifests are read faster than processes start."""


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
        workers: Processes to read with. More than one only from a program that may be imported
            anew, as the command line may.

    Raises:
        StoreUnavailableError: The store refused.
    """
    chunks = [looks[start : start + _CHUNK] for start in range(0, len(looks), _CHUNK)]
    has_tombstones = bool(backend.list_folder(TOMBSTONES).files)
    local = backend.find_local_path("")
    if workers < 2 or local is None or len(looks) < _WORTH_PROCESSES:  # noqa: PLR2004 - it says so
        for chunk in chunks:
            yield _read_chunk(backend, has_tombstones, chunk)
        return
    read = partial(_read_local_chunk, local, has_tombstones)
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(read, chunks)


def _read_local_chunk(root: str, has_tombstones: bool, looks: Sequence[Look]) -> list[Seen]:  # noqa: FBT001 - pickled
    return _read_chunk(LocalBackend(Path(root)), has_tombstones, looks)


def _read_chunk(backend: Backend, has_tombstones: bool, looks: Sequence[Look]) -> list[Seen]:  # noqa: FBT001 - likewise
    read = partial(_read_run, backend, has_tombstones=has_tombstones)
    return read_each(backend, read, looks)


def _read_run(backend: Backend, look: Look, *, has_tombstones: bool) -> Seen:
    with contextlib.suppress(NotFoundError):
        try:
            manifest = read_facts(backend, look.path)
            check_place(manifest, look.path)
            if has_tombstones:
                tombstone = find_tombstone(backend, look.path.rpartition("/")[0])
                if tombstone.is_dead(manifest.run):
                    return Seen(look.path, look.stamp, None, "deleted")
        except InvalidContentError as error:
            return Seen(look.path, look.stamp, None, error.code)
        return Seen(look.path, look.stamp, build_rows(manifest))
    return Seen(look.path, look.stamp, None)
