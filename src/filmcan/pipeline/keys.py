"""The reuse key of every planned component: what its result depends on (C11.3).

Known before anything is decoded, from digests, settings and versions alone. `reuse` looks for
earlier results by it, `explain` says which part of two keys differs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from filmcan.contract.signature import ReuseKey, sign_models
from filmcan.pipeline.plan import Plan, PlannedComponent
from filmcan.pipeline.schedule import Schedule


@dataclass(frozen=True, slots=True)
class VideoInputs:
    """Which video, and the digests of all that its results are made from.

    Attributes:
        platform_id: Where the video is from.
        video_id: Which video.
        sha256: Digest of the source's bytes.
        text: Digests of the document and the side-cars, as `digest_text_inputs` returns them.
    """

    platform_id: str
    video_id: str
    sha256: str
    text: Mapping[str, object]


Keys = Mapping[str, ReuseKey]
"""Component -> its key, in planned order."""


def plan_keys(plan: Plan, inputs: VideoInputs) -> dict[str, ReuseKey]:
    """Return the key of each planned component, as planned.

    Raises:
        InternalError: Components need each other in a circle.
    """
    keys: dict[str, ReuseKey] = {}
    schedule = Schedule(plan.components)
    while wave := schedule.take_wave():
        for item in wave:
            keys[item.component.name] = build_key(item, plan, inputs, keys, item.models)
            schedule.end(item.component.name)
    return {item.component.name: keys[item.component.name] for item in plan.components}


def build_key(
    planned: PlannedComponent,
    plan: Plan,
    inputs: VideoInputs,
    others: Keys,
    models: tuple[Mapping[str, object], ...] | None,
) -> ReuseKey:
    """Return the key of one component.

    Args:
        planned: The component.
        plan: The rest of what decides its result.
        inputs: The video.
        others: Keys of the components it needs; those that are not there count as absent.
        models: What ran, or is to run; None when that cannot be known.
    """
    component = planned.component
    digests: dict[str, object] = {"source_sha256": inputs.sha256}
    if component.kind == "text":
        digests.update(inputs.text)
    if component.needs:
        digests["artifacts"] = {
            need.component: others[need.component].digest if need.component in others else None
            for need in component.needs
        }
    samples = component.frame_request() is not None or bool(component.needs)
    return ReuseKey(
        {
            "platform_id": inputs.platform_id,
            "video_id": inputs.video_id,
            "component": component.name,
            "inputs": digests,
            "parameters": dict(component.parameters),
            "sampling": dict(plan.profile.section("sampling")) if samples else None,
            "limits": dict(plan.profile.section("limits")),
            "seed": plan.seed,
            "producer_version": component.producer_version,
            "schema_version": component.schema_version,
            "model_signature": None if models is None else sign_models(models),
        }
    )


def choose_models(
    planned: PlannedComponent, used: tuple[Mapping[str, object], ...]
) -> tuple[Mapping[str, object], ...] | None:
    """Return the models that a finished result is known by.

    Those that were planned when all that ran is among them: a video without sound uses none. What
    ran otherwise, after a fallback.
    """
    if planned.models is not None and all(dict(row) in planned.models for row in used):
        return planned.models
    return used or planned.models


def find_differences(
    former: Mapping[str, object], latest: Mapping[str, object]
) -> dict[str, tuple[object, object]]:
    """Return the parts in which two keys differ: dotted name -> (former, latest), sorted."""
    return dict(sorted(_differ(former, latest, "")))


def _differ(
    former: object, latest: object, name: str
) -> Iterator[tuple[str, tuple[object, object]]]:
    if former == latest and type(former) is type(latest):
        return
    if isinstance(former, Mapping) and isinstance(latest, Mapping):
        for key in {**former, **latest}:
            below = f"{name}.{key}" if name else str(key)
            yield from _differ(former.get(key), latest.get(key), below)
    else:
        yield name, (former, latest)
