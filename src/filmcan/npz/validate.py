"""Judge an artifact's file: container, meta, arrays against their schema (C8).

Reads every byte, changes nothing, and never raises on bad content: what is wrong is a report.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from filmcan.contract.issues import Issue, Report, shown
from filmcan.contract.meta import Identity, find_meta_difference, validate_meta
from filmcan.contract.registry import get_schema
from filmcan.contract.validate import META_KEYS, validate_arrays, validate_frame_indices
from filmcan.errors import InvalidArtifactError, InvalidSchemaError, NotFoundError
from filmcan.npz.reader import NpzReader, open_npz
from filmcan.npz.source import ByteSource, open_file, open_source
from filmcan.npz.sub_artifacts import OpenBeside, SubArtifacts, read_references

if TYPE_CHECKING:
    import numpy as np

    from filmcan.contract.schema import ArtifactSchema


def validate_npz(
    path: str | Path,
    required_meta_keys: Iterable[str] | None = None,
    *,
    allow_unknown_schema: bool = False,
    identity: Identity | None = None,
) -> Report:
    """Return everything that is wrong with an artifact.

    Args:
        path: The NPZ.
        required_meta_keys: None demands the full meta and `meta_json`; a given list, even an
            empty one, is taken literally: artifacts from elsewhere often hold only `meta`.
        allow_unknown_schema: Judge container and meta alone when the registry does not know the
            schema_version, instead of calling that an error.
        identity: Where the artifact lies in a store; its meta must agree. None: not checked.

    Raises:
        NotFoundError: There is no such file.
        StoreUnavailableError: The disk refused.
    """
    try:
        source = open_source(path)
    except InvalidArtifactError as error:
        return Report((_from_error(error),))
    report, _ = validate_source(
        source,
        required_meta_keys,
        allow_unknown_schema=allow_unknown_schema,
        identity=identity,
        open_beside=lambda name: open_file(Path(path).parent / name),
    )
    return report


def validate_source(
    source: ByteSource,
    required_meta_keys: Iterable[str] | None = None,
    *,
    allow_unknown_schema: bool = False,
    identity: Identity | None = None,
    open_beside: OpenBeside | None = None,
) -> tuple[Report, dict[str, object] | None]:
    """Return everything that is wrong with an artifact's bytes, and its meta when it has one.

    The source is closed. Arguments are those of `validate_npz`; `open_beside` opens the files
    that lie beside the artifact, by name.
    """
    required = None if required_meta_keys is None else tuple(required_meta_keys)
    try:
        reader = open_npz(source)
    except InvalidArtifactError as error:
        return Report((_from_error(error),)), None
    with closing(reader):
        arrays, issues = _read_arrays(reader)
        beside, found = _read_sub_artifacts(reader, open_beside)
        arrays.update(beside)
        issues += found
        meta, found = _read_metas(reader, strict=required is None)
    issues += found
    if meta is None:
        return Report(tuple(issues)), None
    schema, found = _find_schema(meta, allow_unknown=allow_unknown_schema, strict=required is None)
    issues += found
    issues += validate_meta(
        meta,
        required_keys=required,
        extra_keys=schema.extra_meta if schema is not None else (),
        identity=identity,
        empty_reasons=schema.empty_reasons if schema is not None else (),
    )
    if meta.get("status") == "error":
        message = "an error has no artifact (C6.4), yet here is one"
        issues.append(Issue("error", "error_with_artifact", "meta.status", message))
    if schema is not None:
        issues += validate_arrays(arrays, schema, status=str(meta.get("status")))
    else:
        issues += validate_frame_indices(arrays)
    return Report(tuple(issues)), meta


def _read_arrays(reader: NpzReader) -> tuple[dict[str, np.ndarray], list[Issue]]:
    """Read every array but the metas, each with its checksum."""
    arrays, issues = {}, []
    for key in reader:
        if key in META_KEYS:
            continue
        try:
            arrays[key] = reader.read(key)
        except InvalidArtifactError as error:
            issues.append(_from_error(error, key))
    return arrays, issues


def _read_sub_artifacts(
    reader: NpzReader, open_beside: OpenBeside | None
) -> tuple[dict[str, np.ndarray], list[Issue]]:
    """Map every array that lies beside the artifact, after comparing its digest (C9.4)."""
    try:
        references = read_references(reader)
    except InvalidArtifactError as error:
        return {}, [_from_error(error, "sub_artifacts")]
    if references and open_beside is None:
        message = "arrays lie beside the artifact, but there is no folder to find them in"
        return {}, [Issue("error", "sub_artifact_missing", "sub_artifacts", message)]
    arrays: dict[str, np.ndarray] = {}
    issues = []
    if open_beside is not None:
        beside = SubArtifacts(references, open_beside)
        for key, reference in references.items():
            try:
                beside.check(key)
                arrays[key] = beside.open(key).map()
            except NotFoundError:
                message = f"{reference.path} is not there"
                issues.append(Issue("error", "sub_artifact_missing", key, message))
            except InvalidArtifactError as error:
                issues.append(_from_error(error, key))
        beside.close()
    return arrays, issues


def _read_metas(reader: NpzReader, *, strict: bool) -> tuple[dict[str, object] | None, list[Issue]]:
    """Read `meta` and `meta_json` and compare them (C4.4)."""
    keys = set(reader.keys())
    if "meta" not in keys:
        return None, [Issue("error", "meta_missing", "meta", "the artifact has no meta")]
    try:
        meta = reader.read_meta_object()
    except InvalidArtifactError as error:
        return None, [_from_error(error, "meta")]
    if "meta_json" not in keys:
        if strict:
            message = "the artifact has no meta_json"
            return meta, [Issue("error", "meta_json_missing", "meta_json", message)]
        return meta, []
    try:
        difference = find_meta_difference(meta, reader.read_meta())
    except InvalidArtifactError as error:
        return meta, [_from_error(error, "meta_json")]
    if difference is not None:
        return meta, [Issue("error", "meta_disagrees", "meta_json", difference)]
    return meta, []


def _find_schema(
    meta: dict[str, object], *, allow_unknown: bool, strict: bool
) -> tuple[ArtifactSchema | None, list[Issue]]:
    version, producer = meta.get("schema_version"), meta.get("producer")
    if version is None and not strict:
        message = "no schema_version, so the arrays were not held to a schema"
        return None, [Issue("warning", "schema_unknown", "meta.schema_version", message)]
    try:
        return get_schema(str(version), str(producer)), []
    except (NotFoundError, InvalidSchemaError) as error:
        if allow_unknown:
            return None, []
        message = f"{shown(version)} for {shown(producer)}: {error.message}"
        return None, [Issue("error", "schema_unknown", "meta.schema_version", message)]


def _from_error(error: InvalidArtifactError, key: str = "") -> Issue:
    return Issue("error", error.code, key, error.message)
