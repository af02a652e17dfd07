"""filmcan turns videos into validated, reproducible feature artifacts.

The flow of a run, one step a file: `operations.process` -> `pipeline.plan` -> `pipeline.runner`
-> `component.run` -> `npz.writer` -> `contract.validate` -> `store.transaction`.

    import filmcan
    run = filmcan.run("clip.mp4", store="result_store")
    run["loudness_extractor"].features["integrated_lufs"]

Importing filmcan loads nothing heavy: each name below is fetched when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from filmcan.errors import FilmcanError
    from filmcan.npz.artifact import Artifact, open_artifact
    from filmcan.npz.reader import read_meta
    from filmcan.npz.validate import validate_npz
    from filmcan.operations.process import process_video as run
    from filmcan.store.run import Run
    from filmcan.store.store import Store, open_store

__all__ = [
    "Artifact",
    "FilmcanError",
    "Run",
    "Store",
    "open_artifact",
    "open_store",
    "read_meta",
    "run",
    "validate_npz",
]

_HOMES = {
    "Artifact": ("filmcan.npz.artifact", "Artifact"),
    "FilmcanError": ("filmcan.errors", "FilmcanError"),
    "Run": ("filmcan.store.run", "Run"),
    "Store": ("filmcan.store.store", "Store"),
    "open_artifact": ("filmcan.npz.artifact", "open_artifact"),
    "open_store": ("filmcan.store.store", "open_store"),
    "read_meta": ("filmcan.npz.reader", "read_meta"),
    "run": ("filmcan.operations.process", "process_video"),
    "validate_npz": ("filmcan.npz.validate", "validate_npz"),
}


def __getattr__(name: str) -> object:
    """Fetch a public name from its home when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module 'filmcan' has no attribute {name!r}")
    module, attribute = _HOMES[name]
    found = getattr(importlib.import_module(module), attribute)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """List the public names."""
    return sorted(__all__)
