"""`filmcan schema`: the machine schemas that artifacts are held to."""

from __future__ import annotations

from typing import Annotated

import typer

from filmcan.cli.options import EXIT_INVALID, JsonOption

app = typer.Typer(help="Show the machine schemas that artifacts are held to.", no_args_is_help=True)


@app.command(name="list")
def schema_list(*, json: JsonOption = False) -> None:
    """List every schema_version and the components it describes."""
    from dataclasses import asdict

    from filmcan.cli.reports import print_schemas
    from filmcan.cli.screen import print_json
    from filmcan.operations.schemas import list_schemas

    schemas = list_schemas()
    if json:
        print_json({"schemas": [asdict(item) for item in schemas]})
    else:
        print_schemas(schemas)


@app.command(name="show")
def schema_show(
    schema_version: Annotated[str, typer.Argument(help="For example core_clip_npz_v1.")],
) -> None:
    """Print a machine schema as JSON."""
    from filmcan.cli.screen import print_json
    from filmcan.operations.schemas import get_document

    print_json(get_document(schema_version))


@app.command(name="check")
def schema_check(
    *,
    released: Annotated[
        str | None,
        typer.Option(help="Folder of released schemas. [default: the packaged copies]"),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Hold the registry to the released schemas. Exit code 3 when one changed silently."""
    from filmcan.cli.schema_reports import build_check_json, print_check
    from filmcan.cli.screen import print_json
    from filmcan.operations.schemas import check_registry

    check = check_registry(released)
    if json:
        print_json(build_check_json(check))
    else:
        print_check(check)
    if not check.report.ok:
        raise typer.Exit(EXIT_INVALID)


@app.command(name="diff")
def schema_diff(
    old: Annotated[str, typer.Argument(help="A schema_version, or a document NAME.json.")],
    new: Annotated[
        str | None,
        typer.Argument(help="Likewise. Left out: the released copy of OLD against the registry."),
    ] = None,
    *,
    json: JsonOption = False,
) -> None:
    """Compare two schemas: each change, its verdict and why. Exit code 0 whatever they say."""
    from filmcan.cli.schema_reports import build_comparison_json, print_comparison
    from filmcan.cli.screen import print_json
    from filmcan.operations.schemas import diff_schemas

    comparison = diff_schemas(old, new)
    if json:
        print_json(build_comparison_json(comparison))
    else:
        print_comparison(comparison)


@app.command(name="docs")
def schema_docs(
    *, check: Annotated[bool, typer.Option("--check", help="Only look; exit 3 when stale.")] = False
) -> None:
    """Write SCHEMA.md of every component, and the schema of schemas."""
    from filmcan.cli.screen import print_text
    from filmcan.operations.schemas import write_schema_pages

    stale = write_schema_pages(check=check)
    for path in stale:
        print_text(f"{'stale' if check else 'written'}: {path.parent.name}/{path.name}")
    if check and stale:
        print_text("Run `make schemas` and commit the result.")
        raise typer.Exit(EXIT_INVALID)
