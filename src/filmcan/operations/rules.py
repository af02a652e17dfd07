"""Machine schemas from outside the registry: components by others, known by their schema alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from filmcan.contract.registry import get_schema, list_schema_versions, parse_document
from filmcan.contract.schema import find_components, parse_schema
from filmcan.errors import InvalidSchemaError, NotFoundError

if TYPE_CHECKING:
    from filmcan.contract.schema import ArtifactSchema
    from filmcan.npz.validate import FindSchema

_SUFFIX = ".json"


def read_rules(folder: str | None) -> FindSchema:
    """Return what gives the rules of the registry, and of the schemas in a folder.

    Args:
        folder: Holds `<schema_version>.json`; None for the registry alone.

    Raises:
        NotFoundError: There is no such folder.
        InvalidSchemaError: A document is malformed, or takes a name of the registry.
    """
    if folder is None:
        return get_schema
    path = Path(folder)
    if not path.is_dir():
        raise NotFoundError("there is no such folder of schemas", where=path.name)
    known: dict[tuple[str, str], ArtifactSchema] = {}
    for file in sorted(path.glob(f"*{_SUFFIX}")):
        version = file.name.removesuffix(_SUFFIX)
        if version in list_schema_versions():
            raise InvalidSchemaError(
                "the registry has a schema of this name", where=version, hint="Choose another."
            )
        document = parse_document(file.read_bytes(), version)
        for component in find_components(document):
            known[version, component] = parse_schema(document, component)

    def find(schema_version: str, component: str) -> ArtifactSchema:
        found = known.get((schema_version, component))
        return found if found is not None else get_schema(schema_version, component)

    return find
