"""`filmcan import`: bring another system's store in."""

from __future__ import annotations

from typing import Annotated

import typer

from filmcan.cli.options import DEFAULT_STORE, JsonOption, StoreOption

EXIT_SOME_FAILED = 4


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(name="import")(import_command)


def import_command(
    source: Annotated[str, typer.Argument(help="Folder of the store to bring in; only read.")],
    *,
    store: StoreOption = DEFAULT_STORE,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would come, write nothing.")
    ] = False,
    platform: Annotated[str | None, typer.Option(help="Only runs of this platform.")] = None,
    video: Annotated[str | None, typer.Option(help="Only runs of this video.")] = None,
    take_back: Annotated[
        bool, typer.Option("--take-back", help="Also what was deleted from your store.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Import the runs of another system's result store. Exit code 4 when anything was refused."""
    from filmcan.cli.import_reports import build_import_json, print_import
    from filmcan.cli.progress import StoreProgress
    from filmcan.cli.screen import print_json
    from filmcan.operations.import_store import import_store

    with StoreProgress("import") as progress:
        result = import_store(
            source,
            store,
            dry_run=dry_run,
            platform_id=platform,
            video_id=video,
            take_back=take_back,
            on_progress=progress.on_step,
        )
    if json:
        print_json(build_import_json(result))
    else:
        print_import(result)
    if not result.report.ok:
        raise typer.Exit(EXIT_SOME_FAILED)
