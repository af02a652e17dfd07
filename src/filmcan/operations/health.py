"""Say what works on this machine and what to do about the rest: `filmcan doctor`."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from filmcan.components.catalog import COMPONENT_NAMES
from filmcan.errors import FilmcanError
from filmcan.media.library import describe_ffmpeg
from filmcan.operations.assets import AssetSummary, list_assets
from filmcan.pipeline.plan import PlannedComponent, plan_run
from filmcan.pipeline.profile import resolve_profile
from filmcan.store.base import FORMAT_MARKER, FORMAT_TEXT, Listing
from filmcan.store.store import open_store

_EXTRAS = {
    "models": ("onnxruntime", "ai_edge_litert", "tokenizers"),
    "text": ("onnx", "onnxruntime", "tokenizers"),
    "ocr": ("rapidocr",),
    "asr": ("faster_whisper",),
    "serve": ("fastapi", "uvicorn", "jinja2", "plotly"),
    "s3": ("obstore",),
    "export": ("pyarrow",),
    "ray": ("ray",),
    "postgres": ("psycopg", "sqlalchemy"),
}
_LIBRARIES = ("numpy", "av", "opencv-python-headless")
_LOW_SPACE_BYTES = 1 << 30
_MARKER_LIMIT = 4096


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the doctor's report; `hint` says what to do when it is not ok."""

    name: str
    status: Literal["ok", "note", "fail"]
    detail: str
    hint: str = ""


def check_health(store: str) -> list[Check]:
    """Return every check, in a fixed order. Nothing is fetched, written or changed."""
    return [
        _check_python(),
        *(_check_library(name) for name in _LIBRARIES),
        Check("ffmpeg", "ok", describe_ffmpeg()),
        _check_store(store),
        *(_check_extra(name, modules) for name, modules in _EXTRAS.items()),
        *(_check_asset(asset) for asset in list_assets()),
        *_check_components(),
    ]


def _check_python() -> Check:
    detail = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    if sys.platform == "win32":
        return Check("python", "note", detail, "Windows is best effort; prefer Linux or macOS.")
    return Check("python", "ok", detail)


def _check_library(name: str) -> Check:
    try:
        return Check(name, "ok", metadata.version(name))
    except metadata.PackageNotFoundError:
        return Check(name, "fail", "not installed", f"pip install {name}")


def _check_store(store: str) -> Check:
    if "://" in store:
        return _check_bucket(store)
    folder = Path(store).resolve()
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        return Check("store", "fail", f"{store} cannot be written", "Choose another --store.")
    free = shutil.disk_usage(existing).free
    detail = f"{store}, {free / 2**30:.1f} GiB free"
    if free < _LOW_SPACE_BYTES:
        return Check("store", "note", detail, "Less than 1 GiB is left.")
    return Check("store", "ok", detail)


def _check_bucket(store: str) -> Check:
    try:
        backend = open_store(store).backend
        found = backend.list_folder("")
        marker = backend.find_versioned(FORMAT_MARKER, limit=_MARKER_LIMIT)
    except FilmcanError as error:
        return Check("store", "fail", f"{store}: {error.message}", error.hint)
    if marker is not None and marker.data == FORMAT_TEXT:
        return Check("store", "ok", f"{store} can be read")
    if marker is None and found == Listing((), {}):
        return Check("store", "note", f"{store} is empty", "The first run makes the store.")
    hint = "Name another prefix with --store."
    return Check("store", "fail", f"{store} holds something else than a store", hint)


def _check_extra(name: str, modules: tuple[str, ...]) -> Check:
    missing = [module for module in modules if importlib.util.find_spec(module) is None]
    if not missing:
        return Check(f"extra {name}", "ok", "installed")
    hint = f'pip install "filmcan[{name}]"'
    return Check(f"extra {name}", "note", f"not installed: {', '.join(missing)}", hint)


def _check_asset(asset: AssetSummary) -> Check:
    name = f"{asset.kind} {asset.name}"
    detail = f"{asset.version}, {asset.license}"
    if asset.is_cached:
        return Check(name, "ok", f"{detail}, cached")
    return Check(name, "note", f"{detail}, not fetched", f"filmcan models pull {asset.name}")


def _check_components() -> list[Check]:
    try:
        plan = plan_run(resolve_profile(), COMPONENT_NAMES)
    except FilmcanError as error:
        return [Check("components", "fail", str(error))]
    return [_check_component(item) for item in plan.components]


def _check_component(item: PlannedComponent) -> Check:
    name = f"component {item.component.name}"
    missing = item.missing_dependency or item.component.find_missing_option()
    if missing is not None:
        return Check(name, "note", missing)
    return Check(name, "ok", item.component.schema_version)
