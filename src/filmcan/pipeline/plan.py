"""Decide what a run will do, before anything is decoded or written.

Profile and source in; components with checked parameters, sampling and limits out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, cast

from filmcan.components.catalog import COMPONENT_NAMES, get_component_class
from filmcan.errors import BadProfileError, FilmcanError
from filmcan.media.limits import Limits
from filmcan.media.timeline import Sampling
from filmcan.models.execution import AUTO, Execution
from filmcan.pipeline.profile import Profile, with_component_parameters

if TYPE_CHECKING:
    from filmcan.components.base import Component

_CONTROL_PARAMETERS = ("enabled", "required")


@dataclass(frozen=True, slots=True)
class PlannedComponent:
    """A component with its parameters, and whether it can run at all.

    Attributes:
        component: Ready to run.
        required: True when its error fails the run.
        missing_dependency: Why it cannot run and what to do, None when it can.
        models: The rows of `models_used` it is to have; None when that cannot be known.
    """

    component: Component
    required: bool
    missing_dependency: str | None
    models: tuple[dict[str, object], ...] | None = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything a run needs to know beyond its source."""

    profile: Profile
    components: tuple[PlannedComponent, ...]
    sampling: Sampling
    limits: Limits
    seed: int
    decode_threads: int
    queue_size: int
    execution: Execution
    sub_artifact_bytes: int
    component_timeout_sec: float
    stall_timeout_sec: float
    worker_memory_bytes: int | None
    max_fetch_bytes: int


def plan_run(profile: Profile, only: Iterable[str] | None = None) -> Plan:
    """Return the plan of a run.

    Args:
        profile: The resolved profile; each `auto` in it is settled before anything else.
        only: Names of the components to run; None means all that are enabled. It selects, and
            does not change config_hash (C3.5).

    Raises:
        BadProfileError: A parameter is out of range, a name is unknown or disabled, or nothing
            is left to run.
    """
    profile = resolve_choices(profile)
    wanted = _select(profile, only)
    sampling = profile.section("sampling")
    execution = profile.execution
    networks = Execution(
        device=str(execution["device"]),
        threads=_get_count(execution, "threads_per_model", high=256),
        batch_size=_get_count(execution, "batch_size", high=256),
    )
    return Plan(
        profile=profile,
        components=tuple(_plan_component(profile, name, networks) for name in wanted),
        sampling=Sampling(
            policy=str(sampling["policy"]),
            rate_hz=cast("float", sampling["rate_hz"]),
            max_samples=cast("int", sampling["max_samples"]),
        ),
        limits=read_limits(profile),
        seed=cast("int", profile.document["seed"]),
        decode_threads=_get_count(execution, "decode_threads", high=64),
        queue_size=_get_count(execution, "queue_size", high=64),
        execution=networks,
        sub_artifact_bytes=_get_count(execution, "sub_artifact_mib", high=1 << 20) << 20,
        component_timeout_sec=_get_seconds(execution, "component_timeout_sec"),
        stall_timeout_sec=_get_seconds(execution, "stall_timeout_sec"),
        worker_memory_bytes=_get_count(execution, "worker_memory_mib", low=0, high=1 << 30) << 20
        or None,
        max_fetch_bytes=_get_count(execution, "max_fetch_mib", high=1 << 30) << 20,
    )


def resolve_choices(profile: Profile) -> Profile:
    """Return the profile with this machine's choice in the place of every `auto` (C11.1).

    Components left out by `--only` are settled too: it does not change config_hash (C3.5).
    """
    changes = {}
    for name in COMPONENT_NAMES:
        if _is_on(profile, name, "enabled"):
            parameters = _get_parameters(profile, name)
            if AUTO in parameters.values():
                changes[name] = get_component_class(name).resolve_parameters(parameters)
    return with_component_parameters(profile, changes)


def read_limits(profile: Profile) -> Limits:
    """Return the limits of a profile.

    Raises:
        BadProfileError: A limit is out of range.
    """
    section = profile.section("limits")
    for name, value in section.items():
        if not cast("float", value) > 0:
            raise BadProfileError(f"must be greater than 0, got {value!r}", where=f"limits.{name}")
    return Limits(
        max_duration_sec=cast("float", section["max_duration_sec"]),
        max_pixels=cast("int", section["max_pixels"]),
        max_streams=cast("int", section["max_streams"]),
        max_metadata_chars=cast("int", section["max_metadata_chars"]),
        max_frames_per_mib=cast("int", section["max_frames_per_mib"]),
    )


def _select(profile: Profile, only: Iterable[str] | None) -> list[str]:
    sections = profile.section("components")
    enabled = [name for name in COMPONENT_NAMES if _is_on(profile, name, "enabled")]
    if only is None:
        wanted = enabled
    else:
        asked = set(only)
        unknown = sorted(asked - set(sections))
        if unknown:
            raise BadProfileError(
                f"there is no component {', '.join(unknown)}",
                where="--only",
                hint=f"Components: {', '.join(COMPONENT_NAMES)}.",
            )
        disabled = sorted(asked - set(enabled))
        if disabled:
            raise BadProfileError(
                f"{', '.join(disabled)} is disabled in the profile",
                where="--only",
                hint=f"Enable it: --set components.{disabled[0]}.enabled=true",
            )
        wanted = [name for name in enabled if name in asked]
    if not wanted:
        raise BadProfileError("no component is left to run", where="components")
    return _add_needed(wanted, enabled)


def _add_needed(wanted: list[str], enabled: list[str]) -> list[str]:
    """Return the wanted components and all they cannot do without, in planned order."""
    found: set[str] = set()
    waiting = list(wanted)
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        needs = get_component_class(name).needs
        waiting += [need.component for need in needs if need.required and need.component in enabled]
    return [name for name in enabled if name in found]


def _plan_component(profile: Profile, name: str, execution: Execution) -> PlannedComponent:
    try:
        component = get_component_class(name)(_get_parameters(profile, name))
    except BadProfileError as error:
        raise BadProfileError(
            error.message, where=f"components.{name}.{error.where}", hint=error.hint
        ) from error
    is_required = _is_on(profile, name, "required")
    missing = component.find_missing_dependency()
    if missing is None and is_required:
        missing = component.find_missing_option()
    return PlannedComponent(
        component=component,
        required=is_required,
        missing_dependency=missing,
        models=() if missing is not None else _plan_models(component, execution),
    )


def _plan_models(
    component: Component, execution: Execution
) -> tuple[dict[str, object], ...] | None:
    try:
        return tuple(asdict(row) for row in component.plan_models(execution))
    except FilmcanError:
        return None  # a network that is damaged or of another form; the run will say so


def _get_parameters(profile: Profile, name: str) -> dict[str, object]:
    section = profile.section("components", name)
    return {key: section[key] for key in section if key not in _CONTROL_PARAMETERS}


def _is_on(profile: Profile, name: str, switch: str) -> bool:
    return bool(profile.section("components", name)[switch])


def _get_seconds(section: object, name: str) -> float:
    value = cast("dict[str, float]", section)[name]
    if not value > 0:
        raise BadProfileError(f"must be greater than 0, got {value!r}", where=f"execution.{name}")
    return value


def _get_count(section: object, name: str, *, high: int, low: int = 1) -> int:
    value = cast("dict[str, int]", section)[name]
    if not low <= value <= high:
        raise BadProfileError(
            f"must be from {low} to {high}, got {value}", where=f"execution.{name}"
        )
    return value
