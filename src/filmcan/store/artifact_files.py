"""Write one component's files: the NPZ, and the very large arrays that lie beside it (C9.4).

Each file is flushed and published before its name is returned; listing it is the transaction's
affair. Names come from the content, so a path never changes what it holds (C4.5).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from filmcan.contract.ids import parse_id
from filmcan.contract.manifest import ArtifactRecord
from filmcan.npz.npy import write_npy
from filmcan.npz.sub_artifacts import (
    SUB_ARTIFACTS,
    SubArtifact,
    build_references,
    build_sub_artifact_name,
)
from filmcan.npz.writer import write_npz

if TYPE_CHECKING:
    import numpy as np

    from filmcan.store.base import Backend

SUB_ARTIFACT_BYTES = 64 * 1024 * 1024
"""Arrays of this size or more lie beside their NPZ, as `.npy`."""


def write_artifacts(
    backend: Backend,
    run_path: str,
    component: str,
    arrays: Mapping[str, np.ndarray],
    meta: Mapping[str, object],
    *,
    sub_artifact_bytes: int = SUB_ARTIFACT_BYTES,
    beside: Collection[str] = (),
) -> tuple[ArtifactRecord, ...]:
    """Write arrays and meta of one component; the NPZ's record comes first.

    Arrays of `sub_artifact_bytes` or more lie beside the NPZ, and those named in `beside`.

    Raises:
        InvalidArtifactError: An array or the meta cannot be written.
        StoreUnavailableError: The store refused; what was written is unlisted.
    """
    folder = f"{run_path}/{parse_id('component', component)}"
    kept: dict[str, np.ndarray] = {}
    references = []
    for key, array in arrays.items():
        is_large = array.nbytes >= sub_artifact_bytes and array.ndim and array.dtype != object
        if is_large or key in beside:
            references.append(_write_sub_artifact(backend, folder, key, array))
        else:
            kept[key] = array
    if references:
        kept[SUB_ARTIFACTS] = build_references(references)
    with backend.stage(folder) as staged:
        written = write_npz(staged.file, kept, meta, sync=staged.sync)
        name = build_artifact_name(component, written.sha256)
        staged.publish(f"{folder}/{name}")
    npz = ArtifactRecord(f"{component}/{name}", written.size_bytes, written.sha256, "npz")
    others = (
        ArtifactRecord(f"{component}/{item.path}", item.size_bytes, item.sha256, "npy")
        for item in references
    )
    return (npz, *others)


def build_artifact_name(component: str, sha256: str) -> str:
    """Return the name of an artifact's file."""
    return f"{component}.{sha256[:12]}.npz"


def _write_sub_artifact(backend: Backend, folder: str, key: str, array: np.ndarray) -> SubArtifact:
    with backend.stage(folder) as staged:
        written = write_npy(staged.file, array, sync=staged.sync)
        name = build_sub_artifact_name(key, written.sha256)
        staged.publish(f"{folder}/{name}")
    return SubArtifact(
        key, name, written.size_bytes, written.sha256, array.dtype.name, tuple(array.shape)
    )
