"""`filmcan models`: the asset catalog and its cache."""

from __future__ import annotations

from typing import Annotated

import typer

from filmcan.cli.options import EXIT_INVALID, JsonOption

app = typer.Typer(help="Fetch and check model weights and sample clips.", no_args_is_help=True)


@app.command(name="list")
def models_list(*, json: JsonOption = False) -> None:
    """List every asset of the catalog with its licence, and the named sets of assets."""
    from dataclasses import asdict

    from filmcan.cli.reports import print_assets
    from filmcan.cli.screen import print_json, print_text
    from filmcan.operations.assets import list_assets, list_sets

    assets, sets = list_assets(), list_sets()
    if json:
        print_json({"assets": [asdict(asset) for asset in assets], "sets": sets})
        return
    print_assets(assets)
    for name, members in sets.items():
        print_text("")
        print_text(f"set {name} (filmcan models pull --set {name}): {', '.join(members)}")


@app.command(name="pull")
def models_pull(
    names: Annotated[list[str] | None, typer.Argument(help="Assets of the catalog.")] = None,
    *,
    sets: Annotated[
        list[str] | None, typer.Option("--set", help="A named set of assets; may be repeated.")
    ] = None,
    accept_digest: Annotated[
        bool,
        typer.Option(
            "--accept-digest",
            help="Fetch the named assets even where a digest is not known yet, and print the "
            "catalog entry with what it turned out to be. Known digests are held to as ever.",
        ),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Fetch assets into the cache; what is there already is not fetched again.

    An interrupted download goes on where it stopped. FILMCAN_OFFLINE forbids all fetching.
    """
    from filmcan.cli.fetch_progress import FetchBar
    from filmcan.cli.reports import build_paths_json, print_paths
    from filmcan.cli.screen import print_json
    from filmcan.operations.assets import pull_assets

    if not names and not sets:
        raise typer.BadParameter("Name an asset or a --set; filmcan models list shows them.")
    if accept_digest:
        _accept(names or [], sets or [], json=json)
        return
    with FetchBar() as bar:
        paths = pull_assets(names or [], sets=sets or [], on_progress=bar.on_progress)
    if json:
        print_json(build_paths_json(paths))
    else:
        print_paths(paths)


def _accept(names: list[str], sets: list[str], *, json: bool) -> None:
    from filmcan.cli.fetch_progress import FetchBar, say
    from filmcan.cli.reports import build_paths_json
    from filmcan.cli.screen import print_json, print_lines
    from filmcan.operations.assets import accept_assets

    if sets:
        raise typer.BadParameter("--accept-digest takes assets by name, one decision each.")
    with FetchBar() as bar:
        accepted = accept_assets(names, on_progress=bar.on_progress)
    if json:
        print_json(
            {
                "assets": build_paths_json({name: item.paths for name, item in accepted.items()}),
                "entries": {name: item.entry for name, item in accepted.items()},
            }
        )
        return
    for item in accepted.values():
        print_lines(item.entry)
    say("Commit the entries above to a catalog; a file of your own begins with the line")
    say("catalog_version = 1 and is named by FILMCAN_CATALOG. Until then they are not used.")


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
