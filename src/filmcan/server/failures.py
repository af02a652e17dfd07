"""How an error is told: one JSON shape for programs, one page for people, never a stack trace."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from filmcan.errors import (
    BadMediaError,
    ConflictError,
    FilmcanError,
    InvalidContentError,
    InvalidIdError,
    MissingExtraError,
    NotFoundError,
    StoreUnavailableError,
)
from filmcan.server.answers import RangeError, answer_json

if TYPE_CHECKING:
    from collections.abc import Mapping

_STATUS: tuple[tuple[type[FilmcanError], int], ...] = (
    (InvalidIdError, 404),  # such an id names nothing
    (NotFoundError, 404),
    (RangeError, 416),
    (InvalidContentError, 409),
    (ConflictError, 409),
    (BadMediaError, 409),
    (MissingExtraError, 503),
    (StoreUnavailableError, 503),
)
_LOG = logging.getLogger(__name__)


def find_status(error: FilmcanError) -> int:
    """Return the HTTP status of an error."""
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def register(app: FastAPI) -> None:
    """Have every error told in the one shape."""
    app.add_exception_handler(FilmcanError, _tell_known)
    app.add_exception_handler(RequestValidationError, _tell_wrong_request)
    app.add_exception_handler(HTTPException, _tell_http)
    app.add_exception_handler(Exception, _tell_unknown)


def build_error(
    code: str, message: str, where: str = "", hint: str = ""
) -> dict[str, dict[str, str]]:
    """Return the one shape of an error."""
    return {"error": {"code": code, "message": message, "where": where, "hint": hint}}


def _tell_known(request: Request, error: Exception) -> Response:
    if not isinstance(error, FilmcanError):
        raise error
    status = find_status(error)
    headers = {"Content-Range": f"bytes */{error.size}"} if isinstance(error, RangeError) else {}
    root = str(request.app.state.filmcan.store.url)
    parts = [text.replace(root, "STORE") for text in (error.message, error.where, error.hint)]
    return _tell(request, status, build_error(error.code, *parts), headers)


def _tell_wrong_request(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    faults = "; ".join(
        f"{'.'.join(str(step) for step in item['loc'])}: {item['msg']}" for item in error.errors()
    )
    told = build_error("invalid_request", faults, hint="See /api/v1/openapi.json.")
    return _tell(request, 422, told)


def _tell_http(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "http")
    told = build_error(code, str(error.detail).lower())
    return _tell(request, error.status_code, told, error.headers)


def _tell_unknown(request: Request, error: Exception) -> Response:
    _LOG.error("a request failed: %s %s", request.method, request.scope["path"], exc_info=error)
    told = build_error("internal", "something inside the server broke", hint="Report it.")
    return _tell(request, 500, told)


def _tell(
    request: Request,
    status: int,
    told: dict[str, dict[str, str]],
    headers: Mapping[str, str] | None = None,
) -> Response:
    if request.scope["path"].startswith(("/api/", "/static/", "/metrics")):
        response = answer_json(told, status)
    else:
        response = request.app.state.pages.render_error(request, status, told["error"])
    response.headers.update(headers or {})
    return response
