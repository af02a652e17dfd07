"""`filmcan list`, `search`, `status` and `index`: what a store holds, told through its index."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from filmcan.cli.options import (
    DEFAULT_STORE,
    JsonOption,
    ProfileOption,
    SettingsOption,
    StoreArgument,
)

if TYPE_CHECKING:
    from filmcan.operations.indexing import IndexReport
    from filmcan.operations.querying import Paging, RunFilter

IndexOption = Annotated[
    str | None,
    typer.Option(
        "--index",
        envvar="FILMCAN_INDEX_URL",
        help="Database of the index: postgresql://..., or an SQLite file. [default: in the store]",
    ),
]
PlatformOption = Annotated[str | None, typer.Option(help="Only this platform.")]
VideoOption = Annotated[str | None, typer.Option(help="Only this video.")]
StatusOption = Annotated[
    Literal["ok", "error", "unfinished"] | None, typer.Option(help="Only runs that ended so.")
]
ComponentOption = Annotated[str | None, typer.Option(help="Only runs with this component.")]
ComponentStatusOption = Annotated[
    Literal["ok", "empty", "error"] | None,
    typer.Option(help="Only runs with a component (that of --component) that ended so."),
]
ReasonOption = Annotated[str | None, typer.Option(help="... that is empty for this reason.")]
ProducerOption = Annotated[
    str | None, typer.Option(help="... that this version of its code produced.")
]
SchemaOption = Annotated[str | None, typer.Option(help="... that has this schema_version.")]
SignatureOption = Annotated[str | None, typer.Option(help="... whose model_signature begins so.")]
ConfigOption = Annotated[str | None, typer.Option(help="Only runs whose config_hash begins so.")]
SinceOption = Annotated[
    str | None, typer.Option(help="Begun on this day (UTC) or at this time, or later.")
]
UntilOption = Annotated[
    str | None, typer.Option(help="Begun on this day or at this time, or earlier.")
]
LatestOption = Annotated[
    bool, typer.Option("--latest", help="Only each video's latest finished run.")
]
SortOption = Annotated[
    Literal["path", "created_at", "updated_at", "duration_sec"], typer.Option(help="Order of runs.")
]
ReverseOption = Annotated[bool, typer.Option("--reverse", help="Greatest first.")]
LimitOption = Annotated[
    int | None, typer.Option(help="Show so many runs. [default: 100 in a table, all with --json]")
]
OffsetOption = Annotated[int, typer.Option(help="Leave out so many runs before them.")]
WorkersOption = Annotated[
    int | None,
    typer.Option(min=1, help="Processes that read manifests. [default: one for each core]"),
]

TABLE_LIMIT = 100

index_app = typer.Typer(
    no_args_is_help=True, help="Look after the index of a store; it can always be made anew."
)


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command(name="list")(list_command)
    app.command(name="search")(search)
    app.command(name="status")(status)
    app.add_typer(index_app, name="index")


def list_command(
    store: StoreArgument = DEFAULT_STORE,
    *,
    platform_id: PlatformOption = None,
    video_id: VideoOption = None,
    status: StatusOption = None,
    component: ComponentOption = None,
    component_status: ComponentStatusOption = None,
    reason: ReasonOption = None,
    producer_version: ProducerOption = None,
    schema_version: SchemaOption = None,
    model_signature: SignatureOption = None,
    config_hash: ConfigOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    latest: LatestOption = False,
    sort: SortOption = "path",
    reverse: ReverseOption = False,
    limit: LimitOption = None,
    offset: OffsetOption = 0,
    index: IndexOption = None,
    json: JsonOption = False,
) -> None:
    """List the runs of a store. Filters about components must all hold for one component."""
    from filmcan.operations.querying import Paging, RunFilter, parse_moment, parse_moment_after

    wanted = RunFilter(
        platform_id=platform_id,
        video_id=video_id,
        status=status,
        component=component,
        component_status=component_status,
        reason=reason,
        producer_version=producer_version,
        schema_version=schema_version,
        model_signature=model_signature,
        config_hash=config_hash,
        created_from=None if since is None else parse_moment(since),
        created_before=None if until is None else parse_moment_after(until),
        latest_only=latest,
    )
    shown = TABLE_LIMIT if limit is None and not json else limit
    _show_runs(store, wanted, Paging(sort, reverse, shown, offset), index, as_json=json)


def search(
    text: Annotated[str, typer.Argument(help="Stands in an id, a note, an error, a file's name.")],
    store: StoreArgument = DEFAULT_STORE,
    *,
    limit: LimitOption = None,
    offset: OffsetOption = 0,
    index: IndexOption = None,
    json: JsonOption = False,
) -> None:
    """Find runs by a part of an id, of the source's name, of a note or an error."""
    from filmcan.operations.querying import Paging, RunFilter

    shown = TABLE_LIMIT if limit is None and not json else limit
    paging = Paging(limit=shown, offset=offset)
    _show_runs(store, RunFilter(text=text), paging, index, as_json=json)


def status(
    store: StoreArgument = DEFAULT_STORE,
    *,
    platform_id: PlatformOption = None,
    component: ComponentOption = None,
    config_hash: ConfigOption = None,
    every_run: Annotated[
        bool, typer.Option("--every-run", help="Count all runs, not each video's latest alone.")
    ] = False,
    stale: Annotated[
        bool, typer.Option("--stale", help="Also list what the present profile would make anew.")
    ] = False,
    profile: ProfileOption = None,
    settings: SettingsOption = None,
    index: IndexOption = None,
    json: JsonOption = False,
) -> None:
    """Count how runs and components ended: each video's latest finished run, unless told."""
    from dataclasses import asdict

    from filmcan.cli.progress import StoreProgress
    from filmcan.cli.query_reports import build_counts_json, print_counts
    from filmcan.cli.reuse_reports import print_stale
    from filmcan.cli.screen import print_json
    from filmcan.operations.process import plan_settings
    from filmcan.operations.querying import RunFilter, count_outcomes
    from filmcan.operations.stale import find_stale_results

    wanted = RunFilter(
        platform_id=platform_id,
        component=component,
        config_hash=config_hash,
        latest_only=not every_run,
    )
    with StoreProgress("index") as progress:
        counts = count_outcomes(store, wanted, index=index, on_progress=progress.on_step)
    plan = plan_settings(profile, settings, None) if stale else None
    found = None if plan is None else find_stale_results(store, plan)
    if json:
        shape = build_counts_json(store, counts, latest_only=not every_run)
        print_json(shape if found is None else {**shape, "stale": asdict(found)})
        return
    print_counts(store, counts)
    if found is not None:
        print_stale(found)


@index_app.command(name="rebuild")
def rebuild(
    store: StoreArgument = DEFAULT_STORE,
    *,
    index: IndexOption = None,
    workers: WorkersOption = None,
    json: JsonOption = False,
) -> None:
    """Make the index anew from all manifests."""
    _update(store, "rebuild", index, workers, as_json=json)


@index_app.command(name="sync")
def sync(
    store: StoreArgument = DEFAULT_STORE,
    *,
    index: IndexOption = None,
    workers: WorkersOption = None,
    json: JsonOption = False,
) -> None:
    """Look at every manifest and take over what changed, whoever changed it."""
    _update(store, "sync", index, workers, as_json=json)


@index_app.command(name="status")
def index_status(
    store: StoreArgument = DEFAULT_STORE,
    *,
    index: IndexOption = None,
    json: JsonOption = False,
) -> None:
    """Say where the index lies and what it has not taken over yet."""
    from filmcan.operations.indexing import survey_index

    _show_report("status", lambda: survey_index(store, index=index), as_json=json)


@index_app.command(name="drop")
def drop(
    store: StoreArgument = DEFAULT_STORE,
    *,
    index: IndexOption = None,
    json: JsonOption = False,
) -> None:
    """Remove the index; the next question makes it anew."""
    from filmcan.operations.indexing import drop_index

    _show_report("drop", lambda: drop_index(store, index=index), as_json=json)


def _show_runs(
    store: str, wanted: RunFilter, paging: Paging, index: str | None, *, as_json: bool
) -> None:
    from filmcan.cli.progress import StoreProgress
    from filmcan.cli.query_reports import build_page_json, print_page
    from filmcan.cli.screen import print_json
    from filmcan.operations.querying import find_runs

    with StoreProgress("index") as progress:
        page = find_runs(store, wanted, paging, index=index, on_progress=progress.on_step)
    if as_json:
        print_json(build_page_json(store, page, paging))
    else:
        print_page(store, page, paging)


def _update(
    store: str,
    how: Literal["sync", "rebuild"],
    index: str | None,
    workers: int | None,
    *,
    as_json: bool,
) -> None:
    from filmcan.cli.progress import StoreProgress
    from filmcan.operations.indexing import update_index

    with StoreProgress("index") as progress:
        report = update_index(
            store, how=how, index=index, workers=workers, on_progress=progress.on_step
        )
    _show_report(how, lambda: report, as_json=as_json)


def _show_report(what: str, find: Callable[[], IndexReport], *, as_json: bool) -> None:
    from filmcan.cli.query_reports import build_index_json, print_index
    from filmcan.cli.screen import print_json

    report = find()
    if as_json:
        print_json(build_index_json(what, report))
    else:
        print_index(what, report)
