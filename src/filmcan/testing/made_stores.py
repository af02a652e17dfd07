"""Runs made for tests of whole stores, and a backend that dies at a chosen step."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, Self, TypeVar

from filmcan.store.local import LocalBackend
from filmcan.store.marks import CHANGES
from filmcan.store.memory import MemoryBackend
from filmcan.store.object_store.backend import ObjectStoreBackend
from filmcan.store.object_store.records import Tuning
from filmcan.store.transaction import RunTransaction
from filmcan.testing.artifacts import (
    COMPONENT,
    NOW,
    SCHEMA_VERSION,
    build_product,
    build_run_record,
)
from filmcan.testing.object_server import BUCKET

if TYPE_CHECKING:
    from filmcan.npz.source import ByteSource
    from filmcan.store.base import Backend, Listing, StagedFile, Versioned

_T = TypeVar("_T")
_LIMIT = 1 << 30

PATIENT = Tuning(tries=10, first_pause_sec=0.01, longest_pause_sec=0.1)
"""For servers on the loopback: tries often, and again at once."""

COMPONENTS = {
    COMPONENT: (SCHEMA_VERSION, "video_too_short"),
    "loudness_extractor": ("audio_npz_v1", "audio_missing_or_extract_failed"),
    "tempo_extractor": ("audio_npz_v1", "audio_missing_or_extract_failed"),
}
"""Component -> schema_version and a reason to be empty."""


def clock() -> str:
    """Return the same time always: clocks order nothing."""
    return NOW


def begin_run(
    backend: Backend, video_id: str = "v1", run_id: str = "r1", **changes: str
) -> RunTransaction:
    """Create a run that plans every one of `COMPONENTS`."""
    record = build_run_record(
        video_id=video_id, run_id=run_id, planned=tuple(COMPONENTS), **changes
    )
    return RunTransaction.create(backend, record, clock)


def commit(transaction: RunTransaction, name: str = COMPONENT, **changes: object) -> str:
    """Commit an empty artifact of a component and return its path below the run."""
    platform_id, video_id, run_id = transaction.run_path.split("/")
    schema_version, reason = COMPONENTS[name]
    record = build_run_record(platform_id, video_id, run_id)
    product = build_product(
        record,
        name,
        schema_version,
        **{"reason": reason, **changes},  # type: ignore[arg-type]
    )
    return transaction.commit(product).artifacts[0].path


def write_run(backend: Backend, video_id: str = "v1", run_id: str = "r1") -> str:
    """Write a finished run with every one of `COMPONENTS` and return its path."""
    transaction = begin_run(backend, video_id, run_id)
    for name in COMPONENTS:
        commit(transaction, name)
    transaction.finish(source={}, peak_rss_bytes=None)
    return transaction.run_path


def read_all(backend: Backend) -> dict[str, bytes]:
    """Return every name and every byte of a store: path -> content; links and folders are b"".

    But for the change marks, which count who held a lock, whatever he did.
    """
    if not isinstance(backend, LocalBackend):
        return _read_below(backend, "")
    root = Path(backend.url)
    return {
        str(path.relative_to(root)): path.read_bytes()
        if path.is_file() and not path.is_symlink()
        else b""
        for path in sorted(root.rglob("*"))
        if not path.relative_to(root).match(f"{CHANGES}*")
    }


def _read_below(backend: Backend, folder: str) -> dict[str, bytes]:
    prefix = f"{folder}/" if folder else ""
    listing = backend.list_folder(folder)
    found = {
        f"{prefix}{name}": backend.read(f"{prefix}{name}", limit=_LIMIT) for name in listing.files
    }
    for name in listing.folders:
        found |= _read_below(backend, f"{prefix}{name}")
    return found


def reopen(backend: Backend) -> Backend:
    """Return another handle on the same store, as a second process would get."""
    if isinstance(backend, MemoryBackend):
        return backend
    if isinstance(backend, LocalBackend):
        return LocalBackend(Path(backend.url))
    return ObjectStoreBackend(backend.url, PATIENT)


def open_bucket(prefix: str) -> ObjectStoreBackend:
    """Return a store in the bucket of the server that the environment names."""
    return ObjectStoreBackend(f"s3://{BUCKET}/{prefix}", PATIENT)


class CrashError(BaseException):
    """The process ends here. No `except Exception` may catch it."""


class CrashingBackend:
    """A backend whose process dies before or after the n-th step that changes something."""

    def __init__(self, backend: Backend, at_step: int, *, before: bool) -> None:
        """Wrap a backend.

        Args:
            backend: The store.
            at_step: Counts from 0.
            before: Whether the fatal step still has no effect.
        """
        self._backend = backend
        self._at_step = at_step
        self._before = before
        self.steps = 0

    @property
    def url(self) -> str:
        return self._backend.url

    def read(self, path: str, *, limit: int) -> bytes:
        return self._backend.read(path, limit=limit)

    def open(self, path: str) -> ByteSource:
        return self._backend.open(path)

    def list_folder(self, folder: str) -> Listing:
        return self._backend.list_folder(folder)

    def find_versioned(self, path: str, *, limit: int) -> Versioned | None:
        return self._backend.find_versioned(path, limit=limit)

    def exclusive(self, name: str) -> AbstractContextManager[None]:
        return self._backend.exclusive(name)

    def read_clock(self) -> float:
        return self._backend.read_clock()

    def find_local_path(self, path: str) -> str | None:
        return self._backend.find_local_path(path)

    def stage(self, folder: str) -> StagedFile:
        return _CrashingStage(self._backend.stage(folder), self._step)

    def swap(self, path: str, data: bytes, *, expected: str | None) -> str:
        return self._step(lambda: self._backend.swap(path, data, expected=expected))

    def remove(self, path: str) -> None:
        self._step(lambda: self._backend.remove(path))

    def remove_folder(self, folder: str) -> None:
        self._step(lambda: self._backend.remove_folder(folder))

    def move(self, path: str, new_path: str) -> None:
        self._step(lambda: self._backend.move(path, new_path))

    def _step(self, change: Callable[[], _T]) -> _T:
        is_last = self.steps == self._at_step
        self.steps += 1
        if is_last and self._before:
            raise CrashError
        done = change()
        if is_last:
            raise CrashError
        return done


class _CrashingStage:
    """A staged file whose publication is a step."""

    def __init__(self, staged: StagedFile, step: Callable[[Callable[[], None]], None]) -> None:
        self._staged = staged
        self._step = step
        self.file: BinaryIO = staged.file

    @property
    def sync(self) -> Callable[[], None] | None:
        return self._staged.sync

    def publish(self, path: str) -> None:
        self._step(lambda: self._staged.publish(path))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._staged.__exit__(kind, error, trace)
