"""All machine schemas, read from the packaged registry `filmcan/schemas/` (C7.1)."""

from __future__ import annotations

from functools import cache
from importlib import resources

from filmcan.contract.canonical import JsonError, parse_json
from filmcan.contract.schema import ArtifactSchema, find_components, parse_schema
from filmcan.errors import InvalidSchemaError, NotFoundError


def list_schema_versions() -> tuple[str, ...]:
    """Return every schema_version of the registry, sorted."""
    names = (entry.name for entry in resources.files("filmcan").joinpath("schemas").iterdir())
    return tuple(sorted(name.removesuffix(".json") for name in names if name.endswith(".json")))


@cache
def get_schema_document(schema_version: str) -> object:
    """Return the JSON document of a schema_version.

    Raises:
        NotFoundError: The registry has no such version.
        InvalidSchemaError: The document is not strict JSON or names another version.
    """
    if schema_version not in list_schema_versions():
        raise NotFoundError(
            f"schema {schema_version!r} is not in the registry",
            code="unknown_schema",
            where="schema_version",
            hint=f"Known are: {', '.join(list_schema_versions())}.",
        )
    file = resources.files("filmcan").joinpath("schemas", f"{schema_version}.json")
    try:
        document = parse_json(file.read_bytes())
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
