from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

EXTRAS = [
    "all", "asr", "dev", "export", "models", "ocr", "parity", "postgres", "ray", "s3", "serve",
    "text",
]  # fmt: skip


@pytest.fixture(scope="module")
def project(repository: Path) -> dict[str, object]:
    document = tomllib.loads((repository / "pyproject.toml").read_text())
    project = document["project"]
    assert isinstance(project, dict)
    return project


@pytest.fixture(scope="module")
def wheel_names(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=repository,
        check=True,
        capture_output=True,
    )
    (path,) = folder.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        return set(archive.namelist())


def test_the_wheel_holds_every_file_of_the_package(package: Path, wheel_names: set[str]) -> None:
    files = {
        f"filmcan/{path.relative_to(package).as_posix()}"
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert files <= wheel_names
    for pattern in (
        r"filmcan/schemas/\w+\.json",
        r"filmcan/profiles/all\.yaml",
        r"filmcan/models/catalog\.toml",
        r"filmcan/components/\w+/\w+/SCHEMA\.md",
        r"filmcan/py\.typed",
        r"filmcan-.*\.dist-info/licenses/LICENSE",
    ):
        assert any(re.fullmatch(pattern, name) for name in wheel_names), pattern


def test_the_wheel_holds_nothing_but_the_package(wheel_names: set[str]) -> None:
    assert {name.split("/")[0].split("-")[0] for name in wheel_names} == {"filmcan"}


def test_the_extras_are_those_of_the_design(project: dict[str, object]) -> None:
    extras = project["optional-dependencies"]
    assert isinstance(extras, dict)
    assert sorted(extras) == EXTRAS


def _locked(path: Path) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", path.read_text(), re.MULTILINE))


def _name(requirement: str) -> str:
    return canonicalize_name(Requirement(requirement).name)


def test_the_locks_cover_what_the_project_asks_for_and_agree(
    project: dict[str, object], repository: Path
) -> None:
    base = _locked(repository / "requirements" / "base.lock")
    dev = _locked(repository / "requirements" / "dev.lock")
    asked, extras = project["dependencies"], project["optional-dependencies"]
    assert isinstance(asked, list)
    assert isinstance(extras, dict)
    assert {_name(requirement) for requirement in asked} <= set(base), "run `make lock`"
    assert base.items() <= dev.items(), "run `make lock`"
    for requirement in extras["dev"]:
        assert dev[_name(requirement)] in Requirement(requirement).specifier, "run `make lock`"


@pytest.mark.parametrize("lock", ["base.lock", "dev.lock"])
def test_every_locked_requirement_carries_hashes_and_no_index(lock: str, repository: Path) -> None:
    text = (repository / "requirements" / lock).read_text()
    for requirement in re.findall(r"^\S+==.*?(?=^\S|\Z)", text, re.MULTILINE | re.DOTALL):
        assert "--hash=sha256:" in requirement
    assert not re.search(r"^-|//", text, re.MULTILINE)
