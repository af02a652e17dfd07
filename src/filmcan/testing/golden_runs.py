"""Runs that must stay readable for ever: what a folder of them holds, and what is wrong with it.

`tests/released` says what such a folder looks like. Everything is read by the public ways of
reading, and compared with an index that was written when the runs were frozen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from filmcan.contract.canonical import JsonError, parse_json
from filmcan.contract.registry import get_schema_document, list_schema_versions
from filmcan.contract.schema import ArtifactSchema, find_components, parse_schema
from filmcan.contract.signature import hash_canonical
from filmcan.errors import FilmcanError, NotFoundError
from filmcan.npz.artifact import open_artifact
from filmcan.operations.validation import validate_target

INDEX = "index.json"
STORE = "result_store"
STATES = ("test", "candidate", "released")
STATUSES = ("ok", "empty")


def build_index(folder: Path, state: str) -> dict[str, object]:
    """Return what a folder of golden runs holds, read from its own files."""
    store = folder / STORE
    paths = sorted(path for path in store.rglob("*") if path.is_file())
    return {
        "schema_version": folder.name,
        "state": state,
        "schema_sha256": hash_canonical(_find_document(folder, state)),
        "files": {
            path.relative_to(store).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in paths
        },
        "artifacts": {
            path.relative_to(store).as_posix(): describe_artifact(path)
            for path in paths
            if path.suffix == ".npz"
        },
    }


def describe_artifact(path: Path) -> dict[str, object]:
    """Return what an artifact says: who made it, its status, its keys, its features."""
    with open_artifact(path) as artifact:
        arrays = {key: artifact[key] for key in artifact}
        meta = artifact.meta
    values = arrays["feature_values"].tolist()
    return {
        "component": meta["producer"],
        "status": meta["status"],
        "keys": {
            key: f"{array.dtype.str}{list(array.shape)} {_hash_array(array)}"
            for key, array in sorted(arrays.items())
        },
        "features": {
            str(name): None if np.isnan(value) else value
            for name, value in zip(arrays["feature_names"].tolist(), values, strict=True)
        },
    }


def find_faults(folder: Path) -> list[str]:
    """Return everything that is no longer as it was frozen; nothing when all is well."""
    try:
        index = _read_index(folder)
        document = _find_document(folder, index["state"])
        return [*_compare(folder, index), *_judge(folder, index, document)]
    except (OSError, JsonError, LookupError, FilmcanError) as error:
        return [f"{folder.name}: cannot be read: {error}"]


def find_unproved(released: Iterable[str], folders: Iterable[Path]) -> list[str]:
    """Return the released schema_versions that have no folder of state `released`."""
    proved = set()
    for folder in folders:
        if _read_index(folder)["state"] == "released":
            proved.add(folder.name)
    return sorted(set(released) - proved)


def _find_document(folder: Path, state: str) -> object:
    """Return the schema that a folder's artifacts were made under."""
    version = folder.name
    if state == "test":
        return parse_json((folder / f"{version}.json").read_bytes())
    return get_schema_document(version, "released" if state == "released" else "in_force")


def _read_index(folder: Path) -> dict[str, Any]:
    index = parse_json((folder / INDEX).read_bytes())
    if not isinstance(index, dict):
        raise NotFoundError("the index is no object", where=str(folder))
    return index


def _compare(folder: Path, index: dict[str, Any]) -> Iterator[str]:
    state = index["state"]
    if state not in STATES or index["schema_version"] != folder.name:
        yield f"{folder.name}: the index is not that of this folder"
    if state == "candidate" and folder.name in list_schema_versions("released"):
        yield f"{folder.name}: released, so its runs are candidates no more"
    if state == "test" and folder.name in list_schema_versions():
        yield f"{folder.name}: a version of the registry is no test schema"
    found = build_index(folder, state)
    for field in ("schema_sha256", "files", "artifacts"):
        if found[field] != index[field]:
            yield f"{folder.name}: {field} differ: {_find_difference(index[field], found[field])}"


def _judge(folder: Path, index: dict[str, Any], document: object) -> Iterator[str]:
    def find_schema(schema_version: str, component: str) -> ArtifactSchema:
        if schema_version != folder.name:
            raise NotFoundError(f"{schema_version} is not {folder.name}")
        return parse_schema(document, component)

    verdict = validate_target(str(folder / STORE), find_schema=find_schema)
    for issue in verdict.report:
        yield f"{issue.where}: {issue.code}: {issue.key} {issue.message}"
    if verdict.artifacts != len(index["artifacts"]):
        yield f"{folder.name}: {verdict.artifacts} artifacts are listed by manifests"
    seen = {(item["component"], item["status"]) for item in index["artifacts"].values()}
    for component in find_components(document):
        for status in STATUSES:
            if (component, status) not in seen:
                yield f"{folder.name}: no artifact of {component} is {status}"


def _find_difference(wanted: object, found: object) -> str:
    if isinstance(wanted, Mapping) and isinstance(found, Mapping):
        names = [name for name in {**wanted, **found} if wanted.get(name) != found.get(name)]
        return ", ".join(str(name) for name in names)
    return f"{wanted} was frozen, {found} is there"


def _hash_array(array: np.ndarray) -> str:
    """Return a digest of an array's values that no file format has a part in."""
    plain = repr(array.tolist()) if array.dtype == object else array.tobytes().hex()
    return hashlib.sha256(plain.encode()).hexdigest()[:16]
