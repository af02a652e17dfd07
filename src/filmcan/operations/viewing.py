"""Look into a run or an artifact. The verbs behind `filmcan show`, `filmcan render` and the server.

Views: `summary` (what there is), `features` (the tabular part), `series` (what can be drawn,
thinned and by window), `full` (every value). All are deterministic, with null and a reason where
something is missing (C10.1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from filmcan.contract.imported import find_form
from filmcan.contract.registry import get_schema
from filmcan.errors import InvalidSchemaError, NotFoundError
from filmcan.operations.targets import locate
from filmcan.render.features import render_features
from filmcan.render.full import render_full
from filmcan.render.series import WHOLE, Window, render_series
from filmcan.render.summary import render_artifact_summary, render_run_summary

if TYPE_CHECKING:
    from filmcan.contract.schema import ArtifactSchema
    from filmcan.npz.artifact import Artifact
    from filmcan.npz.validate import FindSchema
    from filmcan.store.run import Run

__all__ = [
    "WHOLE",
    "ViewName",
    "Window",
    "find_schema",
    "render_artifact_view",
    "render_component_view",
    "render_component_views",
    "render_run_view",
    "render_target",
]

ViewName = Literal["summary", "features", "series", "full"]


def render_target(
    target: str, store: str, view: ViewName, window: Window = WHOLE
) -> dict[str, object]:
    """Return a view of a run or an artifact as a JSON object.

    Args:
        target: As `targets.locate` takes it.
        store: Where names are looked up.
        view: Which one.
        window: For `series`, which part and how much of it.

    Raises:
        NotFoundError: Nothing is there.
        InvalidContentError: What is there is damaged.
        StoreUnavailableError: The store refused.
    """
    located = locate(target, store)
    if located.artifact is not None:
        with located.artifact as artifact:
            return render_artifact_view(artifact, view, window)
    if located.run is None:
        raise NotFoundError("there is no such run or artifact", where=target)
    return render_run_view(located.run, view, window)


def render_run_view(run: Run, view: ViewName, window: Window = WHOLE) -> dict[str, object]:
    """Return a view of a whole run; for all but `summary`, one of each component.

    Raises:
        InvalidContentError: An artifact is damaged.
        StoreUnavailableError: The store refused.
    """
    if view == "summary":
        return {"view": view, "run_path": run.path, **render_run_summary(run.manifest)}
    return {
        "view": view,
        "run_path": run.path,
        "components": {
            name: render_component_view(run, name, view, window) for name in run.components
        },
    }


def render_component_view(
    run: Run,
    component: str,
    view: ViewName,
    window: Window = WHOLE,
    *,
    max_items: int | None = None,
    find_rules: FindSchema = get_schema,
) -> dict[str, object]:
    """Return a view of one component of a run; of one that failed, its error and nothing else.

    Raises:
        NotFoundError: The run has no such component.
        InvalidContentError: Its artifact is damaged.
        StoreUnavailableError: The store refused.
    """
    record = run.components.get(component)
    if record is not None and not record.artifacts:
        return {
            "view": view,
            "producer": component,
            "status": record.status,
            "empty_reason": record.empty_reason,
            "error": record.error,
            **_CONTENT_OF_NOTHING[view],
        }
    with run[component] as artifact:
        return render_artifact_view(
            artifact, view, window, max_items=max_items, find_rules=find_rules
        )


def render_component_views(
    run: Run, component: str, views: tuple[ViewName, ...], *, find_rules: FindSchema = get_schema
) -> dict[ViewName, dict[str, object]]:
    """Return several views of one component, opened once.

    Raises:
        As `render_component_view`.
    """
    record = run.components.get(component)
    if record is not None and not record.artifacts:
        return {view: render_component_view(run, component, view) for view in views}
    with run[component] as artifact:
        return {view: render_artifact_view(artifact, view, find_rules=find_rules) for view in views}


def render_artifact_view(
    artifact: Artifact,
    view: ViewName,
    window: Window = WHOLE,
    *,
    max_items: int | None = None,
    find_rules: FindSchema = get_schema,
) -> dict[str, object]:
    """Return a view of one artifact.

    Raises:
        InvalidArtifactError: It is damaged.
    """
    schema = find_schema(artifact, find_rules)
    reason = artifact.empty_reason
    head = {
        "view": view,
        "producer": artifact.meta.get("producer"),
        "status": artifact.status,
        "empty_reason": reason,
        "error": None,
    }
    if view == "summary":
        return {**head, **render_artifact_summary(artifact, schema)}
    if view == "features":
        return {**head, "features": render_features(artifact, schema)}
    if view == "series":
        return {**head, "series": render_series(artifact, schema, window)}
    return {**head, "arrays": render_full(artifact, schema, max_items=max_items)}


def find_schema(artifact: Artifact, find_rules: FindSchema = get_schema) -> ArtifactSchema | None:
    """Return the rules of an artifact, None when the registry has none that it satisfies."""
    if find_form(artifact.meta) == "carried":
        return None  # its keys may mean something else than those of the schema it names
    version, producer = artifact.meta.get("schema_version"), artifact.meta.get("producer")
    try:
        return find_rules(str(version), str(producer))
    except (NotFoundError, InvalidSchemaError):
        return None


_CONTENT_OF_NOTHING: dict[ViewName, dict[str, object]] = {
    "summary": {"meta": {}, "keys": []},
    "features": {"features": []},
    "series": {"series": []},
    "full": {"arrays": []},
}
