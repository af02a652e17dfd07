"""Runs: found, summed up, judged, compared."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from filmcan.operations.comparing import compare_runs
from filmcan.operations.run_files import hash_manifest, read_manifest_bytes
from filmcan.operations.run_search import RunSummary as Summary
from filmcan.operations.targets import find_run
from filmcan.operations.validation import validate_run
from filmcan.operations.viewing import render_run_view
from filmcan.server.answers import answer_json, answer_tagged, build_etag, dump_json
from filmcan.server.routes.parameters import (
    NOT_MODIFIED,
    PlatformId,
    QueryOf,
    RunId,
    StateOf,
    VideoId,
    tell,
)
from filmcan.server.shapes import Comparison, Manifest, RunList, RunSummary, ValidationReport

router = APIRouter(prefix="/api/v1", tags=["runs"])
_ROW = tuple(item.name for item in fields(Summary))
RUN = "/runs/{platform_id}/{video_id}/{run_id}"
RunPath = Annotated[
    str,
    Query(
        max_length=400,
        pattern=r"^[A-Za-z0-9._-]+/[A-Za-z0-9._-]+/[A-Za-z0-9._-]+$",
        description="platform/video/run",
    ),
]


@router.get("/runs", responses=tell(RunList, "One page of runs."))
def list_runs(state: StateOf, query: QueryOf) -> Response:
    """Find runs. The answer may be some seconds behind the store."""
    page = state.search.find(query)
    after = query.offset + len(page.rows)
    return answer_json(
        {
            "runs": [{name: getattr(row, name) for name in _ROW} for row in page.rows],
            "total": page.total,
            "total_runs": page.total_runs,
            "unreadable": page.unreadable,
            "offset": query.offset,
            "limit": query.limit,
            "next_offset": after if page.rows and after < page.total else None,
            "statuses": page.statuses,
            "reasons": [
                {"component": name, "status": status, "reason": reason, "count": count}
                for name, status, reason, count in page.reasons
            ],
            "platforms": page.platforms,
            "components": page.components,
        }
    )


@router.get(RUN, responses={**tell(RunSummary, "The run in brief.", 404, 409), **NOT_MODIFIED})
def get_run(
    request: Request, state: StateOf, platform_id: PlatformId, video_id: VideoId, run_id: RunId
) -> Response:
    """Return a run in brief."""
    tag = hash_manifest(state.store, platform_id, video_id, run_id)
    run = state.get_run(platform_id, video_id, run_id)
    etag = build_etag(tag, "summary", state.version)
    return answer_tagged(request, etag, lambda: dump_json(render_run_view(run, "summary")))


@router.get(
    "/videos/{platform_id}/{video_id}/latest",
    responses=tell(RunSummary, "The latest finished run in brief.", 404, 409),
)
def get_latest(state: StateOf, platform_id: PlatformId, video_id: VideoId) -> Response:
    """Return the latest finished run of a video in brief."""
    return answer_json(render_run_view(state.store.latest(platform_id, video_id), "summary"))


@router.get(
    f"{RUN}/manifest",
    responses={**tell(Manifest, "The manifest as it is stored.", 404, 409), **NOT_MODIFIED},
)
def get_manifest(
    request: Request, state: StateOf, platform_id: PlatformId, video_id: VideoId, run_id: RunId
) -> Response:
    """Return the manifest, byte for byte."""
    tag = hash_manifest(state.store, platform_id, video_id, run_id)
    run = state.get_run(platform_id, video_id, run_id)
    etag = build_etag(tag, "manifest")
    return answer_tagged(request, etag, lambda: read_manifest_bytes(run))


@router.get(
    f"{RUN}/validation", responses=tell(ValidationReport, "Every finding about the run.", 404, 409)
)
def validate(state: StateOf, platform_id: PlatformId, video_id: VideoId, run_id: RunId) -> Response:
    """Hold a run to the contract: reads and hashes every byte of it."""
    run = state.get_run(platform_id, video_id, run_id)
    with state.validating:  # one at a time: it reads whole artifacts
        verdict = validate_run(run, find_schema=state.find_rules)
    return answer_json(
        {
            "valid": verdict.report.ok,
            "runs": verdict.runs,
            "artifacts": verdict.artifacts,
            "issues": [asdict(issue) for issue in verdict.report],
        }
    )


@router.get("/compare", responses=tell(Comparison, "What two runs say differently.", 404, 409))
def compare(state: StateOf, left: RunPath, right: RunPath) -> Response:
    """Compare two runs: settings, versions, models, states, features."""
    found = [find_run(state.store, path) for path in (left, right)]
    return answer_json(asdict(compare_runs(*found)))
