"""A writer that does all a store's writer does, and the check of what the store then owes it.

Proofs of durability run `write_run` under some attack (a kill, a failing disk, a power cut), then
hold the folder that is left against P1-P5 and P7 of docs/threats.md with `check_promises`, and
`finish_run` shows that work goes on from there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from filmcan.contract.manifest import Manifest, parse_manifest
from filmcan.errors import NotFoundError
from filmcan.files import TEMPORARY_PREFIX
from filmcan.npz.reader import open_npz
from filmcan.npz.writer import write_npz
from filmcan.operations.validation import validate_target
from filmcan.store.base import FORMAT_MARKER, FORMAT_TEXT, Backend
from filmcan.store.local import LocalBackend
from filmcan.store.store import Store
from filmcan.store.transaction import RunTransaction
from filmcan.testing.artifacts import COMPONENT, NOW, build_product, build_run_record

RUN = "local/v1/r1"
MANIFEST = f"{RUN}/manifest.json"
PUBLISHED = "local/v1/published/big.npz"
OTHER = "loudness_extractor"
_LIMIT = 1 << 24
_BIG: dict[str, np.ndarray] = {
    "x": np.arange(3_000, dtype=np.float64),
    "y": np.ones(40, np.float32),
}


@dataclass(frozen=True, slots=True)
class Acked:
    """What the store has reported as done: it must hold from then on, whatever happens.

    Attributes:
        manifest: Bytes of the run's manifest; None before the run was created.
        present: Path -> sha256 of files published outside of runs.
        absent: Paths that were removed.
    """

    manifest: bytes | None = None
    present: Mapping[str, str] = field(default_factory=dict)
    absent: frozenset[str] = frozenset()


Ack = Callable[[Acked], None]


def write_run(backend: Backend, ack: Ack) -> None:
    """Create a run, commit, rewrite, publish, record an error, finish; acknowledge each step.

    On a store where this was begun before, it begins again and ends the same.
    """
    run = build_run_record(planned=(COMPONENT, OTHER, "tempo_extractor"))
    acked = Acked()

    def report(*, present: Mapping[str, str] | None = None, gone: str = "") -> None:
        nonlocal acked
        manifest = backend.read(MANIFEST, limit=_LIMIT)
        # A commit may leave what it replaces to gc; but what is gone must not come back.
        absent = acked.absent | ({gone} if gone and _hash(backend, gone) is None else set())
        listed = {f"{RUN}/{path}" for path in list_artifacts(parse_manifest(manifest))}
        acked = Acked(manifest, {**acked.present, **(present or {})}, absent - listed)
        ack(acked)

    transaction = RunTransaction.create_or_join(backend, run, _clock)
    report()
    former = transaction.commit(build_product(run)).artifacts[0]
    report()
    transaction.commit(build_product(run, reason="video_stream_missing"))
    report(gone=f"{RUN}/{former.path}")
    report(present={PUBLISHED: _publish(backend)})
    product = build_product(run, OTHER, "audio_npz_v1", reason="audio_missing_or_extract_failed")
    failed = replace(product.record, status="error", error="boom")
    transaction.record_error(failed)
    report()
    transaction.commit(product)
    report()
    record = replace(failed, name="tempo_extractor")
    transaction.record_error(record)
    report()
    transaction.finish(source={"name": "clip.mp4"}, peak_rss_bytes=1)
    report()


def _publish(backend: Backend) -> str:
    folder = PUBLISHED.rpartition("/")[0]
    with backend.stage(folder) as staged:
        written = write_npz(staged.file, _BIG, {"about": "published"}, sync=staged.sync)
        staged.publish(PUBLISHED)
    return written.sha256


def check_promises(folder: Path, acked: Acked, *, may_advance: bool = True) -> None:
    """Open a store anew and check what it owes.

    Args:
        folder: The store; it need not exist when nothing was acknowledged.
        acked: What the writer was told.
        may_advance: Whether the step that was interrupted may be there whole.

    Raises:
        AssertionError: A promise is broken; the message names it.
    """
    backend = LocalBackend(folder)
    manifest = _check_run(backend, acked, may_advance=may_advance)
    for path, sha256 in acked.present.items():
        assert _hash(backend, path) == sha256, f"P3: {path} was reported as published"
    for path in acked.absent:
        listed = manifest is not None and path.removeprefix(f"{RUN}/") in list_artifacts(manifest)
        assert listed or _hash(backend, path) is None, f"P3: {path} was reported as removed"
    marker = _find_bytes(backend, FORMAT_MARKER)  # a lost one is written anew
    assert marker in (None, FORMAT_TEXT), "P2: the format marker is half written"


def finish_run(folder: Path) -> Manifest:
    """Begin again on what is left, as a new process would, and check that it ends well.

    Raises:
        AssertionError: A promise is broken.
        FilmcanError: What is left cannot be worked with.
    """
    acks: list[Acked] = []
    write_run(LocalBackend(folder), acks.append)
    check_promises(folder, acks[-1], may_advance=False)
    manifest = Store(LocalBackend(folder)).run("local", "v1", "r1").manifest
    assert manifest.is_finished
    assert [item.status for item in manifest.components] == ["empty", "empty", "error"]
    faults = validate_target(str(folder / RUN)).report.errors
    assert not faults, f"C8: {faults}"
    return manifest


def list_artifacts(manifest: Manifest) -> dict[str, str]:
    """Return path -> sha256 of all artifacts that a manifest lists."""
    return {
        artifact.path: artifact.sha256
        for component in manifest.components
        for artifact in component.artifacts
    }


def _check_run(backend: Backend, acked: Acked, *, may_advance: bool) -> Manifest | None:
    found = backend.find_versioned(MANIFEST, limit=_LIMIT)
    if found is None:
        assert acked.manifest is None, "P3: the run was reported as created"
        return None
    manifest = parse_manifest(found.data)  # P2, P7: whole, or this raises
    Store(backend).run("local", "v1", "r1")
    former = parse_manifest(acked.manifest).run.revision if acked.manifest is not None else 0
    step = manifest.run.revision - former
    assert step in ((0, 1) if may_advance else (0,)), f"P3, P5: {step} steps from what was reported"
    if not step:
        assert found.data == acked.manifest, "P2: the manifest is neither the old nor the new one"
    for component in manifest.components:
        for artifact in component.artifacts:
            name = artifact.path.rpartition("/")[2]
            assert not name.startswith(TEMPORARY_PREFIX), "P5: a temporary is listed"
            data = _find_bytes(backend, f"{RUN}/{artifact.path}")
            assert data is not None, f"P1: {artifact.path} is listed and not there"
            assert len(data) == artifact.size_bytes, f"P1: {artifact.path} has another size"
            digest = hashlib.sha256(data).hexdigest()
            assert digest == artifact.sha256, f"P1: {artifact.path} has another hash"
            with open_npz(data) as npz:
                npz.check()
    return manifest


def _find_bytes(backend: Backend, path: str) -> bytes | None:
    try:
        return backend.read(path, limit=_LIMIT)
    except NotFoundError:
        return None


def _hash(backend: Backend, path: str) -> str | None:
    data = _find_bytes(backend, path)
    return None if data is None else hashlib.sha256(data).hexdigest()


def _clock() -> str:
    return NOW
