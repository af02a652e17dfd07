"""How a recorded result differs from what a plan would make of the same video now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from filmcan.pipeline.keys import VideoInputs, find_differences, plan_keys

if TYPE_CHECKING:
    from filmcan.contract.manifest import ComponentRecord, Manifest
    from filmcan.pipeline.plan import Plan


@dataclass(frozen=True, slots=True)
class Difference:
    """One part of a reuse key that is not what it was.

    Attributes:
        part: Dotted name, for example `parameters.max_width`.
        former: What it was.
        latest: What it is.
    """

    part: str
    former: object
    latest: object


def compare_parts(
    former: Mapping[str, object], latest: Mapping[str, object]
) -> tuple[Difference, ...]:
    """Return the parts in which two keys differ."""
    found = find_differences(former, latest)
    return tuple(Difference(part, *values) for part, values in found.items())


def find_stale(
    manifest: Manifest, plan: Plan, inputs: VideoInputs | None = None
) -> dict[str, tuple[Difference, ...]]:
    """Return how the results of a run differ from what the plan would make now.

    Args:
        manifest: The run.
        plan: Profile, versions and models as they are now.
        inputs: The video's inputs as they are now; None: as the run recorded them.

    Returns:
        Component -> differences, of those that the plan has and the run recorded a key for; none
        where a component is up to date.
    """
    found: dict[str, tuple[Difference, ...]] = {}
    for record in manifest.components:
        parts = get_parts(record)
        if parts is None:
            continue
        known = inputs if inputs is not None else _read_inputs(manifest, parts)
        key = plan_keys(plan, known).get(record.name)
        if key is not None:
            found[record.name] = compare_parts(parts, key.parts)
    return found


def get_parts(record: ComponentRecord) -> Mapping[str, object] | None:
    """Return the parts of the key a result was made for; None where none was recorded."""
    parts = record.reuse_key.get("parts") if record.reuse_key is not None else None
    return parts if isinstance(parts, Mapping) else None


def _read_inputs(manifest: Manifest, parts: Mapping[str, object]) -> VideoInputs:
    given = parts.get("inputs")
    recorded = dict(given) if isinstance(given, Mapping) else {}
    recorded.pop("artifacts", None)
    sha256 = recorded.pop("source_sha256", manifest.run.source.get("sha256"))
    return VideoInputs(manifest.run.platform_id, manifest.run.video_id, str(sha256), recorded)
