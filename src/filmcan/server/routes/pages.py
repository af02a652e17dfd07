"""The web pages: each gathers what operations give and renders one template."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from filmcan.contract.manifest import ComponentRecord
from filmcan.errors import FilmcanError
from filmcan.operations.comparing import compare_runs
from filmcan.operations.corpus import FeatureColumn, measure_corpus, order_missingness
from filmcan.operations.run_search import RunQuery
from filmcan.operations.schemas import list_schema_history, read_schema_parts
from filmcan.operations.schemas import list_schemas as list_registry
from filmcan.operations.targets import Run, find_run
from filmcan.operations.viewing import render_component_views, render_run_view
from filmcan.server.routes.corpus import DEFAULT_RUNS
from filmcan.server.routes.parameters import PlatformId, QueryOf, RunId, StateOf, VideoId
from filmcan.server.state import State

router = APIRouter()
_SORTS = {
    "created_at": "started",
    "video_id": "video",
    "platform_id": "platform",
    "status": "status",
    "duration_sec": "length",
}
_MOST_OTHERS = 20
_Text = Annotated[str | None, Query(max_length=400)]


@router.get("/")
def show_start() -> Response:
    """Lead to the runs."""
    return RedirectResponse("/runs", 307)


@router.get("/static/{tag}/{name}")
def get_static(request: Request, tag: str, name: str) -> Response:
    """Return a script, style or picture of the pages."""
    found: Response = request.app.state.pages.answer_file(tag, name)
    return found


@router.get("/runs")
def show_runs(request: Request, state: StateOf, query: QueryOf) -> Response:
    """Show the runs of the store."""
    page = state.search.find(query)

    def address(**changes: object) -> str:
        return f"/runs{_build_address(query, changes)}"

    return _render(request, "runs.html", query=query, page=page, sorts=_SORTS, address=address)


@router.get("/runs/{platform_id}/{video_id}/{run_id}")
def show_run(
    request: Request, state: StateOf, platform_id: PlatformId, video_id: VideoId, run_id: RunId
) -> Response:
    """Show one run."""
    run = state.get_run(platform_id, video_id, run_id)
    others = [path for path in state.store.run_paths(platform_id, video_id) if path != run.path][
        -_MOST_OTHERS:
    ]
    manifest = run.manifest
    return _render(
        request,
        "run.html",
        run=run,
        record=manifest.run,
        summary=render_run_view(run, "summary"),
        parts=[_gather_component(state, run, record) for record in manifest.components],
        waterfall=_plan_waterfall(manifest.components),
        has_media=_has_media(state, manifest.run.source),
        duration=_find_duration(manifest.run.source),
        others=others,
        licences=state.licences,
        pending=manifest.pending_components,
        narrative=manifest.render,
    )


@router.get("/compare")
def show_comparison(
    request: Request, state: StateOf, left: _Text = None, right: _Text = None
) -> Response:
    """Show what two runs say differently, or ask which two."""
    comparison = None
    if left and right:
        comparison = compare_runs(find_run(state.store, left), find_run(state.store, right))
    recent = state.search.find(RunQuery(limit=200)).rows
    return _render(
        request,
        "compare.html",
        left=left or "",
        right=right or "",
        comparison=comparison,
        choices=[found.run_path for found in recent],
    )


@router.get("/corpus")
def show_corpus(request: Request, state: StateOf, query: QueryOf, show: _Text = None) -> Response:
    """Show what many runs say together."""
    matching = state.search.find_all(query, DEFAULT_RUNS)
    missingness = order_missingness(matching.outcomes)
    names = sorted({row.component for row in missingness})
    component = show if show in names else next(iter(names), None)
    corpus = None
    if component is not None:
        corpus = measure_corpus(state.store, matching.paths, component, state.features)
    return _render(
        request,
        "corpus.html",
        query=query,
        matching=matching.total,
        looked_at=len(matching.paths),
        missingness=missingness,
        names=names,
        component=component,
        corpus=corpus,
        columns=[_draw_column(column) for column in corpus.columns] if corpus is not None else [],
    )


@router.get("/schemas")
def show_schemas(request: Request, state: StateOf) -> Response:
    """Show the registry."""
    del state
    return _render(request, "schemas.html", schemas=list_registry())


@router.get("/schemas/{schema_version}")
def show_schema(request: Request, schema_version: str) -> Response:
    """Show one schema, readable, with its history."""
    return _render(
        request,
        "schema.html",
        schema_version=schema_version,
        parts=read_schema_parts(schema_version),
        history=list_schema_history(schema_version),
    )


def _render(request: Request, template: str, **values: object) -> Response:
    rendered: Response = request.app.state.pages.render(request, template, **values)
    return rendered


def _gather_component(state: State, run: Run, record: ComponentRecord) -> dict[str, object]:
    """Return all the page shows of a component; of a damaged one what is wrong with it."""
    part: dict[str, object] = {
        "record": record, "features": [], "keys": [], "meta": {}, "fault": None,
    }  # fmt: skip
    try:
        found = render_component_views(
            run, record.name, ("features", "summary"), find_rules=state.find_rules
        )
        part["features"] = found["features"]["features"]
        part["keys"], part["meta"] = found["summary"]["keys"], found["summary"]["meta"]
    except FilmcanError as error:
        part["fault"] = error
    return part


def _has_media(state: State, source: Mapping[str, object]) -> bool:
    if not state.sources.has_roots:
        return False
    try:
        state.sources.get(source)
    except FilmcanError:
        return False
    return True


def _find_duration(source: Mapping[str, object]) -> float | None:
    duration = source.get("duration_sec")
    return float(duration) if isinstance(duration, int | float) else None


def _plan_waterfall(records: Iterable[ComponentRecord]) -> dict[str, tuple[float, float]]:
    """Return where each component's bar starts and how long it is, in percent of the run."""
    spans = {}
    for record in records:
        if record.started_at is None or record.duration_ms is None:
            continue
        start = datetime.fromisoformat(record.started_at).timestamp()
        spans[record.name] = (start, start + record.duration_ms / 1000)
    if not spans:
        return {}
    begin = min(start for start, _ in spans.values())
    whole = max(max(end for _, end in spans.values()) - begin, 1e-3)
    return {
        name: (100 * (start - begin) / whole, max(0.6, 100 * (end - start) / whole))
        for name, (start, end) in spans.items()
    }


def _draw_column(column: FeatureColumn) -> dict[str, object]:
    """Return a column with its histogram as rectangles in a field of 96 by 24."""
    most = max(column.bins, default=0)
    width = 96 / max(1, len(column.bins))
    bars = [
        (index * width, 24 - 22 * count / most, max(1.0, width - 0.6), 22 * count / most)
        for index, count in enumerate(column.bins)
        if count
    ]
    return {"column": column, "bars": bars}


def _build_address(query: RunQuery, changes: dict[str, object]) -> str:
    fields: dict[str, object] = {
        "q": query.text,
        "platform_id": query.platform_id,
        "video_id": query.video_id,
        "status": query.status,
        "component": query.component,
        "component_status": query.component_status,
        "reason": query.reason,
        "sort": query.sort if query.sort != "created_at" else None,
        "descending": None if query.descending else "false",
        "limit": query.limit if query.limit != RunQuery().limit else None,
        **changes,
    }
    pairs = [(name, str(value)) for name, value in fields.items() if value not in (None, "", 0)]
    return f"?{urlencode(pairs)}" if pairs else ""
