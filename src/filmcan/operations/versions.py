"""Which filmcan this is, for faces to show."""

from __future__ import annotations

from filmcan.pipeline.provenance import find_version

__all__ = ["find_version"]
