"""Components of a run: their views, their files, single arrays."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from filmcan.operations.run_files import find_artifact, open_run_file, read_array
from filmcan.operations.viewing import ViewName, Window, render_component_view
from filmcan.server.answers import answer_bytes, answer_tagged, build_etag, dump_json
from filmcan.server.routes.parameters import (
    NOT_MODIFIED,
    Component,
    PlatformId,
    RunId,
    StateOf,
    VideoId,
    tell,
    tell_bytes,
)
from filmcan.server.routes.runs import RUN
from filmcan.server.shapes import FeaturesView, FullView, SeriesView, SummaryView
from filmcan.server.state import State

router = APIRouter(prefix="/api/v1", tags=["components"])
COMPONENT = f"{RUN}/components/{{component}}"
MOST_ITEMS = 100_000
_MOST_POINTS = 20_000
_BYTES = "application/octet-stream"

Seconds = Annotated[float | None, Query(allow_inf_nan=False, ge=-1e9, le=1e9)]
Key = Annotated[str, Path(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9._-]+$")]


@router.get(COMPONENT, responses={**tell(SummaryView, "What there is.", 404, 409), **NOT_MODIFIED})
def get_summary(
    request: Request,
    state: StateOf,
    platform_id: PlatformId,
    video_id: VideoId,
    run_id: RunId,
    component: Component,
) -> Response:
    """Return a component's meta and the list of its arrays."""
    place = (platform_id, video_id, run_id, component)
    return _answer_view(request, state, place, "summary")


@router.get(
    f"{COMPONENT}/features",
    responses={**tell(FeaturesView, "The tabular part.", 404, 409), **NOT_MODIFIED},
)
def get_features(
    request: Request,
    state: StateOf,
    platform_id: PlatformId,
    video_id: VideoId,
    run_id: RunId,
    component: Component,
) -> Response:
    """Return a component's features with units, and reasons where they are missing."""
    place = (platform_id, video_id, run_id, component)
    return _answer_view(request, state, place, "features")


@router.get(
    f"{COMPONENT}/series",
    responses={**tell(SeriesView, "What can be drawn.", 404, 409), **NOT_MODIFIED},
)
def get_series(
    request: Request,
    state: StateOf,
    platform_id: PlatformId,
    video_id: VideoId,
    run_id: RunId,
    component: Component,
    key: Annotated[
        list[Annotated[str, Query(max_length=128)]] | None,
        Query(max_length=64, description="Only these keys."),
    ] = None,
    start_sec: Seconds = None,
    end_sec: Seconds = None,
    max_points: Annotated[int, Query(ge=2, le=_MOST_POINTS)] = 2_000,
) -> Response:
    """Return a component's series in a window, thinned so that every extreme stays."""
    window = Window(start_sec, end_sec, max_points, key)
    place = (platform_id, video_id, run_id, component)
    return _answer_view(request, state, place, "series", window)


@router.get(
    f"{COMPONENT}/full",
    responses={**tell(FullView, "Every value.", 404, 409), **NOT_MODIFIED},
)
def get_full(
    request: Request,
    state: StateOf,
    platform_id: PlatformId,
    video_id: VideoId,
    run_id: RunId,
    component: Component,
) -> Response:
    """Return every value of a component; arrays of more than 100 000 values are only named."""
    place = (platform_id, video_id, run_id, component)
    return _answer_view(request, state, place, "full")


@router.get(
    f"{COMPONENT}/files/{{name}}",
    response_class=Response,
    responses={
        **tell(None, "", 404, 409, 416),
        200: tell_bytes(_BYTES, "The whole file."),
        206: tell_bytes(_BYTES, "The range that was asked for."),
        **NOT_MODIFIED,
    },
)
def get_file(
    request: Request,
    state: StateOf,
    platform_id: PlatformId,
    video_id: VideoId,
    run_id: RunId,
    component: Component,
    name: Key,
) -> Response:
    """Return an artifact or sub-artifact that the manifest lists, or a range of it."""
    run = state.get_run(platform_id, video_id, run_id)
    file = open_run_file(run, component, name)
    return answer_bytes(request, file.source, build_etag(file.sha256), filename=file.name)


@router.get(
    f"{COMPONENT}/arrays/{{key}}",
    response_class=Response,
    responses={
        **tell(None, "", 404, 409),
        200: tell_bytes(_BYTES, "The array as a .npy file."),
        **NOT_MODIFIED,
    },
)
def get_array(
    request: Request,
    state: StateOf,
    platform_id: PlatformId,
    video_id: VideoId,
    run_id: RunId,
    component: Component,
    key: Key,
) -> Response:
    """Return one array as a `.npy` file."""
    run = state.get_run(platform_id, video_id, run_id)
    etag = build_etag(find_artifact(run, component).sha256, key)
    return answer_tagged(
        request,
        etag,
        lambda: read_array(run, component, key),
        media_type=_BYTES,
        filename=f"{component}.{key}.npy",
    )


def _answer_view(
    request: Request,
    state: State,
    place: tuple[str, str, str, str],
    view: ViewName,
    window: Window | None = None,
) -> Response:
    run = state.get_run(*place[:3])
    component = place[3]
    record = run.components.get(component)
    files = record.artifacts if record is not None else ()
    # Of a component that failed, its record is all there is to see.
    digest = "|".join(file.sha256 for file in files) or str(record)
    etag = build_etag(digest, view, str(window), state.version)
    return answer_tagged(
        request,
        etag,
        lambda: dump_json(
            render_component_view(
                run,
                component,
                view,
                window if window is not None else Window(),
                max_items=MOST_ITEMS,
                find_rules=state.find_rules,
            )
        ),
    )
