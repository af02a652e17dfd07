"""`filmcan models`: the asset catalog and its cache."""

from __future__ import annotations

from typing import Annotated

import typer

from filmcan.cli.options import EXIT_INVALID, JsonOption

app = typer.Typer(help="Fetch and check model weights and sample clips.", no_args_is_help=True)


@app.command(name="list")
def models_list(*, json: JsonOption = False) -> None:
    """List every asset of the catalog with its licence."""
    from dataclasses import asdict

    from filmcan.cli.reports import print_assets
    from filmcan.cli.screen import print_json
    from filmcan.operations.assets import list_assets

    assets = list_assets()
    if json:
        print_json({"assets": [asdict(asset) for asset in assets]})
    else:
        print_assets(assets)


@app.command(name="pull")
def models_pull(
    names: Annotated[list[str], typer.Argument(help="Assets of the catalog.")],
    *,
    json: JsonOption = False,
) -> None:
    """Fetch assets into the cache; what is there already is not fetched again."""
    from filmcan.cli.progress import tell
    from filmcan.cli.reports import build_paths_json, print_paths
    from filmcan.cli.screen import print_json
    from filmcan.operations.assets import pull_assets

    paths = pull_assets(names, on_step=tell)
    if json:
        print_json(build_paths_json(paths))
    else:
        print_paths(paths)


@app.command(name="verify")
def models_verify(
    names: Annotated[
        list[str] | None, typer.Argument(help="Assets; all cached ones when none is named.")
    ] = None,
    *,
    json: JsonOption = False,
) -> None:
    """Compare cached files with the digests of the catalog. Exit code 3 when one differs."""
    from filmcan.cli.reports import build_report_json, print_report
    from filmcan.cli.screen import print_json
    from filmcan.operations.assets import verify_assets

    report = verify_assets(names or [])
    if json:
        print_json(build_report_json(report))
    else:
        print_report(report)
    if not report.ok:
        raise typer.Exit(EXIT_INVALID)


@app.command(name="path")
def models_path(
    name: Annotated[str, typer.Argument(help="An asset of the catalog.")],
    *,
    json: JsonOption = False,
) -> None:
    """Print where the files of a cached asset lie."""
    from filmcan.cli.reports import build_paths_json, print_paths
    from filmcan.cli.screen import print_json
    from filmcan.operations.assets import find_asset_paths

    paths = {name: find_asset_paths(name)}
    if json:
        print_json(build_paths_json(paths))
    else:
        print_paths(paths)
