"""The repository as the architecture tests see it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def repository() -> Path:
    """The folder that holds pyproject.toml."""
    return REPOSITORY


@pytest.fixture(scope="session")
def package(repository: Path) -> Path:
    """The folder of the package's sources."""
    return repository / "src" / "filmcan"


@pytest.fixture(scope="session")
def tracked_texts(repository: Path) -> dict[str, str]:
    """Every text file under version control, or about to be: its path -> its text."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607 - git by name
        cwd=repository,
        capture_output=True,
        check=True,
    )
    texts = {}
    for name in sorted(set(listed.stdout.decode().split("\0")) - {""}):
        path = repository / name
        if not path.is_file():
            continue
        data = path.read_bytes()
        if b"\0" not in data:
            texts[name] = data.decode("utf-8", errors="replace")
    return texts
