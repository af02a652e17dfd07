"""All machine schemas, read from the packaged registry `filmcan/schemas/` (C7.1).

`schemas/<schema_version>.json` are the rules in force, `schemas/released/` the copy that the last
release shipped (C7.3).
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Literal

from filmcan.contract.canonical import JsonError, parse_json
from filmcan.contract.schema import ArtifactSchema, find_components, parse_schema
from filmcan.errors import InvalidSchemaError, NotFoundError

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

Shelf = Literal["in_force", "released"]
"""The two sets of schemas: those in force, and the released copies they are compared with."""

_SUFFIX = ".json"


def list_schema_versions(shelf: Shelf = "in_force") -> tuple[str, ...]:
    """Return every schema_version of the registry, or of its released copies, sorted."""
    names = (entry.name for entry in _open_shelf(shelf).iterdir())
    return tuple(sorted(name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX)))


@cache
def get_schema_document(schema_version: str, shelf: Shelf = "in_force") -> object:
    """Return the JSON document of a schema_version.

    Raises:
        NotFoundError: The registry has no such version, or none was released.
        InvalidSchemaError: The document is not strict JSON or names another version.
    """
    known = list_schema_versions(shelf)
    if schema_version not in known:
        where = "the registry" if shelf == "in_force" else "the released copies"
        raise NotFoundError(
            f"schema {schema_version!r} is not in {where}",
            code="unknown_schema",
            where="schema_version",
            hint=f"Known are: {', '.join(known)}." if known else "None has been released yet.",
        )
    return parse_document(
        _open_shelf(shelf).joinpath(f"{schema_version}{_SUFFIX}").read_bytes(), schema_version
    )


def parse_document(data: bytes, schema_version: str) -> object:
    """Return a schema document from the bytes of the file `<schema_version>.json`.

    Raises:
        InvalidSchemaError: They are not strict JSON, or name another version.
    """
    try:
        document = parse_json(data)
    except JsonError as error:
        raise InvalidSchemaError(str(error), where=schema_version) from error
    if not isinstance(document, dict) or document.get("schema_version") != schema_version:
        raise InvalidSchemaError(
            "schema_version differs from the file's name", where=schema_version
        )
    return document


@cache
def get_schema(schema_version: str, component: str) -> ArtifactSchema:
    """Return the rules for one component's artifacts under a schema_version.

    Raises:
        NotFoundError: The registry has no such version.
        InvalidSchemaError: The version does not describe the component, or is malformed.
    """
    return parse_schema(get_schema_document(schema_version), component)


def list_schema_components(schema_version: str) -> tuple[str, ...]:
    """Return the components that share a schema_version.

    Raises:
        NotFoundError: The registry has no such version.
    """
    return find_components(get_schema_document(schema_version))


def _open_shelf(shelf: Shelf) -> Traversable:
    folder = resources.files("filmcan").joinpath("schemas")
    return folder if shelf == "in_force" else folder.joinpath("released")
