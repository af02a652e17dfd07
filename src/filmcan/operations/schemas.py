"""Show, compare and check the schema registry, and write what is generated from it.

The verbs behind `filmcan schema`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from filmcan.components.catalog import COMPONENT_NAMES, get_component_class
from filmcan.contract.compatibility import SchemaComparison, compare_schemas
from filmcan.contract.registry import (
    Shelf,
    get_schema,
    get_schema_document,
    list_schema_components,
    list_schema_versions,
    parse_document,
)
from filmcan.contract.release import SchemaCheck, check_schemas
from filmcan.contract.schema import ArtifactSchema
from filmcan.contract.schema_language import build_schema_language
from filmcan.contract.schema_rules import split_version
from filmcan.errors import InternalError, NotFoundError
from filmcan.files import write_atomically
from filmcan.render.schema_page import render_schema_page

SCHEMA_PAGE = "SCHEMA.md"
_LANGUAGE_FILE = ("schemas", "definition", "machine_schema.json")
_SUFFIX = ".json"


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


def check_registry(released: str | None = None) -> SchemaCheck:
    """Hold the registry to the released schemas (C7.3).

    Args:
        released: Folder of `<schema_version>.json` to compare with; None takes the packaged copy
            of the last release.

    Raises:
        NotFoundError: There is no such folder.
        InvalidSchemaError: A document is not strict JSON, or names another version than its file.
    """
    copies = _read_shelf("released") if released is None else _read_folder(Path(released))
    return check_schemas(_read_shelf("in_force"), copies)


def diff_schemas(old: str, new: str | None = None) -> SchemaComparison:
    """Compare two schemas.

    Args:
        old: A schema_version of the registry, or the path of a schema document.
        new: Likewise. None: `old` is a schema_version, whose released copy is compared with what
            the registry says now.

    Raises:
        NotFoundError: There is no such version or file, or it was never released.
        InvalidSchemaError: A document is malformed.
    """
    if new is None:
        return compare_schemas(get_schema_document(old, "released"), get_schema_document(old))
    return compare_schemas(_find_document(old), _find_document(new))


def build_schema_pages() -> dict[Path, str]:
    """Return SCHEMA.md of every component: its place below the package -> its text."""
    package = _find_package()
    pages = {}
    for name in COMPONENT_NAMES:
        component = get_component_class(name)
        module = component.__module__.split(".")
        if module[0] != package.name:
            raise InternalError(f"{name} lives outside the package", where=component.__module__)
        folder = package.joinpath(*module[1:-1])
        pages[folder / SCHEMA_PAGE] = render_schema_page(get_schema(component.schema_version, name))
    return pages


def build_language_file() -> dict[Path, str]:
    """Return the schema of schemas: its place in the package -> its text."""
    text = json.dumps(build_schema_language(), indent=2, ensure_ascii=False) + "\n"
    return {_find_package().joinpath(*_LANGUAGE_FILE): text}


def write_schema_pages(*, check: bool) -> list[Path]:
    """Bring what is generated from the schemas in step and return the files that differed.

    Args:
        check: Only look; write nothing.
    """
    stale = []
    for path, text in {**build_schema_pages(), **build_language_file()}.items():
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            stale.append(path)
            if not check:
                write_atomically(path, text.encode())
    return stale


def _find_package() -> Path:
    return Path(__file__).resolve().parent.parent


def _read_shelf(shelf: Shelf) -> dict[str, object]:
    return {version: get_schema_document(version, shelf) for version in list_schema_versions(shelf)}


def _read_folder(folder: Path) -> dict[str, object]:
    if not folder.is_dir():
        raise NotFoundError("there is no such folder of schemas", where=str(folder))
    return {path.stem: _read_file(path) for path in sorted(folder.glob(f"*{_SUFFIX}"))}


def _find_document(name: str) -> object:
    if not name.endswith(_SUFFIX):
        return get_schema_document(name)
    path = Path(name)
    if not path.is_file():
        raise NotFoundError("there is no such schema document", where=name)
    return _read_file(path)


def _read_file(path: Path) -> object:
    return parse_document(path.read_bytes(), path.stem)


def read_schema_parts(schema_version: str) -> list[ArtifactSchema]:
    """Return the parsed rules of every component that shares a schema_version.

    Raises:
        NotFoundError: The registry has no such version.
    """
    return [get_schema(schema_version, name) for name in list_schema_components(schema_version)]


def list_schema_history(schema_version: str) -> list[SchemaComparison]:
    """Return what changed: against the released copy, and from each earlier version of its family.

    Raises:
        NotFoundError: The registry has no such version.
    """
    document = get_schema_document(schema_version)
    family, number = split_version(schema_version)
    found = []
    if schema_version in list_schema_versions("released"):
        found.append(compare_schemas(get_schema_document(schema_version, "released"), document))
    for other in list_schema_versions():
        other_family, other_number = split_version(other)
        if other_family == family and other_number < number:
            found.append(compare_schemas(get_schema_document(other), document))
    return found
