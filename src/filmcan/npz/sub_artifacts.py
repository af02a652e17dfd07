"""How an artifact names the `.npy` files that lie beside it (C9.4).

One member, `sub_artifacts`: the references as canonical JSON in a 0-d unicode array. It is small,
so it lies in the tail with the meta.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from filmcan.contract.canonical import JsonError, canonical_json, parse_json
from filmcan.contract.ids import find_id_fault
from filmcan.contract.issues import Issue, shown
from filmcan.contract.reading import MAX_PROBLEMS, ObjectReader
from filmcan.contract.records import find_digest_fault
from filmcan.npz.npy import NpyReader, open_npy
from filmcan.npz.reader import NpzReader
from filmcan.npz.refusal import PLACELESS, Named, raise_at, refuse
from filmcan.npz.source import ByteSource, choose_step, read_exactly
from filmcan.npz.zip_names import build_name, find_key_fault

SUB_ARTIFACTS = "sub_artifacts"
OpenBeside = Callable[[str], ByteSource]
"""Opens a file in the artifact's own folder by its name."""

_HASH_BYTES = 1 << 20
_FIELDS = ("path", "size_bytes", "sha256", "dtype", "shape")


@dataclass(frozen=True, slots=True)
class SubArtifact:
    """One array that lies in a file of its own.

    Attributes:
        key: The array's key.
        path: Name of the file, in the artifact's own folder.
        size_bytes: Its size.
        sha256: Digest of its bytes, lower-case hex.
        dtype: numpy's name of the element type.
        shape: Sizes of the axes.
    """

    key: str
    path: str
    size_bytes: int
    sha256: str
    dtype: str
    shape: tuple[int, ...]


class SubArtifacts:
    """The arrays of one artifact that lie in files of their own, each opened when asked for."""

    def __init__(
        self, references: Mapping[str, SubArtifact], open_beside: OpenBeside, artifact: Named
    ) -> None:
        """Remember where they lie; nothing is opened yet.

        Args:
            references: Key -> what the artifact says of it.
            open_beside: Opens a file of the artifact's folder by its name.
            artifact: Whom errors name.
        """
        self.references = references
        self._artifact = artifact
        self._open_beside = open_beside
        self._open: dict[str, NpyReader] = {}

    def open(self, key: str) -> NpyReader:
        """Return the open file of an array, after holding it against its reference.

        Raises:
            NotFoundError: The file is not there.
            InvalidArtifactError: It is not the file the artifact names.
        """
        if key not in self._open:
            reference = self.references[key]
            source = self._open_beside(reference.path)
            try:
                self._open[key] = _hold(open_npy(source), source.size, reference)
            except PLACELESS as error:
                raise_at(error, self._artifact, key)
        return self._open[key]

    def read(self, key: str, rows: slice | None, *, verify: bool) -> np.ndarray:
        """Return an array, or some rows of it; a whole one only if its digest is right.

        Raises:
            NotFoundError: The file is not there.
            InvalidArtifactError: It is damaged, or not the file the artifact names.
        """
        reader = self.open(key)
        if rows is None and verify:
            self.check(key)
        return reader.read(rows)

    def check(self, key: str) -> None:
        """Read every byte of an array's file and compare the digest.

        Raises:
            NotFoundError: The file is not there.
            InvalidArtifactError: It is damaged, or not the file the artifact names.
        """
        reference = self.references[key]
        source = self._open_beside(reference.path)
        try:
            _check_digest(source, reference)
        except PLACELESS as error:
            raise_at(error, self._artifact, key)

    def close(self) -> None:
        """Close what is open; arrays and memory maps stay valid."""
        for reader in self._open.values():
            reader.close()
        self._open.clear()


def read_references(npz: NpzReader) -> dict[str, SubArtifact]:
    """Return what an artifact names beside itself, key -> reference.

    Raises:
        InvalidArtifactError: The references are damaged, or name a key that the artifact holds.
    """
    if SUB_ARTIFACTS not in npz:
        return {}
    text = npz.read_text(SUB_ARTIFACTS, "sub_artifacts")
    try:
        references = parse_references(text)
        for key in references:
            if key in npz:
                raise refuse("sub_artifacts", f"{key} is in the artifact and beside it")
    except PLACELESS as error:
        raise_at(error, npz, SUB_ARTIFACTS)
    return references


def build_sub_artifact_name(key: str, sha256: str) -> str:
    """Return the name of a sub-artifact's file; it never changes its content (C4.5)."""
    return f"{key}.{sha256[:12]}.npy"


def build_references(references: Iterable[SubArtifact]) -> np.ndarray:
    """Return the member `sub_artifacts`: str, 0-d.

    Raises:
        InvalidArtifactError: A key is none that the writer takes.
    """
    table: dict[str, object] = {}
    for item in references:
        build_name(item.key)  # refuses what no member could be called
        table[item.key] = {
            "path": item.path,
            "size_bytes": item.size_bytes,
            "sha256": item.sha256,
            "dtype": item.dtype,
            "shape": list(item.shape),
        }
    return np.array(canonical_json(table))


def parse_references(text: str) -> dict[str, SubArtifact]:
    """Return key -> reference.

    Raises:
        InvalidArtifactError: The text is damaged, a key is none that a member could have, or a path
            leads out of the artifact's folder.
    """
    try:
        value = parse_json(text)
    except JsonError as error:
        raise refuse("sub_artifacts", f"the references are no JSON: {error}") from error
    problems: list[Issue] = []
    root = ObjectReader(value, "", problems)
    found = {}
    for key in root.value:
        fault = find_key_fault(key)
        if fault:
            root.report(f"the key {fault}", shown(key))
        else:
            found[key] = _parse_reference(key, root.child(key))
        if len(problems) >= MAX_PROBLEMS:
            break
    if problems:
        told = "; ".join(f"{issue.key}: {issue.message}" for issue in problems)
        raise refuse("sub_artifacts", told)
    return found


def _parse_reference(key: str, reader: ObjectReader) -> SubArtifact:
    reader.only(_FIELDS)
    shape = reader.value.get("shape")
    if not isinstance(shape, list) or not all(type(axis) is int and axis >= 0 for axis in shape):
        reader.report("expected a list of sizes", "shape")
        shape = []
    return SubArtifact(
        key=key,
        path=reader.checked("path", _find_path_fault),
        size_bytes=reader.whole("size_bytes"),
        sha256=reader.checked("sha256", find_digest_fault),
        dtype=reader.text("dtype"),
        shape=tuple(shape),
    )


def _check_digest(source: ByteSource, reference: SubArtifact) -> None:
    digest = hashlib.sha256()
    step = choose_step(source, _HASH_BYTES)
    for offset in range(0, source.size, step):
        digest.update(read_exactly(source, offset, min(step, source.size - offset)))
    if digest.hexdigest() != reference.sha256:
        raise refuse(
            "hash_mismatch",
            f"{reference.path} has sha256 {digest.hexdigest()}, "
            f"the artifact says {reference.sha256}",
        )


def _hold(reader: NpyReader, size_bytes: int, reference: SubArtifact) -> NpyReader:
    found = (size_bytes, reader.dtype.name, reader.shape)
    wanted = (reference.size_bytes, reference.dtype, reference.shape)
    if found != wanted:
        reader.close()
        raise refuse("sub_artifacts", f"{reference.path} is {found}, the artifact says {wanted}")
    return reader


def _find_path_fault(path: str) -> str | None:
    if find_id_fault("video_id", path) or not path.endswith(".npy"):
        return f"no plain name of a .npy beside the artifact: {path[:80]!r}"
    return None
