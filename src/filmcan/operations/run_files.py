"""The files of a run as they are stored, and single arrays as `.npy`, for downloads."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from filmcan.contract.manifest import MANIFEST_NAME, MAX_MANIFEST_BYTES
from filmcan.errors import InvalidArtifactError, NotFoundError
from filmcan.npz.artifact import Artifact
from filmcan.npz.source import ByteSource, FileSource
from filmcan.store.manifests import build_run_path

if TYPE_CHECKING:
    from filmcan.contract.manifest import ArtifactRecord
    from filmcan.store.run import Run
    from filmcan.store.store import Store

__all__ = [
    "ByteSource",
    "RunFile",
    "find_artifact",
    "hash_manifest",
    "open_run_file",
    "read_array",
    "read_manifest_bytes",
]

_MOST_ARRAY_BYTES = 256 << 20


@dataclass(frozen=True, slots=True)
class RunFile:
    """A listed file, open for reading; close it.

    Attributes:
        name: Its base name.
        sha256: Digest by the manifest: what a cache may know it by.
        size_bytes: Its size.
        source: Its bytes.
    """

    name: str
    sha256: str
    size_bytes: int
    source: ByteSource

    def close(self) -> None:
        """Close the file."""
        if isinstance(self.source, FileSource):
            self.source.close()


def read_manifest_bytes(run: Run) -> bytes:
    """Return the manifest as it is stored.

    Raises:
        NotFoundError: It is gone.
        StoreUnavailableError: The store refused.
    """
    return run.backend.read(f"{run.path}/{MANIFEST_NAME}", limit=MAX_MANIFEST_BYTES)


def hash_manifest(store: Store, platform_id: str, video_id: str, run_id: str) -> str:
    """Return the digest of a manifest's bytes: it changes whenever anything the run lists does.

    Take it before the run is read: what is written in between then costs one more answer, while
    the other order would put a new tag on an old one.

    Raises:
        InvalidIdError: An id is refused.
        NotFoundError: There is no such run.
        StoreUnavailableError: The store refused.
    """
    path = f"{build_run_path(platform_id, video_id, run_id)}/{MANIFEST_NAME}"
    return hashlib.sha256(store.backend.read(path, limit=MAX_MANIFEST_BYTES)).hexdigest()


def find_artifact(run: Run, component: str) -> ArtifactRecord:
    """Return the record of a component's NPZ.

    Raises:
        NotFoundError: The run has no such component, or it has no artifact.
    """
    record = run.components.get(component)
    if record is None:
        raise NotFoundError(f"the run has no component {component!r}", where=run.path)
    for artifact in record.artifacts:
        if artifact.kind == "npz":
            return artifact
    raise NotFoundError(
        f"{component} has no artifact: it ended with status {record.status}", where=run.path
    )


def open_run_file(run: Run, component: str, name: str) -> RunFile:
    """Open a file that the manifest lists for a component, by its name in the component's folder.

    Raises:
        NotFoundError: The manifest lists no such file, or it is not there.
        InvalidArtifactError: Its size is not the one in the manifest.
        StoreUnavailableError: The store refused.
    """
    record = run.components.get(component)
    path = f"{component}/{name}"
    for artifact in record.artifacts if record is not None else ():
        if artifact.path == path:
            return _open(run, artifact)
    raise NotFoundError("the manifest lists no such file", where=f"{run.path}/{path}"[:200])


def read_array(run: Run, component: str, key: str) -> bytes:
    """Return one array as the bytes of a `.npy` file.

    Raises:
        NotFoundError: There is no such component, artifact or key.
        InvalidArtifactError: The array is damaged, holds objects, or is too large for this way.
        StoreUnavailableError: The store refused.
    """
    with run[component] as artifact:
        _check_array(artifact, key)
        array = artifact[key]
    output = io.BytesIO()
    np.lib.format.write_array(output, array, allow_pickle=False)
    return output.getvalue()


def _check_array(artifact: Artifact, key: str) -> None:
    dtype, shape = artifact.dtype(key), artifact.shape(key)
    if dtype.hasobject:
        raise InvalidArtifactError(
            f"{key} holds objects, which a .npy could only pickle",
            code="object_array",
            where=artifact.name,
            hint="Take the view `full`, or the artifact itself.",
        )
    if dtype.itemsize * int(np.prod(shape, dtype=object)) > _MOST_ARRAY_BYTES:
        raise InvalidArtifactError(
            f"{key} has more than {_MOST_ARRAY_BYTES} bytes",
            code="too_large",
            where=artifact.name,
            hint="Download the artifact, or the .npy beside it.",
        )


def _open(run: Run, artifact: ArtifactRecord) -> RunFile:
    place = f"{run.path}/{artifact.path}"
    source = run.backend.open(place)
    file = RunFile(artifact.path.rpartition("/")[2], artifact.sha256, source.size, source)
    if source.size != artifact.size_bytes:
        file.close()
        raise InvalidArtifactError(
            f"it has {source.size} bytes, the manifest says {artifact.size_bytes}",
            code="size_mismatch",
            where=place,
            hint="See `filmcan fsck`.",
        )
    return file
