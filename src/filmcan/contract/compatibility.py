"""Compare two machine schemas: which changes may keep the schema_version, and which may not.

Three verdicts (docs/schemas.md has the whole table):

`compatible`: the same artifacts are valid under both documents, and every number means the same.
    It may be made under the same schema_version, released or not.
`needs_new_version`: some artifact is valid under one document only, or a value means something
    else. It may be made freely until the schema_version is released, then only under a new one.
`forbidden`: it breaks what the contract fixes for every version, so no version may make it.

Both directions count. A wider range keeps old artifacts valid, but an older release would refuse
the new ones, and a reader may have relied on the narrow one: that, too, is another version.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from filmcan.contract.issues import shown
from filmcan.contract.missing import CANONICAL_REASONS
from filmcan.contract.schema import (
    ArtifactSchema,
    FeatureSchema,
    KeySchema,
    find_components,
    parse_schema,
)
from filmcan.contract.units import is_same_unit

Verdict = Literal["compatible", "needs_new_version", "forbidden"]
VERDICTS: tuple[Verdict, ...] = ("compatible", "needs_new_version", "forbidden")
"""From the mildest to the worst."""

FIXED_KEYS: Mapping[str, str | None] = {"feature_names": "object_str", "feature_values": "float32"}
"""Keys of every artifact that C9.1 fixes, with the dtype where the contract states one."""

FIXED_COMPONENT_KEYS: Mapping[str, Mapping[str, str | None]] = {
    "clap_extractor": {"embedding": "float32", "embedding_present": "bool"},
    "tempo_extractor": {
        "tempo_estimates": "float32",
        "windowed_times_sec": None,
        "windowed_bpm": None,
        "warnings": None,
    },
    "loudness_extractor": {"lufs_present": "bool"},
    "text_processor": {"payload": "object_dict"},
}
"""Keys that C9.2 and C9.3 fix for one component."""


@dataclass(frozen=True, slots=True)
class SchemaChange:
    """One difference between two schema documents.

    Attributes:
        verdict: What it means for the schema_version.
        component: Whose part changed; `""` when it concerns all of them.
        place: What changed, such as `keys.embedding.dtype`.
        old: A short picture of the former value, `""` where there was none.
        new: A short picture of the present value, `""` where there is none.
        reason: Why this verdict.
    """

    verdict: Verdict
    component: str
    place: str
    old: str
    new: str
    reason: str


@dataclass(frozen=True, slots=True)
class SchemaComparison:
    """Everything that differs between two schema documents, in a stable order.

    Attributes:
        old_version: schema_version of the former document.
        new_version: schema_version of the present one.
        changes: The differences; none when both say the same.
    """

    old_version: str
    new_version: str
    changes: tuple[SchemaChange, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of all changes; `compatible` when there is none."""
        return max(
            (change.verdict for change in self.changes), key=VERDICTS.index, default="compatible"
        )

    @property
    def breaking(self) -> tuple[SchemaChange, ...]:
        """The changes that a release under these two names must not contain."""
        tolerated = VERDICTS.index(
            "compatible" if self.old_version == self.new_version else "needs_new_version"
        )
        return tuple(
            change for change in self.changes if VERDICTS.index(change.verdict) > tolerated
        )


def compare_schemas(old: object, new: object) -> SchemaComparison:
    """Compare two schema documents, component by component.

    Several components under one schema_version need no rules of their own: each part is compared
    with its keys of the top level included, so moving a key there and back is no change.

    Raises:
        InvalidSchemaError: A document is malformed.
    """
    before = {name: parse_schema(old, name) for name in find_components(old)}
    after = {name: parse_schema(new, name) for name in find_components(new)}
    shared = [name for name in before if name in after]
    changes = [*_compare_documents(old, new), *_compare_parts(before, after)]
    for place, name in enumerate(shared):
        if place == 0:
            changes += _compare_roots(before[name], after[name])
        changes += _compare_components(before[name], after[name])
    return SchemaComparison(_version(old), _version(new), tuple(changes))


def _version(document: object) -> str:
    return str(document.get("schema_version")) if isinstance(document, Mapping) else ""


def _compare_documents(old: object, new: object) -> Iterator[SchemaChange]:
    texts = [
        document.get("description") if isinstance(document, Mapping) else None
        for document in (old, new)
    ]
    if texts[0] != texts[1]:
        yield _change("compatible", "", "description", texts, _WORDS)


def _compare_parts(
    before: Mapping[str, ArtifactSchema], after: Mapping[str, ArtifactSchema]
) -> Iterator[SchemaChange]:
    for name in before:
        if name not in after:
            reason = "artifacts of this component could no longer be judged"
            yield _change("needs_new_version", name, "components", (name, None), reason)
    for name in after:
        if name not in before:
            reason = "no artifact of this component existed, and no other part changes"
            yield _change("compatible", name, "components", (None, name), reason)


def _compare_roots(old: ArtifactSchema, new: ArtifactSchema) -> Iterator[SchemaChange]:
    """Compare what all parts of a document share."""
    if old.kind != new.kind:
        reason = "a component keeps its kind in every version (C3.3, C5)"
        yield _change("forbidden", "", "kind", (old.kind, new.kind), reason)
    if old.extra_keys != new.extra_keys:
        yield _change(
            "needs_new_version", "", "extra_keys", (old.extra_keys, new.extra_keys), _STRICTER
        )
    if set(old.extra_meta) != set(new.extra_meta):
        yield _change(
            "needs_new_version", "", "extra_meta", (old.extra_meta, new.extra_meta), _STRICTER
        )


def _compare_components(old: ArtifactSchema, new: ArtifactSchema) -> Iterator[SchemaChange]:
    name = old.component
    if old.description != new.description:
        yield _change("compatible", name, "description", (old.description, new.description), _WORDS)
    yield from _compare_dims(old, new)
    yield from _compare_keys(old, new)
    yield from _compare_features(old, new)
    yield from _compare_reasons(old, new)


def _compare_dims(old: ArtifactSchema, new: ArtifactSchema) -> Iterator[SchemaChange]:
    for name in [*old.dims, *(dim for dim in new.dims if dim not in old.dims)]:
        before, after = old.dims.get(name), new.dims.get(name)
        place = f"dims.{name}"
        if before is None or after is None:
            reason = "a dim says something only through the shapes that use it"
            sides = (before and name, after and name)
            yield _change("compatible", old.component, place, sides, reason)
            continue
        if before.samples != after.samples:
            sides = (str(before.samples), str(after.samples))
            place_of = f"{place}.samples"
            yield _change("needs_new_version", old.component, place_of, sides, _STRICTER)
        for field in ("description", "positions", "labels"):
            texts = (getattr(before, field), getattr(after, field))
            if texts[0] != texts[1]:
                yield _change("compatible", old.component, f"{place}.{field}", texts, _WORDS)


def _compare_keys(old: ArtifactSchema, new: ArtifactSchema) -> Iterator[SchemaChange]:
    fixed = {**FIXED_KEYS, **FIXED_COMPONENT_KEYS.get(old.component, {})}
    for name, key in old.keys.items():
        place = f"keys.{name}"
        if name not in new.keys:
            verdict: Verdict = "forbidden" if name in fixed else "needs_new_version"
            reason = _FIXED if name in fixed else "readers would miss it, and its values lose rules"
            yield _change(verdict, old.component, place, (name, None), reason)
            continue
        for change in _compare_key(old.component, place, key, new.keys[name]):
            yield _sharpen(change, key, new.keys[name], fixed)
    for name in new.keys:
        if name not in old.keys:
            required = new.keys[name].required
            reason = (
                "every artifact written so far lacks it"
                if required
                else "older releases refuse a key they do not know, or never judged its values"
            )
            yield _change("needs_new_version", old.component, f"keys.{name}", (None, name), reason)


def _compare_key(
    component: str, place: str, old: KeySchema, new: KeySchema
) -> Iterator[SchemaChange]:
    for field, reason in _STRICT_KEY_FIELDS.items():
        before, after = getattr(old, field), getattr(new, field)
        if before != after:
            yield _change(
                "needs_new_version", component, f"{place}.{field}", (before, after), reason
            )
    yield from _compare_values(component, place, old, new)
    if old.tier != new.tier:
        serves = "model_facing" in (old.tier, new.tier)
        yield _change(
            "needs_new_version" if serves else "compatible",
            component,
            f"{place}.tier",
            (old.tier, new.tier),
            "who takes all model_facing keys would take another set" if serves else _WORDS,
        )
    for field in _PICTURE_FIELDS:
        before, after = getattr(old, field), getattr(new, field)
        if before != after:
            yield _change("compatible", component, f"{place}.{field}", (before, after), _WORDS)


def _compare_values(
    component: str, place: str, old: KeySchema | FeatureSchema, new: KeySchema | FeatureSchema
) -> Iterator[SchemaChange]:
    """Compare what keys and features have in common: unit, range, mask, missing values, words."""
    if old.unit != new.unit:
        same = is_same_unit(old.unit, new.unit)
        yield _change(
            "compatible" if same else "needs_new_version",
            component,
            f"{place}.unit",
            (old.unit, new.unit),
            "another spelling of the same unit" if same else "the same number means another amount",
        )
    if (old.low, old.high) != (new.low, new.high):
        yield _change(
            "needs_new_version",
            component,
            f"{place}.range",
            ([old.low, old.high], [new.low, new.high]),
            _judge_range(old, new),
        )
    for field, reason in _STRICT_VALUE_FIELDS.items():
        before, after = getattr(old, field), getattr(new, field)
        if before != after:
            yield _change(
                "needs_new_version", component, f"{place}.{field}", (before, after), reason
            )
    if old.description != new.description:
        yield _change(
            "compatible",
            component,
            f"{place}.description",
            (old.description, new.description),
            _WORDS,
        )


def _judge_range(old: KeySchema | FeatureSchema, new: KeySchema | FeatureSchema) -> str:
    inf = float("inf")
    low = (-inf if old.low is None else old.low, -inf if new.low is None else new.low)
    high = (inf if old.high is None else old.high, inf if new.high is None else new.high)
    if low[1] > low[0] or high[1] < high[0]:
        return "artifacts written so far may lie outside the narrower range"
    return "readers may rely on the narrower range, and older releases refuse what is outside it"


def _sharpen(
    change: SchemaChange, old: KeySchema, new: KeySchema, fixed: Mapping[str, str | None]
) -> SchemaChange:
    """Turn a change of what the contract itself fixes into a forbidden one."""
    field = change.place.rpartition(".")[2]
    breaks = (
        (field == "dtype" and fixed.get(old.name) not in (None, new.dtype))
        or (field == "required" and old.name in fixed and not new.required)
        or (field == "increasing" and old.name == "frame_indices" and not new.increasing)
    )
    if not breaks:
        return change
    return SchemaChange("forbidden", change.component, change.place, change.old, change.new, _FIXED)


def _compare_features(old: ArtifactSchema, new: ArtifactSchema) -> Iterator[SchemaChange]:
    component = old.component
    before = {feature.name: feature for feature in old.features}
    after = {feature.name: feature for feature in new.features}
    if list(before) != list(after):
        yield _change(
            "needs_new_version",
            component,
            "features",
            (
                [name for name in before if name not in after] or list(before),
                [name for name in after if name not in before] or list(after),
            ),
            "feature_names lists other names, or the same in another order",
        )
    for name, feature in before.items():
        if name in after:
            yield from _compare_values(component, f"features.{name}", feature, after[name])
    if old.open_features != new.open_features:
        sides = (old.open_features, new.open_features)
        yield _change("needs_new_version", component, "open_features", sides, _STRICTER)


def _compare_reasons(old: ArtifactSchema, new: ArtifactSchema) -> Iterator[SchemaChange]:
    if old.empty_reasons == new.empty_reasons:
        return
    lost = set(old.empty_reasons) - set(new.empty_reasons) - set(CANONICAL_REASONS)
    yield _change(
        "needs_new_version" if lost else "compatible",
        old.component,
        "empty_reasons",
        (old.empty_reasons, new.empty_reasons),
        f"artifacts may have given {', '.join(sorted(lost))}"
        if lost
        else "every reason given so far stays declared or canonical",
    )


_WORDS = "for people only: no artifact is judged by it"
_STRICTER = "one of the two documents refuses artifacts that the other accepts"
_FIXED = "the contract fixes it for every version (C8.3, C9)"
_PICTURE_FIELDS = ("view", "captions")
_STRICT_KEY_FIELDS = {
    "dtype": "readers allocate, compare and store by it",
    "shape": "readers index by it",
    "required": "readers rely on a required key, and artifacts without it were valid once",
    "zero_plausible": _STRICTER,
    "increasing": "readers search and join by it",
    "indexes": "readers look up by it, and a number that is no place there is refused",
}
_STRICT_VALUE_FIELDS = {
    "nullable": "readers must, or need not, expect missing values",
    "mask": "another array says what was measured",
}


def _change(
    verdict: Verdict, component: str, place: str, sides: Sequence[object], reason: str
) -> SchemaChange:
    old, new = sides
    return SchemaChange(verdict, component, place, _picture(old), _picture(new), reason)


def _picture(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value if len(value) <= _SHOWN_CHARS else f"{value[: _SHOWN_CHARS - 3]}..."
    return shown(list(value) if isinstance(value, Iterable) else value)


_SHOWN_CHARS = 120
