"""`filmcan serve`: starts the other face. The only place where one face knows of the other."""

from __future__ import annotations

import secrets
from typing import Annotated

import typer

from filmcan.cli.options import DEFAULT_STORE
from filmcan.cli.screen import print_text
from filmcan.errors import MissingExtraError

_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(serve)


def serve(
    store: Annotated[
        str, typer.Argument(envvar="FILMCAN_STORE", help="Folder or URL of the result store.")
    ] = DEFAULT_STORE,
    *,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8765,
    media_root: Annotated[
        list[str] | None,
        typer.Option(help="Folder with the sources; they are found by their digest."),
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(envvar="FILMCAN_TOKEN", help="Ask every caller for it; `random` makes one."),
    ] = None,
    allow_host: Annotated[
        list[str] | None, typer.Option(help="Another name under which it may be called.")
    ] = None,
    cors_origin: Annotated[
        list[str] | None, typer.Option(help="A web origin that may read answers.")
    ] = None,
    schemas: Annotated[
        str | None, typer.Option(help="Folder with schemas of components by others.")
    ] = None,
) -> None:
    """Serve a store: web pages, and JSON below /api/v1. Read-only, on this machine only."""
    try:
        from filmcan.server.run import Settings
        from filmcan.server.run import serve as listen
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"the server needs {error.name}",
            where="filmcan serve",
            hint="Run: pip install 'filmcan[serve]'",
        ) from error
    chosen = secrets.token_urlsafe(24) if token == "random" else token  # noqa: S105 - a keyword
    if host not in _LOOPBACK and chosen is None:
        raise typer.BadParameter(
            "beyond this machine a token is asked for: add --token random", param_hint="--host"
        )
    shown = f"[{host}]" if ":" in host else host
    print_text(f"http://{shown}:{port}/{f'?token={chosen}' if chosen else ''}")
    names = {name.lower() for name in (*_LOOPBACK, shown, *(allow_host or ()))}
    settings = Settings(
        store=store,
        media_roots=tuple(media_root or ()),
        token=chosen,
        hosts=tuple(sorted(names)),
        cors_origins=tuple(cors_origin or ()),
        schema_folder=schemas,
    )
    listen(settings, host=host, port=port)
