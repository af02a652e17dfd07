"""Write an asset as the lines of a catalog: what `models pull --accept-digest` prints."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING

from filmcan.models.catalog import UNKNOWN_DIGEST

if TYPE_CHECKING:
    from filmcan.models.catalog import Asset


def build_entry(asset: Asset) -> str:
    """Return an asset's TOML; `parse_catalog` reads it back as the same asset."""
    lines = ["[[asset]]", *_build_lines({
        "name": asset.name, "kind": asset.kind, "version": asset.version,
        "license": asset.license, "license_url": asset.license_url,
        "description": asset.description,
    })]  # fmt: skip
    for file in asset.files:
        digest = UNKNOWN_DIGEST if file.sha256 is None else file.sha256
        fields = {"path": file.path, "size_bytes": file.size_bytes, "sha256": digest}
        lines += ["", "[[asset.files]]", *_build_lines(fields)]
        for source in file.sources:
            # Sources are frozen records whose fields are those of the catalog.
            fields = {"kind": source.kind, **asdict(source)}  # type: ignore[call-overload]
            lines += ["", "[[asset.files.sources]]", *_build_lines(fields)]
    return "\n".join(lines) + "\n"


def _build_lines(fields: Mapping[str, object]) -> list[str]:
    return [
        f"{name} = {_build_value(value)}" for name, value in fields.items() if value is not None
    ]


def _build_value(value: object) -> str:
    if isinstance(value, int):
        return str(value)
    # TOML's basic strings are JSON's, but for DEL.
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
