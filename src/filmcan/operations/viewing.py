"""Look into a run or an artifact. The verbs behind `filmcan show`, `filmcan render` and the server.

Views: `summary` (what there is), `features` (the tabular part), `series` (what can be drawn,
thinned and by window), `full` (every value). All are deterministic, with null and a reason where
something is missing (C10.1).
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal

from filmcan.contract.imported import find_form
from filmcan.contract.registry import get_schema
from filmcan.errors import BadProfileError, InvalidSchemaError, NotFoundError
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

_SHOWN_KEYS = 10

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
        NotFoundError: Nothing is there, or no key of a name that the window gives.
        BadProfileError: The window ends before it begins, or the view takes none.
        InvalidContentError: What is there is damaged.
        StoreUnavailableError: The store refused.
    """
    _check_window(window)
    located = locate(target, store)
    if located.artifact is not None:
        with located.artifact as artifact:
            _check_keys(window, lambda: _list_keys(artifact), target)
            _check_view(view, window)
            return render_artifact_view(artifact, view, window)
    run = located.run
    if run is None:
        raise NotFoundError("there is no such run or artifact", where=target)
    _check_keys(window, lambda: _list_run_keys(run), target)
    _check_view(view, window)
    return render_run_view(run, view, window)


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


def _check_window(window: Window) -> None:
    """Refuse a window that holds no moment, whatever is looked at.

    Raises:
        BadProfileError: It ends before it begins.
    """
    if window.start is not None and window.end is not None and window.start > window.end:
        raise BadProfileError(
            f"the window begins at {window.start:g} s and ends at {window.end:g} s",
            code="window",
            hint="Give a --start-sec that is not beyond --end-sec.",
        )


def _check_view(view: ViewName, window: Window) -> None:
    """Refuse a choice that the view would pass over.

    Raises:
        BadProfileError: Keys or times are given, and the view shows all.
    """
    if view != "series" and (window.keys or window.start is not None or window.end is not None):
        raise BadProfileError(
            f"the view {view} takes neither keys nor times",
            code="window",
            hint="Ask for --view series, or leave them out.",
        )


def _check_keys(window: Window, list_keys: Callable[[], Mapping[str, bool]], target: str) -> None:
    """Refuse keys of which nothing could be drawn.

    Args:
        window: Names them, or none.
        list_keys: Returns every key there is, and whether it is drawn.
        target: Where they were looked for.

    Raises:
        NotFoundError: There is no such key, or the schema draws none of that name.
    """
    if not window.keys:
        return
    known = list_keys()
    drawn = [name for name, is_drawn in known.items() if is_drawn]
    for key in window.keys:
        if key in known and not known[key]:
            raise NotFoundError(
                f"the key {key} is not drawn",
                code="key_not_drawn",
                where=target,
                hint=f"--view full has its values. Drawn are: {_tell_names(drawn)}.",
            )
        if key not in known:
            near = difflib.get_close_matches(key, drawn, 3)
            shown = near or drawn
            raise NotFoundError(
                f"there is no key {key!r:.100}",
                code="key_unknown",
                where=target,
                hint=f"{'Near it' if near else 'Drawn are'}: {_tell_names(shown)}.",
            )


def _tell_names(names: list[str]) -> str:
    more = ", ..." if len(names) > _SHOWN_KEYS else ""
    return ", ".join(names[:_SHOWN_KEYS]) + more if names else "none"


def _list_keys(artifact: Artifact) -> dict[str, bool]:
    schema = find_schema(artifact)
    rules = schema.keys if schema is not None else {}
    return {name: name in rules and rules[name].view != "none" for name in artifact}


def _list_run_keys(run: Run) -> dict[str, bool]:
    """Return the keys of all artifacts of a run; one name counts as drawn where any of them is."""
    found: dict[str, bool] = {}
    for name, record in run.components.items():
        if record.artifacts:
            with run[name] as artifact:
                for key, is_drawn in _list_keys(artifact).items():
                    found[key] = found.get(key, False) or is_drawn
    return found


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
