"""The registry of machine schemas."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Path, Response

from filmcan.operations.schemas import get_document, list_schemas
from filmcan.server.answers import answer_json
from filmcan.server.routes.parameters import StateOf, tell
from filmcan.server.shapes import SchemaDocument, SchemaList

router = APIRouter(prefix="/api/v1/schemas", tags=["schemas"])


@router.get("", responses=tell(SchemaList, "The registry."))
def list_all(_: StateOf) -> Response:
    """Return every schema_version with the components it describes."""
    return answer_json({"schemas": [asdict(item) for item in list_schemas()]})


@router.get("/{schema_version}", responses=tell(SchemaDocument, "The document.", 404))
def get_one(
    _: StateOf,
    schema_version: Annotated[
        str, Path(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9._-]+$")
    ],
) -> Response:
    """Return a machine schema as it stands in the registry."""
    return answer_json(get_document(schema_version))
