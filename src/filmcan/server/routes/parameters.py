"""Parameters and documented answers that several routes share."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Path, Query
from pydantic import BaseModel, BeforeValidator

from filmcan.operations.run_search import MOST_ROWS, RunQuery, SortName, StatusName
from filmcan.server.shapes import ErrorShape, Status
from filmcan.server.state import State, get_state

_ID = {"min_length": 1, "max_length": 128, "pattern": r"^[A-Za-z0-9._-]+$"}
StateOf = Annotated[State, Depends(get_state)]
PlatformId = Annotated[str, Path(description="Where the video is from.", **_ID)]
VideoId = Annotated[str, Path(description="Which video.", **_ID)]
RunId = Annotated[str, Path(description="Which run of it.", **_ID)]
Component = Annotated[str, Path(description="The component's name.", **_ID)]

_Empty = BeforeValidator(lambda value: value or None)
"""A form that was sent with a field left blank asks for nothing there."""

_Word = Annotated[str | None, Query(max_length=200)]


def tell(
    model: type[BaseModel] | None = None, description: str = "", *statuses: int
) -> dict[int | str, dict[str, Any]]:
    """Return the documented answers of a route: what it gives, and the errors it may give."""
    found: dict[int | str, dict[str, Any]] = {
        status: {"model": ErrorShape, "description": _ERRORS[status]}
        for status in (*_ALWAYS, *statuses)
    }
    if model is not None:
        found[200] = {"model": model, "description": description}
    return dict(sorted(found.items(), key=lambda item: int(item[0])))


def tell_bytes(media_type: str, description: str) -> dict[str, Any]:
    """Return the documentation of an answer that is no JSON."""
    schema = {"type": "string", "format": "binary"}
    return {"description": description, "content": {media_type: {"schema": schema}}}


NOT_MODIFIED: dict[int | str, dict[str, Any]] = {
    304: {"description": "The caller has it already: If-None-Match names its ETag."}
}

_ALWAYS = (400, 401, 422, 500, 503)
_ERRORS = {
    400: "The server does not answer under this host name.",
    401: "The server asks for a token.",
    404: "There is no such thing.",
    409: "It is there, but its content is damaged or cannot be shown.",
    416: "The range lies outside the file.",
    422: "A parameter is wrong.",
    500: "The server broke; this should be reported.",
    503: "The store cannot be reached.",
}


def read_query(
    q: Annotated[
        str | None, Query(max_length=200, description="Words in platform/video/run.")
    ] = None,
    platform_id: _Word = None,
    video_id: _Word = None,
    status: Annotated[StatusName | None, _Empty, Query(description="Of the run.")] = None,
    component: _Word = None,
    component_status: Annotated[
        Status | None, _Empty, Query(description="Of that component.")
    ] = None,
    reason: Annotated[
        str | None, Query(max_length=200, description="Empty reason of that component.")
    ] = None,
    sort: Annotated[SortName, Query()] = "created_at",
    descending: Annotated[bool, Query()] = True,  # noqa: FBT002 - a query parameter
    offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
    limit: Annotated[int, Query(ge=1, le=MOST_ROWS)] = 50,
) -> RunQuery:
    """Return what is looked for."""
    return RunQuery(
        text=q or None,
        platform_id=platform_id or None,
        video_id=video_id or None,
        status=status,
        component=component or None,
        component_status=component_status,
        reason=reason or None,
        sort=sort,
        descending=descending,
        offset=offset,
        limit=limit,
    )


QueryOf = Annotated[RunQuery, Depends(read_query)]
