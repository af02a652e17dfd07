"""Builds the application: routes, pages, errors, guard and meter around one state."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.routing import APIRoute

from filmcan.server import failures
from filmcan.server.metrics import Meter, Metrics
from filmcan.server.routes import (
    components,
    corpus,
    media,
    pages,
    runs,
    schemas,
    service,
)
from filmcan.server.security import Guard
from filmcan.server.web.pages import Pages

if TYPE_CHECKING:
    from filmcan.server.state import State

_DESCRIPTION = (
    "Runs of a filmcan store, read-only. Every error has one shape. Unchanged data costs a 304: "
    "keep the ETag. Missing numbers are null, and the reason stands beside them."
)


def build_app(state: State) -> FastAPI:
    """Return the application over a store."""

    @asynccontextmanager
    async def live(_: FastAPI) -> AsyncIterator[None]:
        yield
        state.snapshots.close()
        state.search.close()

    app = FastAPI(
        title="filmcan",
        version=state.version,
        description=_DESCRIPTION,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,  # both load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,  # a redirect would echo the caller's host
        lifespan=live,
        generate_unique_id_function=_name_operation,
    )
    app.state.filmcan = state
    app.state.metrics = Metrics()
    app.state.pages = Pages()
    for part in (service, runs, components, media, corpus, schemas):
        app.include_router(part.router)
    app.include_router(pages.router, include_in_schema=False)
    failures.register(app)
    if state.settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(state.settings.cors_origins),
            allow_methods=["GET"],
            allow_headers=["Authorization", "If-None-Match", "Range"],
            expose_headers=["ETag", "Content-Range"],
        )
    app.add_middleware(Guard, settings=state.settings)
    app.add_middleware(Meter, metrics=app.state.metrics)
    return app


def _name_operation(route: APIRoute) -> str:
    return route.name if not route.tags else f"{route.tags[0]}_{route.name}"
