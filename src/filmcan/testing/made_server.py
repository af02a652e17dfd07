"""Stores for tests of the server: healthy, damaged, with a component that only a schema knows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from starlette.testclient import TestClient

from filmcan.contract.manifest import MANIFEST_NAME
from filmcan.server.app import build_app
from filmcan.server.state import Settings, State
from filmcan.store import transaction
from filmcan.store.local import LocalBackend
from filmcan.store.store import Store
from filmcan.store.transaction import RunTransaction
from filmcan.testing.artifacts import build_run_record
from filmcan.testing.made_stores import clock, write_run
from filmcan.testing.made_views import (
    STRANGER,
    STRANGER_DOCUMENT,
    STRANGER_VERSION,
    build_stranger_product,
    find_rules,
)

if TYPE_CHECKING:
    import httpx
    from fastapi import FastAPI

    from filmcan.store.base import Backend

HOST = "http://127.0.0.1"


def write_stranger_run(
    backend: Backend,
    video_id: str = "strange",
    run_id: str = "r1",
    source: str = "0" * 64,
    **more: object,
) -> str:
    """Write a run of a component that only a schema describes, and return its path."""
    record = build_run_record(
        video_id=video_id, run_id=run_id, planned=(STRANGER,), source_sha256=source
    )
    run = RunTransaction.create(backend, record, clock)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transaction, "get_schema", find_rules)
        run.commit(build_stranger_product(record))
    run.finish(
        source={"name": "<i>clip</i>.mp4", "sha256": source, "duration_sec": 4.0, **more},
        peak_rss_bytes=None,
    )
    return run.run_path


def write_schema_folder(folder: Path) -> Path:
    """Write the stranger's schema as a file and return its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{STRANGER_VERSION}.json").write_text(json.dumps(STRANGER_DOCUMENT), "utf-8")
    return folder


def write_healthy(root: Path) -> Store:
    """Write a store with nothing wrong in it."""
    backend = LocalBackend(root)
    for number in range(3):
        write_run(backend, f"v{number}", "r1")
    write_run(backend, "v0", "r2")
    write_stranger_run(backend)
    return Store(backend)


def write_damaged(root: Path) -> Store:
    """Write a store in which every run has another thing wrong with it."""
    store = write_healthy(root)
    runs = {path: sorted((root / path).rglob("*.npz")) for path in store.run_paths()}
    paths = sorted(runs)
    flip(runs[paths[0]][0], 0.5)
    runs[paths[1]][0].write_bytes(runs[paths[1]][0].read_bytes()[:700])
    runs[paths[2]][0].unlink()
    (root / paths[3] / MANIFEST_NAME).write_bytes(b'{"run": NaN')
    flip(runs[paths[4]][0], 0.98)
    strange = root / "local" / "named<b>"
    strange.mkdir()
    (strange / "x").mkdir()
    (strange / "x" / MANIFEST_NAME).write_bytes(b"{}")
    for number, data in enumerate((b"", b"\0" * 64, b"[]", b'{"run": {}}', b"\xff\xfe")):
        folder = root / "local" / "broken" / f"r{number}"
        folder.mkdir(parents=True)
        (folder / MANIFEST_NAME).write_bytes(data)
    return store


def flip(file: Path, at: float) -> None:
    """Change one byte of a file."""
    data = bytearray(file.read_bytes())
    data[int(len(data) * at)] ^= 0xFF
    file.chmod(0o644)
    file.write_bytes(bytes(data))


def build_test_app(store: Store, **settings: object) -> FastAPI:
    """Return the application over an open store."""
    return build_app(State(Settings(store=store.url, **settings), store))  # type: ignore[arg-type]


def open_client(store: Store, **settings: object) -> TestClient:
    """Return a client that calls the application in this process."""
    return TestClient(build_test_app(store, **settings), base_url=HOST, follow_redirects=False)


def read_json(response: httpx.Response) -> object:
    """Return an answer's JSON, refusing what strict JSON refuses."""
    return parse_strictly(response.content)


def parse_strictly(data: bytes) -> object:
    """Return the value of UTF-8 JSON without NaN and Infinity."""

    def refuse(token: str) -> object:
        raise AssertionError(f"{token} is no JSON")

    return json.loads(data.decode("utf-8", "strict"), parse_constant=refuse)
