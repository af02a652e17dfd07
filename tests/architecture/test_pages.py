from __future__ import annotations

import re
from pathlib import Path

import pytest

# Written in pieces, so that this page does not find itself.
MACHINE_PATH = re.compile(
    r"(?<![\w.>~])/(?:"
    + "|".join(("wo" + "rk", "ro" + "ot", "Us" + "ers", "ho" + r"me/(?!me\b)\w+"))
    + r")\b"
)
REGISTRY = re.compile(
    "|".join(
        (
            "pypi" + r"\.(?:org|python)",
            "pythonhosted" + r"\.org",
            "registry" + r"\.npmjs",
            r"https?://[^\s\"']*(?:/simple/|\.whl|\.tgz|\.deb)\b",
            "(?:extra-)?index-url" + r"[= ]+\S*//(?!example\.org)",
        )
    )
)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CLAUSE = re.compile(r"def test_(c\d+)_")


def _places(texts: dict[str, str], pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{name}:{number}: {line.strip()[:100]}"
        for name, text in texts.items()
        for number, line in enumerate(text.splitlines(), start=1)
        if pattern.search(line)
    ]


def test_no_file_names_a_path_of_one_machine(tracked_texts: dict[str, str]) -> None:
    assert "pyproject.toml" in tracked_texts
    assert _places(tracked_texts, MACHINE_PATH) == []


def test_no_file_names_a_registry_host_or_an_index(tracked_texts: dict[str, str]) -> None:
    assert _places(tracked_texts, REGISTRY) == []


def test_every_relative_link_of_a_page_leads_to_a_file(
    tracked_texts: dict[str, str], repository: Path
) -> None:
    pages = {name: text for name, text in tracked_texts.items() if name.endswith(".md")}
    assert "docs/contract.md" in pages
    broken = [
        f"{name}: {target}"
        for name, text in pages.items()
        for target in LINK.findall(text)
        if "://" not in target and not target.startswith(("#", "mailto:"))
        if not (repository / name).parent.joinpath(target.partition("#")[0]).exists()
    ]
    assert broken == []


@pytest.mark.parametrize("page", ["contract", "design", "style", "threats", "models", "findings"])
def test_the_project_keeps_its_own_copy_of(page: str, repository: Path) -> None:
    assert (repository / "docs" / f"{page}.md").read_text().startswith("# ")


def test_every_clause_that_a_test_names_is_in_the_contract(
    tracked_texts: dict[str, str], repository: Path
) -> None:
    contract = (repository / "docs" / "contract.md").read_text()
    clauses = {heading.lower() for heading in re.findall(r"^## (C\d+)", contract, re.MULTILINE)}
    assert len(clauses) == 11
    named = {
        clause
        for name, text in tracked_texts.items()
        if name.startswith("tests/")
        for clause in CLAUSE.findall(text)
    }
    assert named <= clauses


def test_the_changelog_keeps_its_five_sections(repository: Path) -> None:
    text = (repository / "CHANGELOG.md").read_text()
    newest = text.split("\n## ")[1]
    sections = re.findall(r"^### (\w+)", newest, re.MULTILINE)
    assert sections == ["Contract", "Added", "Changed", "Fixed", "Removed"]


def test_c7_every_component_has_a_schema_page_in_step_with_its_machine_schema() -> None:
    from filmcan.components.catalog import COMPONENT_NAMES
    from filmcan.operations.schemas import build_schema_pages

    pages = build_schema_pages()
    assert sorted(path.parent.name for path in pages) == sorted(COMPONENT_NAMES)
    stale = [
        path.parent.name
        for path, text in pages.items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]
    assert stale == [], "run `make schemas` and commit the result"
