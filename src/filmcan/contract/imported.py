"""The mark of what came from another system's store: `imported` in its meta and its record.

An artifact made elsewhere enters in one of two forms. `upgraded`: its arrays satisfy the
schema_version they name, and it is held to that like any other. `carried`: they do not, or no
schema of that name is in force; then arrays are kept under the name they came with, the meta and
the container satisfy the contract, and the mark tells that nothing more is promised. A component
of which only the record came is `recorded`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, cast, get_args

from filmcan.contract.schema import Kind

IMPORTED = "imported"
"""The key of the mark, in meta, in a component's record and in a run's."""

Form = Literal["upgraded", "carried", "recorded"]


def find_form(fields: Mapping[str, object]) -> Form | None:
    """Return in what form something was imported, None when it bears no mark.

    Args:
        fields: A meta, or the unknown fields of a record.
    """
    form = find_mark(fields).get("form")
    return cast("Form", form) if isinstance(form, str) and form in get_args(Form) else None


def find_imported_kind(fields: Mapping[str, object]) -> Kind | None:
    """Return the kind of the component, as the mark of its artifact says, or None."""
    kind = find_mark(fields).get("kind")
    return cast("Kind", kind) if isinstance(kind, str) and kind in get_args(Kind) else None


def find_mark(fields: Mapping[str, object]) -> Mapping[str, object]:
    """Return the mark, empty where there is none."""
    mark = fields.get(IMPORTED)
    return mark if isinstance(mark, Mapping) else {}
