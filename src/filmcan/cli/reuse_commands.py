"""`filmcan explain` and `filmcan du`: why a result is what it is, and what it takes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from filmcan.cli.options import (
    DEFAULT_STORE,
    JsonOption,
    ProfileOption,
    SettingsOption,
    StoreArgument,
    StoreOption,
)


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command(name="explain")(explain)
    app.command(name="du")(du)


def du(
    store: StoreArgument = DEFAULT_STORE,
    *,
    top: Annotated[int, typer.Option(min=0, help="So many videos, the greatest first.")] = 20,
    json: JsonOption = False,
) -> None:
    """Show how much room components and videos take, all runs together."""
    from dataclasses import asdict

    from filmcan.cli.reuse_reports import print_disk_use
    from filmcan.cli.screen import print_json
    from filmcan.operations.disk_use import measure_disk_use

    found = measure_disk_use(store)
    if json:
        print_json({"store": store, **asdict(found)})
    else:
        print_disk_use(found, top)


def explain(
    target: Annotated[str, typer.Argument(help="Run: a path, or platform/video[/run].")],
    *,
    component: Annotated[str | None, typer.Option(help="Only this component.")] = None,
    source: Annotated[
        str | None, typer.Option(help="The video file or URL as it is now, to compare its bytes.")
    ] = None,
    document: Annotated[
        Path | None, typer.Option(help="The document as it is now, with --source.")
    ] = None,
    profile: ProfileOption = None,
    settings: SettingsOption = None,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """Say why results were computed or reused, and which part of a reuse key differs."""
    from dataclasses import asdict

    from filmcan.cli.reuse_reports import print_explanation
    from filmcan.cli.screen import print_json
    from filmcan.operations.explain import explain_run
    from filmcan.operations.process import parse_source, plan_settings

    if document is not None and source is None:
        raise typer.BadParameter("--document needs --source", param_hint="--document")
    plan = plan_settings(profile, settings, None)
    given = None if source is None else parse_source(source)
    found = explain_run(target, store, plan, component=component, source=given, document=document)
    if json:
        print_json(asdict(found))
    else:
        print_explanation(found)
