"""`filmcan batch` and `filmcan retry`: many videos, in workers that may die."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from filmcan.cli.options import (
    DEFAULT_STORE,
    JsonOption,
    ProfileOption,
    SettingsOption,
    StoreOption,
)

if TYPE_CHECKING:
    from filmcan.operations.batch_run import BatchOptions
    from filmcan.operations.batch_videos import BatchRules

EXIT_SOME_FAILED = 4

SourcesArgument = Annotated[
    list[str],
    typer.Argument(help="Files, folders, globs, or lists (.csv, .jsonl, .parquet)."),
]
PlatformOption = Annotated[
    str | None, typer.Option(help="Where videos are from whose list does not say it.")
]
OnlyOption = Annotated[list[str] | None, typer.Option(help="Run only this component.")]
WorkersOption = Annotated[
    int | None, typer.Option(min=1, help="Videos at a time. [default: one for each two cores]")
]
LimitOption = Annotated[int | None, typer.Option(min=1, help="Only the first so many videos.")]
EngineOption = Annotated[
    Literal["local", "ray"], typer.Option(help="Workers on this machine, or on a Ray cluster.")
]
RayOption = Annotated[
    str | None, typer.Option(help="Address of a Ray cluster. [default: one of this machine's own]")
]
MetricsOption = Annotated[
    Path | None, typer.Option(help="Keep Prometheus metrics of the batch in this file.")
]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command(name="batch")(batch)
    app.command(name="retry")(retry)


def batch(
    sources: SourcesArgument,
    *,
    store: StoreOption = DEFAULT_STORE,
    platform_id: PlatformOption = None,
    profile: ProfileOption = None,
    settings: SettingsOption = None,
    only: OnlyOption = None,
    workers: WorkersOption = None,
    limit: LimitOption = None,
    retry: Annotated[
        bool, typer.Option("--retry", help="Try again what is recorded as failed.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Compute everything anew.")] = False,
    engine: EngineOption = "local",
    ray_address: RayOption = None,
    metrics_file: MetricsOption = None,
    json: JsonOption = False,
) -> None:
    """Run a profile on many videos; what is done is passed over. Exit code 4 when some failed."""
    from filmcan.operations.batch_run import BatchOptions
    from filmcan.operations.batch_videos import BatchRules

    rules = BatchRules(
        force=force,
        retry=frozenset({"error"}) if retry else frozenset(),
        platform_id=platform_id,
    )
    options = BatchOptions(
        store=store,
        profile=profile,
        settings=settings,
        only=only,
        workers=workers,
        limit=limit,
        engine=engine,
        ray_address=ray_address,
        metrics_file=metrics_file,
    )
    _run(sources, options, rules, json=json)


def retry(
    sources: SourcesArgument,
    *,
    status: Annotated[
        list[str] | None,
        typer.Option(help="What is tried again: error or empty. [default: error]"),
    ] = None,
    component: Annotated[
        list[str] | None, typer.Option(help="Only results of this component.")
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    platform_id: PlatformOption = None,
    profile: ProfileOption = None,
    settings: SettingsOption = None,
    workers: WorkersOption = None,
    limit: LimitOption = None,
    engine: EngineOption = "local",
    ray_address: RayOption = None,
    metrics_file: MetricsOption = None,
    json: JsonOption = False,
) -> None:
    """Try again what failed, or came out empty, in earlier runs of these videos."""
    if not set(status or ()) <= {"error", "empty"}:
        raise typer.BadParameter("must be error or empty", param_hint="--status")
    from filmcan.operations.batch_run import BatchOptions
    from filmcan.operations.batch_videos import BatchRules

    rules = BatchRules(
        retry=frozenset(status or ["error"]),
        components=frozenset(component or ()),
        platform_id=platform_id,
    )
    options = BatchOptions(
        store=store,
        profile=profile,
        settings=settings,
        workers=workers,
        limit=limit,
        engine=engine,
        ray_address=ray_address,
        metrics_file=metrics_file,
    )
    _run(sources, options, rules, json=json)


def _run(sources: list[str], options: BatchOptions, rules: BatchRules, *, json: bool) -> None:
    from filmcan.cli.batch_reports import BatchProgress, build_batch_json, print_batch
    from filmcan.cli.screen import print_json
    from filmcan.operations.batch_run import process_batch

    with BatchProgress() as progress:
        report = process_batch(sources, options, rules, progress)
    if json:
        print_json(build_batch_json(report, options.store))
    else:
        print_batch(report)
    if report.failed:
        raise typer.Exit(EXIT_SOME_FAILED)
