"""Whether the server lives, and what it has done."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from filmcan.server.answers import answer_json
from filmcan.server.routes.parameters import StateOf, tell, tell_bytes
from filmcan.server.shapes import Health

router = APIRouter(tags=["service"])


@router.get("/api/v1/health", responses=tell(Health, "It lives and reaches its store."))
def get_health(state: StateOf) -> Response:
    """Tell that the server lives and reaches its store. Asks for no token."""
    state.store.backend.list_folder("")
    return answer_json(
        {"status": "ok", "version": state.version, "has_media": state.sources.has_roots}
    )


@router.get(
    "/metrics",
    response_class=Response,
    responses={**tell(), 200: tell_bytes("text/plain", "Metrics in Prometheus' text format.")},
)
def get_metrics(request: Request) -> Response:
    """Return counts and times of requests."""
    return Response(request.app.state.metrics.write_text(), media_type="text/plain")
