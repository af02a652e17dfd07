"""Compare two runs: what changed in settings, versions, models, states and features."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from filmcan.errors import InvalidContentError, NotFoundError

if TYPE_CHECKING:
    from filmcan.contract.manifest import ComponentRecord
    from filmcan.store.run import Run

_RUN_FIELDS = (
    "status",
    "created_at",
    "config_hash",
    "sampling_policy_version",
    "dataprocessor_version",
    "filmcan_version",
)
_COMPONENT_FIELDS = (
    "status",
    "empty_reason",
    "error",
    "producer_version",
    "schema_version",
    "model_signature",
    "device_used",
    "duration_ms",
)


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that two runs say differently; None where one says nothing."""

    name: str
    left: object
    right: object


@dataclass(frozen=True, slots=True)
class FeatureDifference:
    """One feature of both runs. `change` is right minus left, None where one is missing."""

    name: str
    left: float | None
    right: float | None
    change: float | None
    is_equal: bool


@dataclass(frozen=True, slots=True)
class ComponentComparison:
    """One component of two runs.

    Attributes:
        name: The component.
        is_left: Whether the left run has it.
        is_right: Whether the right run has it.
        fields: What its records say differently.
        models: Models that only one of them used, or with other versions, weights or devices.
        features: Every feature of either, in order.
        fault: Why the features cannot be compared, empty when they can.
    """

    name: str
    is_left: bool
    is_right: bool
    fields: tuple[Difference, ...]
    models: tuple[Difference, ...]
    features: tuple[FeatureDifference, ...]
    fault: str

    @property
    def is_same(self) -> bool:
        """True when nothing that was measured, or how, differs; the time it took may."""
        changed = [field for field in self.fields if field.name != "duration_ms"]
        told = changed or self.models or self.fault or self.is_left != self.is_right
        return not told and all(feature.is_equal for feature in self.features)


@dataclass(frozen=True, slots=True)
class RunComparison:
    """Two runs, side by side."""

    left: str
    right: str
    is_same_source: bool | None
    fields: tuple[Difference, ...]
    settings: tuple[Difference, ...]
    components: tuple[ComponentComparison, ...]


def compare_runs(left: Run, right: Run) -> RunComparison:
    """Return everything that two runs say differently.

    Raises:
        StoreUnavailableError: The store refused.
    """
    names = [*left.components, *(name for name in right.components if name not in left.components)]
    digests = [run.manifest.run.source.get("sha256") for run in (left, right)]
    return RunComparison(
        left=left.path,
        right=right.path,
        is_same_source=None if None in digests else digests[0] == digests[1],
        fields=_compare_fields(left.manifest.run, right.manifest.run, _RUN_FIELDS),
        settings=_compare_tables(
            flatten(left.manifest.run.profile), flatten(right.manifest.run.profile)
        ),
        components=tuple(_compare_component(left, right, name) for name in names),
    )


def flatten(value: object, prefix: str = "") -> dict[str, object]:
    """Return a nested mapping as dotted key -> value; an empty mapping or a list is a value."""
    if not isinstance(value, Mapping) or not value:
        return {prefix: value} if prefix else {}
    found: dict[str, object] = {}
    for key, item in value.items():
        found |= flatten(item, f"{prefix}.{key}" if prefix else str(key))
    return found


def _compare_component(left: Run, right: Run, name: str) -> ComponentComparison:
    records = left.components.get(name), right.components.get(name)
    faults: list[str] = []
    features = [_read_features(run, name, faults) for run in (left, right)]
    names = [*features[0], *(key for key in features[1] if key not in features[0])]
    return ComponentComparison(
        name=name,
        is_left=records[0] is not None,
        is_right=records[1] is not None,
        fields=_compare_fields(*records, _COMPONENT_FIELDS),
        models=_compare_tables(_list_models(records[0]), _list_models(records[1])),
        features=tuple(
            _compare_feature(key, features[0].get(key), features[1].get(key)) for key in names
        ),
        fault="; ".join(faults),
    )


def _read_features(run: Run, name: str, faults: list[str]) -> dict[str, float]:
    try:
        with run[name] as artifact:
            return artifact.features
    except NotFoundError:
        return {}
    except InvalidContentError as error:
        faults.append(f"{run.run_id}: {error.message}")
        return {}


def _compare_feature(name: str, left: float | None, right: float | None) -> FeatureDifference:
    first = left if left is not None and math.isfinite(left) else None
    second = right if right is not None and math.isfinite(right) else None
    change = second - first if first is not None and second is not None else None
    return FeatureDifference(name, first, second, change, first == second)


def _compare_fields(left: object, right: object, names: tuple[str, ...]) -> tuple[Difference, ...]:
    return _compare_tables(
        {name: getattr(left, name, None) for name in names},
        {name: getattr(right, name, None) for name in names},
    )


def _compare_tables(
    left: Mapping[str, object], right: Mapping[str, object]
) -> tuple[Difference, ...]:
    names = [*left, *(name for name in right if name not in left)]
    return tuple(
        Difference(name, left.get(name), right.get(name))
        for name in names
        if left.get(name) != right.get(name)
    )


def _list_models(record: ComponentRecord | None) -> dict[str, object]:
    found: dict[str, object] = {}
    for model in record.models_used if record is not None else ():
        name = str(model.get("model_name"))
        told = ("model_version", "weights_digest", "engine", "precision", "device")
        found[name] = ", ".join(f"{key} {model.get(key)}" for key in told)
    return found
