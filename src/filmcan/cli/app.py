"""The commands: parse, call one operation, present. `filmcan --help` loads nothing heavy."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

import typer
import typer.exceptions

from filmcan.cli import (
    batch_commands,
    import_commands,
    models_commands,
    query_commands,
    reuse_commands,
    schema_commands,
    serve_command,
    store_commands,
)
from filmcan.cli.failures import exit_code_for, present_error, present_usage
from filmcan.cli.logs import configure_logging
from filmcan.cli.options import (
    DEFAULT_STORE,
    EXIT_INVALID,
    JsonOption,
    ProfileOption,
    SettingsOption,
    StoreOption,
)
from filmcan.errors import FilmcanError

EXIT_RUN_ERROR = 1

app = typer.Typer(
    name="filmcan",
    help="Turn videos into validated, reproducible feature artifacts.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(schema_commands.app, name="schema")
app.add_typer(models_commands.app, name="models")
query_commands.register(app)
store_commands.register(app)
import_commands.register(app)
serve_command.register(app)
reuse_commands.register(app)
batch_commands.register(app)


@app.callback()
def configure(
    *,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Log to stderr.")] = False,
    log_json: Annotated[
        bool, typer.Option("--log-json", help="Log to stderr, one JSON object a line.")
    ] = False,
) -> None:
    """Turn videos into validated, reproducible feature artifacts."""
    configure_logging(is_verbose=verbose or log_json, as_json=log_json)


@app.command()
def run(
    source: Annotated[
        str,
        typer.Argument(help="Video, sound or picture file, or the URL of one (s3://, https://)."),
    ],
    *,
    store: StoreOption = DEFAULT_STORE,
    platform_id: Annotated[
        str | None, typer.Option(help="Where the video is from. [default: local]")
    ] = None,
    video_id: Annotated[
        str | None, typer.Option(help="Which video. [default: from the digest of its bytes]")
    ] = None,
    run_id: Annotated[
        str | None, typer.Option(help="Join this run, or create it under this id.")
    ] = None,
    document: Annotated[
        Path | None, typer.Option(help="JSON with title, description, tags, comments, transcript.")
    ] = None,
    profile: ProfileOption = None,
    settings: SettingsOption = None,
    only: Annotated[list[str] | None, typer.Option(help="Run only this component.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Compute everything anew.")] = False,
    json: JsonOption = False,
) -> None:
    """Run the components of a profile on one video; what an earlier run has is reused."""
    from filmcan.cli.progress import RunProgress
    from filmcan.cli.reports import build_run_json, print_run_report
    from filmcan.cli.screen import print_json, print_text
    from filmcan.operations.process import Order, parse_source, plan_settings, process_order
    from filmcan.operations.targets import open_target_store

    order = Order(parse_source(source), platform_id, video_id, run_id, document, force)
    with RunProgress(order.source_name) as progress:
        plan = plan_settings(profile, settings, only)
        done = process_order(order, plan, open_target_store(store), progress)
    if json:
        print_json({**build_run_json(done.run), "unchanged": done.is_unchanged})
    else:
        if done.is_unchanged:
            print_text("Nothing has changed since this run, so no new one was written.")
        print_run_report(done.run)
    if done.run.status == "error":
        raise typer.Exit(EXIT_RUN_ERROR)


@app.command()
def show(
    target: Annotated[
        str, typer.Argument(help="Run or artifact: a path, or platform/video[/run].")
    ],
    *,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """Show what a run or an artifact holds."""
    from filmcan.cli.reports import print_view
    from filmcan.cli.screen import print_json
    from filmcan.operations.viewing import render_target

    view = render_target(target, store, "summary")
    features = render_target(target, store, "features")
    if json:
        print_json({**view, **features, "view": "show"} if "keys" in view else view)
    else:
        print_view(view, features)


@app.command()
def render(
    target: Annotated[
        str, typer.Argument(help="Run or artifact: a path, or platform/video[/run].")
    ],
    *,
    view: Annotated[
        Literal["summary", "features", "series", "full"], typer.Option(help="What to render.")
    ] = "summary",
    key: Annotated[list[str] | None, typer.Option("--key", help="Series: only this key.")] = None,
    start_sec: Annotated[float | None, typer.Option(help="Series: from this time on.")] = None,
    end_sec: Annotated[float | None, typer.Option(help="Series: up to this time.")] = None,
    max_points: Annotated[
        int, typer.Option(min=2, help="Series: points of a curve; extremes are kept.")
    ] = 2000,
    narrative: Annotated[
        bool, typer.Option("--narrative", help="Tell the run in a few sentences instead.")
    ] = False,
    locale: Annotated[Literal["en", "ru"], typer.Option(help="Narrative: its language.")] = "en",
    endpoint: Annotated[
        str | None,
        typer.Option(
            envvar="FILMCAN_TEXT_ENDPOINT",
            help="Narrative: an OpenAI-compatible address; FILMCAN_TEXT_KEY is its key. "
            "[default: a template]",
        ),
    ] = None,
    text_model: Annotated[
        str | None,
        typer.Option(envvar="FILMCAN_TEXT_MODEL", help="Narrative: the endpoint's model."),
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """Render a run or an artifact as JSON, or a run as a short text."""
    from filmcan.cli.screen import print_json, print_lines
    from filmcan.operations.viewing import Window, render_target

    if narrative:
        from filmcan.operations.narrating import Endpoint, narrate_target

        writer = None
        if endpoint is not None:
            if text_model is None:
                raise typer.BadParameter("name the endpoint's model", param_hint="--text-model")
            writer = Endpoint(endpoint, text_model, os.environ.get("FILMCAN_TEXT_KEY", ""))
        told = narrate_target(target, store, locale, writer)
        if json:
            print_json(dict(told.record))
        else:
            print_lines(told.text.rstrip())
        return
    print_json(render_target(target, store, view, Window(start_sec, end_sec, max_points, key)))


@app.command()
def validate(
    paths: Annotated[
        list[str] | None,
        typer.Argument(help="Artifacts, folders of components, runs, videos, platforms; stores."),
    ] = None,
    *,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """Hold artifacts, runs or a store to the contract. Exit code 3 when anything is wrong."""
    from filmcan.cli.progress import StoreProgress
    from filmcan.cli.reports import build_verdict_json, print_verdict
    from filmcan.cli.screen import print_json
    from filmcan.operations.validation import merge_verdicts, validate_target

    with StoreProgress("validate") as progress:
        verdict = merge_verdicts(
            [validate_target(path, on_progress=progress.on_step) for path in paths or [store]]
        )
    if json:
        print_json(build_verdict_json(verdict))
    else:
        print_verdict(verdict)
    if not verdict.report.ok:
        raise typer.Exit(EXIT_INVALID)


@app.command()
def doctor(*, store: StoreOption = DEFAULT_STORE, json: JsonOption = False) -> None:
    """Say what works on this machine, and what to do about the rest."""
    from dataclasses import asdict

    from filmcan.cli.reports import print_checks
    from filmcan.cli.screen import print_json
    from filmcan.operations.health import check_health

    checks = check_health(store)
    if json:
        print_json({"checks": [asdict(check) for check in checks]})
    else:
        print_checks(checks)
    if any(check.status == "fail" for check in checks):
        raise typer.Exit(1)


@app.command()
def demo(
    *,
    store: Annotated[str, typer.Option(help="Folder for the demo's runs.")] = "demo_store",
    json: JsonOption = False,
) -> None:
    """Fetch a real clip, run everything on it, validate the run, say what to try next."""
    from filmcan.cli.progress import RunProgress, tell
    from filmcan.cli.reports import build_run_json, build_verdict_json, print_demo
    from filmcan.cli.screen import print_json
    from filmcan.operations.demo import SAMPLE_FILE, run_demo

    with RunProgress(SAMPLE_FILE) as progress:
        result = run_demo(store, observer=progress, on_fetch=tell)
    if json:
        print_json(
            {"run": build_run_json(result.run), "validation": build_verdict_json(result.verdict)}
        )
    else:
        print_demo(result, store)
    if result.run.status == "error":
        raise typer.Exit(EXIT_RUN_ERROR)
    if not result.verdict.report.ok:
        raise typer.Exit(EXIT_INVALID)


def run_command(arguments: list[str]) -> int:
    """Run one command and return its exit code; every known error is presented."""
    wants_json = "--json" in arguments
    try:
        result = typer.main.get_command(app).main(
            args=arguments, prog_name="filmcan", standalone_mode=False
        )
    except FilmcanError as error:
        present_error(error, as_json=wants_json)
        return exit_code_for(error)
    except typer.exceptions.TyperException as error:
        present_usage(error.format_message(), as_json=wants_json)
        return error.exit_code
    except typer.Abort as error:
        raise KeyboardInterrupt from error
    return result if isinstance(result, int) else 0
