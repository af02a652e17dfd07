"""`filmcan fsck`, `gc` and `delete`: keeping a store sound and small."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from filmcan.cli.options import DEFAULT_STORE, EXIT_INVALID, JsonOption, StoreArgument

EXIT_DECLINED = 1


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command(name="fsck")(fsck)
    app.command(name="gc")(gc)
    app.command(name="delete")(delete)


def fsck(
    store: StoreArgument = DEFAULT_STORE,
    *,
    data: Annotated[bool, typer.Option("--data", help="Rehash every byte too.")] = False,
    repair: Annotated[
        bool, typer.Option("--repair", help="Quarantine or rebuild what can be proved.")
    ] = False,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes that look. [default: one for each core]")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Judge the store: is all there that it lists? Exit code 3 when an error remains."""
    from filmcan.cli.progress import StoreProgress
    from filmcan.cli.screen import print_json
    from filmcan.cli.store_reports import build_check_json, print_check
    from filmcan.operations.check_store import check_store

    with StoreProgress("fsck") as progress:
        check = check_store(
            store,
            with_data=data,
            repair=repair,
            workers=workers or os.cpu_count() or 1,
            on_progress=progress.on_step,
        )
    if json:
        print_json(build_check_json(check))
    else:
        print_check(check)
    if not check.remaining.ok:
        raise typer.Exit(EXIT_INVALID)


def gc(
    store: StoreArgument = DEFAULT_STORE,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    keep_last: Annotated[
        int | None, typer.Option(help="Finished runs to keep for each video.")
    ] = None,
    max_age: Annotated[
        str | None, typer.Option(help="Runs unchanged for longer go, such as 90d.")
    ] = None,
    grace: Annotated[str, typer.Option(help="Nothing that changed more recently goes.")] = "24h",
    json: JsonOption = False,
) -> None:
    """Remove garbage, and with --keep-last or --max-age runs that need not be kept."""
    from filmcan.cli.progress import StoreProgress
    from filmcan.cli.screen import print_json
    from filmcan.cli.store_reports import build_sweep_json, print_sweep
    from filmcan.operations.collect_garbage import collect_garbage

    with StoreProgress("gc") as progress:
        sweep = collect_garbage(
            store,
            dry_run=dry_run,
            keep_last=keep_last,
            max_age=max_age,
            grace=grace,
            on_progress=progress.on_step,
        )
    if json:
        print_json(build_sweep_json(sweep, dry_run=dry_run))
    else:
        print_sweep(sweep, dry_run=dry_run)


def delete(
    store: StoreArgument = DEFAULT_STORE,
    *,
    video: Annotated[str, typer.Option(help="PLATFORM/VIDEO.")],
    run: Annotated[str | None, typer.Option(help="Only this run of it.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    json: JsonOption = False,
) -> None:
    """Delete a video, or one run of it, for good; print what was removed."""
    from filmcan.cli.screen import print_json
    from filmcan.cli.store_reports import build_receipt_json, print_receipt
    from filmcan.operations.delete_video import delete_video, survey_video

    if not yes:
        planned = survey_video(store, video, run)
        if json or not sys.stdin.isatty():
            raise typer.BadParameter("nobody can be asked here: add --yes to delete")
        what = f"{planned.target}: {len(planned.files)} files, {planned.size_bytes} bytes"
        if not typer.confirm(f"Delete {what} for good?", err=True):
            sys.stderr.write("Nothing was removed.\n")
            raise typer.Exit(EXIT_DECLINED)
    receipt = delete_video(store, video, run)
    if json:
        print_json(build_receipt_json(receipt))
    else:
        print_receipt(receipt)
