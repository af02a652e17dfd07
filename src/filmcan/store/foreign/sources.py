"""The files of one foreign component: found, hashed, held to what was recorded, and read."""

from __future__ import annotations

import hashlib
import re
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from filmcan.contract.schema_rules import KEY_NAME
from filmcan.errors import InvalidContentError, StoreUnavailableError
from filmcan.npz.artifact import Artifact
from filmcan.npz.npy import open_npy
from filmcan.npz.reader import open_npz
from filmcan.npz.source import FileSource, read_exactly
from filmcan.store.foreign.files import find_file
from filmcan.store.foreign.plain import strip_places

if TYPE_CHECKING:
    import numpy as np

    from filmcan.npz.source import ByteSource
    from filmcan.store.base import Backend
    from filmcan.store.foreign.files import FolderContent
    from filmcan.store.foreign.manifest import ForeignFile, ForeignRow
    from filmcan.store.foreign.outcome import RunOutcome

_READ_BYTES = 4 << 20
_SUFFIXES = (".npz", ".npy")


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file that a row lists, read whole once for its digest.

    Attributes:
        path: Relative to the run's folder.
        size_bytes: Its size.
        sha256: Digest of its bytes.
        fault: Why it is not the file the manifest lists, empty when it may be.
    """

    path: str
    size_bytes: int
    sha256: str
    fault: str = ""


@dataclass(frozen=True, slots=True)
class ForeignArtifact:
    """What an NPZ and the files beside it hold.

    Attributes:
        meta: As read.
        arrays: Key -> array, those beside the NPZ too.
        beside: Keys of these.
        adopted: Those of them that the NPZ does not name, named like their file.
    """

    meta: dict[str, object]
    arrays: dict[str, np.ndarray]
    beside: frozenset[str]
    adopted: tuple[str, ...]


def find_sources(
    backend: Backend, row: ForeignRow, content: FolderContent, outcome: RunOutcome
) -> tuple[SourceFile, ...] | None:
    """Return the files with arrays that a row lists and that are there.

    None when one of them cannot be read now: then nothing can be said of the component.

    Args:
        backend: The source store.
        row: What the manifest says of a component.
        content: What lies in the run's folder.
        outcome: Is told what is not there, cannot be read, or could not be verified.
    """
    found = []
    is_readable = True
    for file in row.files:
        path = find_file(file.path, row.name, content)
        if path is None and file.path.endswith(_SUFFIXES):
            message = f"listed as {strip_places(file.path)[:200]}, but not there"
            outcome.tell("error", "artifact_missing", row.name, message)
        if path is None or not path.endswith(_SUFFIXES):
            continue
        try:
            source = _hash(backend, outcome.path, path, file)
        except InvalidContentError as error:
            outcome.tell("error", error.code, row.name, error.message, path)
            continue
        except StoreUnavailableError as error:
            outcome.refuse_file(path, row.name, content.files[path], error)
            is_readable = False
            continue
        if path != file.path:
            message = "its path is that of another place; the file of this run was taken"
            outcome.tell("warning", "path_rebased", row.name, message, path)
        if file.size_bytes is None or file.sha256 is None:
            message = "its size and sha256 were not both recorded: its bytes are taken as they are"
            outcome.tell("warning", "digest_unrecorded", row.name, message, path)
        found.append(source)
    return tuple(found) if is_readable else None


def read_artifact(
    backend: Backend, run_path: str, main: SourceFile, others: tuple[SourceFile, ...]
) -> ForeignArtifact:
    """Read an NPZ whole, and the `.npy` files that belong to it.

    Files beside it that the NPZ does not name become keys, named like the file.

    Args:
        backend: The source store.
        run_path: `platform_id/video_id/run_id`.
        main: The NPZ.
        others: Further files that the component's row lists.

    Raises:
        InvalidContentError: A file is damaged, hostile, or cannot become a key.
        NotFoundError: A file that the NPZ names is not there.
        StoreUnavailableError: The source cannot be read.
    """
    folder = f"{run_path}/{main.path}".rpartition("/")[0]

    def open_beside(name: str) -> ByteSource:
        return backend.open(f"{folder}/{name}")

    npz = open_npz(backend.open(f"{run_path}/{main.path}"))
    with Artifact(npz, None, open_beside) as artifact:
        meta = artifact.meta
        references = artifact.sub_artifacts.references
        arrays = {key: artifact.read(key) for key in artifact}
    adopted = []
    named = {f"{folder}/{reference.path}" for reference in references.values()}
    for other in others:
        place = f"{run_path}/{other.path}"
        if other.path.endswith(".npy") and place not in named:
            key = place.rpartition("/")[2].removesuffix(".npy")
            if not re.fullmatch(KEY_NAME, key) or key in arrays:
                message = f"{key[:80]!r} cannot become a key of the artifact beside which it lies"
                raise InvalidContentError(message, code="sub_artifact_name", where=other.path)
            with closing(open_npy(backend.open(place))) as npy:
                arrays[key] = npy.read()
            adopted.append(key)
    return ForeignArtifact(meta, arrays, frozenset({*references, *adopted}), tuple(adopted))


def _hash(backend: Backend, run_path: str, path: str, listed: ForeignFile) -> SourceFile:
    source = backend.open(f"{run_path}/{path}")
    try:
        digest = hashlib.sha256()
        for offset in range(0, source.size, _READ_BYTES):
            digest.update(read_exactly(source, offset, min(_READ_BYTES, source.size - offset)))
        size, sha256 = source.size, digest.hexdigest()
    finally:
        if isinstance(source, FileSource):
            source.close()
    fault = ""
    if listed.size_bytes not in (None, size):
        fault = f"it has {size} bytes, its manifest says {listed.size_bytes}"
    elif listed.sha256 not in (None, sha256):
        fault = f"its sha256 is {sha256}, its manifest says {listed.sha256}"
    return SourceFile(path, size, sha256, fault)
