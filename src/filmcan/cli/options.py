"""Options and exit codes that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

EXIT_INVALID = 3
DEFAULT_STORE = "./result_store"

StoreOption = Annotated[
    str, typer.Option("--store", envvar="FILMCAN_STORE", help="Folder of the result store.")
]
StoreArgument = Annotated[
    str, typer.Argument(envvar="FILMCAN_STORE", help="Folder of the result store.")
]
ProfileOption = Annotated[
    Path | None, typer.Option("--profile", help="YAML with settings that differ.")
]
SettingsOption = Annotated[
    list[str] | None, typer.Option("--set", help="One setting: dotted.key=value.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
