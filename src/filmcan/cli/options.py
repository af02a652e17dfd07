"""Options and exit codes that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

EXIT_INVALID = 3
DEFAULT_STORE = "./result_store"

StoreOption = Annotated[
    str, typer.Option("--store", envvar="FILMCAN_STORE", help="Folder of the result store.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
