"""Show the schema registry and write SCHEMA.md. The verb behind `filmcan schema`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from filmcan.components.catalog import COMPONENT_NAMES, get_component_class
from filmcan.contract.registry import (
    get_schema,
    get_schema_document,
    list_schema_components,
    list_schema_versions,
)
from filmcan.errors import InternalError
from filmcan.files import write_atomically
from filmcan.render.schema_page import render_schema_page

SCHEMA_PAGE = "SCHEMA.md"


@dataclass(frozen=True, slots=True)
class SchemaSummary:
    """One schema_version of the registry."""

    schema_version: str
    components: tuple[str, ...]


def list_schemas() -> list[SchemaSummary]:
    """Return every schema_version with the components it describes."""
    return [
        SchemaSummary(version, list_schema_components(version))
        for version in list_schema_versions()
    ]


def get_document(schema_version: str) -> object:
    """Return the machine schema of a version, as it stands in the registry.

    Raises:
        NotFoundError: The registry has no such version.
    """
    return get_schema_document(schema_version)


def build_schema_pages() -> dict[Path, str]:
    """Return SCHEMA.md of every component: its place below the package -> its text."""
    package = Path(__file__).resolve().parent.parent
    pages = {}
    for name in COMPONENT_NAMES:
        component = get_component_class(name)
        module = component.__module__.split(".")
        if module[0] != package.name:
            raise InternalError(f"{name} lives outside the package", where=component.__module__)
        folder = package.joinpath(*module[1:-1])
        pages[folder / SCHEMA_PAGE] = render_schema_page(get_schema(component.schema_version, name))
    return pages


def write_schema_pages(*, check: bool) -> list[Path]:
    """Bring every SCHEMA.md in step with its machine schema and return those that differed.

    Args:
        check: Only look; write nothing.
    """
    stale = []
    for path, text in build_schema_pages().items():
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            stale.append(path)
            if not check:
                write_atomically(path, text.encode())
    return stale
