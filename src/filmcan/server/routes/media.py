"""The video behind a run, and frames of it; only from the folders that the user named."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response

from filmcan.operations.sources import FoundSource
from filmcan.server.answers import answer_bytes, answer_tagged, build_etag
from filmcan.server.routes.parameters import (
    NOT_MODIFIED,
    PlatformId,
    RunId,
    StateOf,
    VideoId,
    tell,
    tell_bytes,
)
from filmcan.server.routes.runs import RUN
from filmcan.server.state import State

router = APIRouter(prefix="/api/v1", tags=["media"])

MEDIA_TYPES = {
    "avi": "video/x-msvideo",
    "flac": "audio/flac",
    "matroska,webm": "video/webm",
    "mov,mp4,m4a,3gp,3g2,mj2": "video/mp4",
    "mp3": "audio/mpeg",
    "mpeg": "video/mpeg",
    "ogg": "audio/ogg",
    "wav": "audio/wav",
}
_UNKNOWN = "application/octet-stream"


@router.get(
    f"{RUN}/media",
    response_class=Response,
    responses={
        **tell(None, "", 404, 409, 416),
        200: {"description": "The whole file.", "content": {"*/*": {}}},
        206: {"description": "The range that was asked for.", "content": {"*/*": {}}},
        **NOT_MODIFIED,
    },
)
def get_media(
    request: Request, state: StateOf, platform_id: PlatformId, video_id: VideoId, run_id: RunId
) -> Response:
    """Return the video that a run was made from, found by the digest of its bytes."""
    found, container = _find(state, platform_id, video_id, run_id)
    media_type = MEDIA_TYPES.get(container, _UNKNOWN)
    return answer_bytes(request, state.sources.open(found), build_etag(found.sha256), media_type)


@router.get(
    f"{RUN}/frame",
    response_class=Response,
    responses={
        **tell(None, "", 404, 409),
        200: tell_bytes("image/jpeg", "The frame."),
        **NOT_MODIFIED,
    },
)
def get_frame(
    request: Request,
    state: StateOf,
    platform_id: PlatformId,
    video_id: VideoId,
    run_id: RunId,
    at_sec: Annotated[float, Query(ge=0, le=1e6, allow_inf_nan=False)] = 0.0,
    width: Annotated[Literal["160", "320", "640", "1280"], Query()] = "320",
) -> Response:
    """Return the frame shown at a moment as JPEG, upright."""
    found, _ = _find(state, platform_id, video_id, run_id)
    etag = build_etag(found.sha256, f"{at_sec:.3f}", width)
    return answer_tagged(
        request,
        etag,
        lambda: state.snapshots.take(found, at_sec, int(width)),
        media_type="image/jpeg",
    )


def _find(state: State, platform_id: str, video_id: str, run_id: str) -> tuple[FoundSource, str]:
    source = state.get_run(platform_id, video_id, run_id).manifest.run.source
    return state.sources.get(source), str(source.get("container"))
