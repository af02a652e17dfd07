"""Judge an artifact's file: container, meta, arrays against their schema (C8).

Reads every byte, changes nothing, and never raises on bad content: what is wrong is a report.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from filmcan.contract.canonical import canonical_json
from filmcan.contract.imported import find_form
from filmcan.contract.issues import Issue, Level, Report, shown
from filmcan.contract.meta import Identity, find_meta_difference, validate_meta
from filmcan.contract.named_masks import validate_named_masks
from filmcan.contract.registry import get_schema
from filmcan.contract.source_rules import validate_samples
from filmcan.contract.validate import META_KEYS, validate_arrays, validate_unknown_arrays
from filmcan.errors import InvalidArtifactError, InvalidSchemaError, NotFoundError
from filmcan.npz.reader import NpzReader, open_npz
from filmcan.npz.source import ByteSource, open_file, open_source
from filmcan.npz.sub_artifacts import OpenBeside, SubArtifacts, read_references

if TYPE_CHECKING:
    import numpy as np

    from filmcan.contract.schema import ArtifactSchema

FindSchema = Callable[[str, str], "ArtifactSchema"]
"""Gives the rules for a schema_version and a component; raises when there are none."""


def validate_npz(
    path: str | Path,
    required_meta_keys: Iterable[str] | None = None,
    *,
    allow_unknown_schema: bool = False,
    identity: Identity | None = None,
    find_schema: FindSchema = get_schema,
) -> Report:
    """Return everything that is wrong with an artifact.

    Args:
        path: The NPZ.
        required_meta_keys: None demands the full meta and `meta_json`; a given list, even an
            empty one, is taken literally: artifacts from elsewhere often hold only `meta`.
        allow_unknown_schema: When the registry does not know the schema_version, warn and judge
            what holds for every artifact, instead of calling that an error.
        identity: Where the artifact lies in a store; its meta must agree. None: not checked.
        find_schema: Gives the rules of a schema_version and component; the registry by default.

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
        find_schema=find_schema,
    )
    return report


def validate_source(
    source: ByteSource,
    required_meta_keys: Iterable[str] | None = None,
    *,
    allow_unknown_schema: bool = False,
    identity: Identity | None = None,
    open_beside: OpenBeside | None = None,
    media: Mapping[str, object] | None = None,
    find_schema: FindSchema = get_schema,
    allow_carried: bool = False,
) -> tuple[Report, dict[str, object] | None]:
    """Return everything that is wrong with an artifact's bytes, and its meta when it has one.

    The source is closed. Arguments are those of `validate_npz`, and:

    Args:
        source: The artifact's bytes.
        required_meta_keys: See `validate_npz`.
        allow_unknown_schema: See `validate_npz`.
        identity: See `validate_npz`.
        open_beside: Opens the files that lie beside the artifact, by name.
        media: The `source` of the run's manifest; times and frames must lie inside it. None: not
            checked.
        find_schema: See `validate_npz`.
        allow_carried: An imported artifact that is marked as carried is not held to its schema;
            one warning says what that would find. For artifacts in their place in a store.
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
    status = meta.get("status") if isinstance(meta.get("status"), str) else None
    schema, against_schema = _find_schema(
        meta, find_schema, allow_unknown=allow_unknown_schema, strict=required is None
    )
    if schema is None:
        against_schema += validate_unknown_arrays(arrays)
    else:
        against_schema += validate_arrays(arrays, schema, status=str(status))
    against_schema += validate_named_masks(arrays, schema)
    if allow_carried and find_form(meta) == "carried":
        against_schema = _sum_up(against_schema, meta)
    issues += validate_meta(
        meta,
        required_keys=required,
        extra_keys=schema.extra_meta if schema is not None else (),
        identity=identity,
        empty_reasons=schema.empty_reasons if schema is not None else (),
    )
    if status == "error":
        message = "an error has no artifact (C6.4), yet here is one"
        issues.append(Issue("error", "error_with_artifact", "meta.status", message))
    issues += against_schema
    if media is not None:
        issues += validate_samples(arrays, media, kind=schema.kind if schema is not None else "")
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
        beside = SubArtifacts(references, open_beside, reader)
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
        found = reader.read_meta_json()
        text = str(reader.read("meta_json").item())
    except InvalidArtifactError as error:
        return meta, [_from_error(error, "meta_json")]
    difference = find_meta_difference(meta, found)
    if difference is not None:
        return meta, [Issue("error", "meta_disagrees", "meta_json", difference)]
    if strict and text != canonical_json(found):
        message = "says the same as meta, but not as canonical JSON"
        return meta, [Issue("warning", "meta_not_canonical", "meta_json", message)]
    return meta, []


def _find_schema(
    meta: dict[str, object], find_schema: FindSchema, *, allow_unknown: bool, strict: bool
) -> tuple[ArtifactSchema | None, list[Issue]]:
    version, producer = meta.get("schema_version"), meta.get("producer")
    if version is None and not strict:
        message = "no schema_version, so the arrays were not held to a schema"
        return None, [Issue("warning", "schema_unknown", "meta.schema_version", message)]
    try:
        return find_schema(str(version), str(producer)), []
    except (NotFoundError, InvalidSchemaError) as error:
        message = f"{shown(version)} for {shown(producer)}: {error.message}"
        level: Level = "warning" if allow_unknown else "error"
        return None, [Issue(level, "schema_unknown", "meta.schema_version", message)]


def _sum_up(found: list[Issue], meta: dict[str, object]) -> list[Issue]:
    """Return one warning for all that an artifact from elsewhere does not satisfy."""
    keys = list(dict.fromkeys(issue.key for issue in found if issue.level == "error"))
    message = (
        f"imported and kept as it came: not held to {shown(meta.get('schema_version'))}, "
        f"which would find faults in {len(keys)} keys"
    )
    return [Issue("warning", "imported_carried", "meta.schema_version", message)]


def _from_error(error: InvalidArtifactError, key: str = "") -> Issue:
    return Issue("error", error.code, key, error.message)
