"""Look into a run or an artifact. The verbs behind `filmcan show` and `filmcan render`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from filmcan.contract.imported import find_form
from filmcan.contract.registry import get_schema
from filmcan.errors import InvalidSchemaError, NotFoundError
from filmcan.operations.targets import locate
from filmcan.render.features import render_features
from filmcan.render.summary import render_artifact_summary, render_run_summary

if TYPE_CHECKING:
    from filmcan.contract.schema import ArtifactSchema
    from filmcan.npz.artifact import Artifact
    from filmcan.store.run import Run

ViewName = Literal["summary", "features"]


def render_target(target: str, store: str, view: ViewName) -> dict[str, object]:
    """Return a view of a run or an artifact as a JSON object.

    Args:
        target: As `targets.locate` takes it.
        store: Where names are looked up.
        view: `summary` (what there is) or `features` (the tabular part).

    Raises:
        NotFoundError: Nothing is there.
        InvalidContentError: What is there is damaged.
        StoreUnavailableError: The store refused.
    """
    located = locate(target, store)
    if located.artifact is not None:
        with located.artifact as artifact:
            return _render_artifact(artifact, view)
    if located.run is None:
        raise NotFoundError("there is no such run or artifact", where=target)
    return _render_run(located.run, view)


def find_schema(artifact: Artifact) -> ArtifactSchema | None:
    """Return the rules of an artifact, None when the registry has none that it satisfies."""
    if find_form(artifact.meta) == "carried":
        return None  # its keys may mean something else than those of the schema it names
    version, producer = artifact.meta.get("schema_version"), artifact.meta.get("producer")
    try:
        return get_schema(str(version), str(producer))
    except (NotFoundError, InvalidSchemaError):
        return None


def _render_artifact(artifact: Artifact, view: ViewName) -> dict[str, object]:
    schema = find_schema(artifact)
    if view == "summary":
        return {"view": view, **render_artifact_summary(artifact, schema)}
    return {
        "view": view,
        "producer": artifact.meta.get("producer"),
        "status": artifact.status,
        "empty_reason": artifact.meta.get("empty_reason"),
        "features": render_features(artifact, schema),
    }


def _render_run(run: Run, view: ViewName) -> dict[str, object]:
    if view == "summary":
        return {"view": view, "run_path": run.path, **render_run_summary(run.manifest)}
    components = {}
    for name, record in run.components.items():
        if record.artifacts:
            with run[name] as artifact:
                components[name] = _render_artifact(artifact, view)
        else:
            components[name] = {"status": record.status, "error": record.error, "features": []}
    return {"view": view, "run_path": run.path, "components": components}
