"""Take a manifest at once where it has exactly the form that filmcan writes.

A store has a hundred thousand manifests, nearly all of them in that form: every known field there,
none unknown, indented by two, every value good. Whether a text has it is proved by writing what was
read: only a text that comes out again byte for byte is taken. So nothing stands in it twice,
nothing is left out, and no number was rounded. Such a manifest needs no reader that could name its
problems. Anything else is left to that reader, so this decides nothing: it may only accept what the
reader accepts, and reads it as the same records.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import starmap
from types import MappingProxyType
from typing import Annotated, Any, Literal

import msgspec

from filmcan.contract.canonical import MAX_DEPTH, MAX_VALUES
from filmcan.contract.ids import find_id_fault
from filmcan.contract.records import (
    ArtifactRecord,
    ComponentRecord,
    RunRecord,
    Status,
    find_artifact_path_fault,
    find_digest_fault,
    find_outcome_faults,
)
from filmcan.contract.schema import Kind
from filmcan.contract.times import find_time_fault

_INDENT = 2
_TOO_DEEP = b"\n" + b" " * (_INDENT * MAX_DEPTH)
"""Begins a line inside the last level: a container there is one too many, an empty one as well."""

_PARTS_PER_LINE = 3
"""A key, its value, and one for a bracket: `canonical.parse_json` counts no more of a line."""

_MOMENT = (
    r"[12][0-9]{3}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])"
    r"|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
    r"T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{3}Z"
)
_SURELY_GOOD = re.compile(
    rf"(?:([A-Za-z0-9_-]{{1,50}})\n{_MOMENT}\n{_MOMENT}\n"
    r"\1/\1\.[0-9a-f]{1,64}\.npz\n[0-9a-f]{64}\n)*"
)
"""Nearly all components with one artifact: name, both times, path and digest, told in one look.
What it leaves open is whether the name is a good one; what it refuses is judged part by part."""

_LINES = 5
_MOST_KEPT = 1 << 16
"""A longer profile is not remembered."""

_Object = dict[str, Any]
_Count = Annotated[int, msgspec.Meta(ge=0)]
_NO_EXTRA: Mapping[str, object] = MappingProxyType({})


class WrittenArtifact(msgspec.Struct, frozen=True, gc=False):
    """Fields of `ArtifactRecord`."""

    path: str
    size_bytes: _Count
    sha256: str
    kind: Literal["npz", "npy"]

    @property
    def extra(self) -> Mapping[str, object]:
        """Fields of a newer version: the written form has none."""
        return _NO_EXTRA


class WrittenComponent(msgspec.Struct, frozen=True, gc=False):
    """Fields of `ComponentRecord`."""

    name: str
    kind: Kind
    status: Status
    artifacts: list[WrittenArtifact]
    producer_version: str | None
    schema_version: str | None
    started_at: str | None
    finished_at: str | None
    duration_ms: _Count | None
    device_used: str | None
    error: str | None
    notes: str | None
    required: bool
    empty_reason: str | None
    model_signature: str | None
    models_used: list[_Object]
    reuse_key: _Object | None
    reused_from_run_id: str | None
    blocked_by: str | None

    @property
    def extra(self) -> Mapping[str, object]:
        """Fields of a newer version: the written form has none."""
        return _NO_EXTRA


class WrittenRun(msgspec.Struct, frozen=True, gc=False):
    """Fields of `RunRecord`. The profile is taken apart when somebody asks for it."""

    platform_id: str
    video_id: str
    run_id: str
    config_hash: str
    sampling_policy_version: str
    dataprocessor_version: str
    created_at: str
    updated_at: str
    finished_at: str | None
    status: Literal["ok", "error"] | None
    planned_components: list[str]
    profile_text: msgspec.Raw = msgspec.field(name="profile")
    source: _Object
    filmcan_version: str | None
    revision: _Count
    write_id: str | None
    peak_rss_bytes: _Count | None

    @property
    def profile(self) -> _Object:
        """The resolved profile."""
        return _decode_object(self.profile_text)

    @property
    def extra(self) -> Mapping[str, object]:
        """Fields of a newer version: the written form has none."""
        return _NO_EXTRA


class WrittenManifest(msgspec.Struct, frozen=True, gc=False):
    """A manifest in the written form, every value good; it reads like a `Manifest`."""

    run: WrittenRun
    components: list[WrittenComponent]
    render: _Object | msgspec.UnsetType = msgspec.UNSET


Parts = tuple[RunRecord, tuple[ComponentRecord, ...], dict[str, object] | None]
"""A run, its components, and what was rendered of it."""

_decode = msgspec.json.Decoder(WrittenManifest).decode
_decode_object = msgspec.json.Decoder(_Object).decode
_encode = msgspec.json.Encoder().encode
_get_values = msgspec.structs.astuple


def read_written_form(data: bytes) -> WrittenManifest | None:
    """Return what a manifest in the written form says; None: look at it field by field."""
    if _may_hold_too_many(data) or _TOO_DEEP in data:
        return None
    try:
        document = _decode(data)
        written = msgspec.json.format(_encode(document), indent=_INDENT)
    except (ValueError, RecursionError):
        return None
    if len(data) != len(written) + 1 or not data.startswith(written) or data[-1:] != b"\n":
        return None
    if not _is_good_profile(document.run.profile_text):
        return None
    if not _is_good_run(document.run) or not _are_good_components(document.components):
        return None
    names = {component.name for component in document.components}
    return document if len(names) == len(document.components) else None


def _may_hold_too_many(data: bytes) -> bool:
    """Tell whether `canonical.parse_json` might count more values than it takes."""
    if len(data) * _PARTS_PER_LINE < MAX_VALUES:
        return False  # there is no need to count lines
    return data.count(b"\n") * _PARTS_PER_LINE >= MAX_VALUES


def build_records(written: WrittenManifest) -> Parts:
    """Return the records that reading field by field would give."""
    values = _get_values(written.run)
    planned = tuple(written.run.planned_components)
    facts = (*values[:10], planned, written.run.profile, *values[12:])
    render = None if isinstance(written.render, msgspec.UnsetType) else written.render
    return RunRecord(*facts), tuple(map(_build_component, written.components)), render


def _build_component(component: WrittenComponent) -> ComponentRecord:
    values = _get_values(component)
    artifacts = tuple(starmap(ArtifactRecord, map(_get_values, component.artifacts)))
    facts = (*values[:3], artifacts, *values[4:15], tuple(component.models_used), *values[16:])
    return ComponentRecord(*facts)


def _is_good_profile(text: msgspec.Raw) -> bool:
    """Tell whether a profile, too, comes out again as it is written."""
    data = bytes(text)
    return _comes_out_again(data) if len(data) <= _MOST_KEPT else _comes_out_again.__wrapped__(data)


@lru_cache(maxsize=64)
def _comes_out_again(data: bytes) -> bool:
    """Tell whether an object stands there once and whole; a store has few profiles."""
    try:
        return _encode(_decode_object(data)) == msgspec.json.format(data, indent=-1)
    except (ValueError, RecursionError):
        return False


def _is_good_run(run: WrittenRun) -> bool:
    return not (
        find_id_fault("platform_id", run.platform_id)
        or find_id_fault("video_id", run.video_id)
        or find_id_fault("run_id", run.run_id)
        or find_time_fault(run.created_at)
        or find_time_fault(run.updated_at)
        or (run.finished_at is not None and find_time_fault(run.finished_at))
    )


def _are_good_components(components: Sequence[WrittenComponent]) -> bool:
    ordinary, texts, others = [], [], []
    for component in components:
        artifacts = component.artifacts
        if (
            len(artifacts) == 1
            and artifacts[0].kind == "npz"
            and component.error is None
            and component.status == ("empty" if component.empty_reason else "ok")
            and component.reuse_key != {}
        ):
            ordinary.append(component)
            (artifact,) = artifacts
            texts.append(
                f"{component.name}\n{component.started_at}\n{component.finished_at}\n"
                f"{artifact.path}\n{artifact.sha256}\n"
            )
        else:
            others.append(component)
    text = "".join(texts)
    # As many lines as were put together: no value holds a line of its own.
    if text.count("\n") != _LINES * len(texts) or not _SURELY_GOOD.fullmatch(text):
        others = [*components]
    return not any(_find_name_fault(item.name) for item in ordinary) and all(
        map(_is_good_component, others)
    )


def _is_good_component(component: WrittenComponent) -> bool:
    return not (
        _find_name_fault(component.name)
        or (component.started_at is not None and find_time_fault(component.started_at))
        or (component.finished_at is not None and find_time_fault(component.finished_at))
        or component.reuse_key == {}
        or any(_find_artifact_fault(item, component.name) for item in component.artifacts)
        or find_outcome_faults(
            component.status,
            component.empty_reason,
            component.error,
            [artifact.kind for artifact in component.artifacts],
        )
    )


@lru_cache(maxsize=1024)
def _find_name_fault(name: str) -> str | None:
    """Return what is wrong with a component's name; a store has few, and many times each."""
    return find_id_fault("component", name)


def _find_artifact_fault(artifact: WrittenArtifact, component: str) -> str | None:
    return find_artifact_path_fault(artifact.path, component) or find_digest_fault(artifact.sha256)
