"""Run a package client that the user has: the registry, proxy and credentials it knows are used."""

from __future__ import annotations

import subprocess
from pathlib import Path

from filmcan.errors import AssetError

_SHOWN_OUTPUT_CHARS = 400


def run_client(
    command: list[str], *, name: str, folder: Path, where: str, error_mark: str, hint: str
) -> None:
    """Run a client until it ends; it is never asked anything on a terminal.

    Args:
        command: The client and its arguments.
        name: The client's name, for messages.
        folder: Where it runs.
        where: The source, for messages.
        error_mark: What the lines of its output that tell of an error begin with.
        hint: What to check when it fails.

    Raises:
        AssetError: It cannot be started, or it fails; the message is its own, shortened.
    """
    try:
        done = subprocess.run(
            command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, check=False,
            text=True, errors="replace",
        )  # fmt: skip
    except OSError as error:
        raise AssetError(
            f"{name} cannot be started: {error.strerror or error}",
            code="asset_unreachable",
            where=where,
            hint=hint,
        ) from error
    if done.returncode != 0:
        raise AssetError(
            f"{name} could not download the package: {_shorten_output(done.stderr, error_mark)}",
            code="asset_unreachable",
            where=where,
            hint=hint,
        )


def _shorten_output(output: str, mark: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith(mark)]
    text = " ".join((errors or lines)[-2:]) or "it said nothing"
    return text[:_SHOWN_OUTPUT_CHARS]
