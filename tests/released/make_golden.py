"""Make the golden run of the test schema, or the index of a folder that holds runs.

    python make_golden.py                          # the test schema; never again
    python make_golden.py FOLDER STATE             # FOLDER/index.json, for runs copied there

Golden files are written once. A new release adds folders; it never remakes old ones.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from filmcan.contract.manifest import ArtifactRecord, ComponentRecord, Manifest, RunRecord
from filmcan.contract.meta import Identity, build_meta
from filmcan.contract.missing import build_empty_arrays
from filmcan.contract.schema import parse_schema
from filmcan.contract.signature import hash_config, sign_models
from filmcan.npz.writer import write_npz
from filmcan.testing.golden_runs import INDEX, STORE, build_index
from filmcan.testing.made_schema import (
    COMPONENT,
    SCHEMA_VERSION,
    build_probe_arrays,
    build_schema_document,
)

HERE = Path(__file__).resolve().parent
NOW = "2026-01-31T12:00:00.000Z"
PROFILE: dict[str, object] = {"seed": 0}


def main(arguments: list[str]) -> None:
    """Write the test schema's folder, or the index of another one."""
    if not arguments:
        folder = HERE / SCHEMA_VERSION
        folder.mkdir()
        text = json.dumps(build_schema_document(), indent=2) + "\n"
        (folder / f"{SCHEMA_VERSION}.json").write_text(text)
        write_run(folder / STORE, "ok", "r-ok")
        write_run(folder / STORE, "empty", "r-empty")
        arguments = [str(folder), "test"]
    folder, state = Path(arguments[0]), arguments[1]
    text = json.dumps(build_index(folder, state), indent=1, ensure_ascii=False) + "\n"
    (folder / INDEX).write_text(text)


def write_run(store: Path, status: str, run_id: str) -> None:
    """Write one run with one artifact of the test schema, by hand: no registry knows it."""
    schema = parse_schema(build_schema_document(), COMPONENT)
    arrays = build_probe_arrays() if status == "ok" else build_empty_arrays(schema, {})
    reason = None if status == "ok" else "video_too_short"
    identity = Identity("local", "v1", run_id, COMPONENT)
    meta = build_meta(
        identity,
        producer_version="1.0.0",
        schema_version=SCHEMA_VERSION,
        created_at=NOW,
        config_hash=hash_config(PROFILE),
        sampling_policy_version="uniform_v1",
        dataprocessor_version="test",
        status=status,
        empty_reason=reason,
        models_used=[],
        optional={"seed": 0},
    )
    folder = store / "local" / "v1" / run_id / COMPONENT
    folder.mkdir(parents=True)
    unnamed = folder / "unnamed"
    with unnamed.open("x+b") as file:
        written = write_npz(file, arrays, meta)
    name = f"{COMPONENT}.{written.sha256[:12]}.npz"
    unnamed.rename(folder / name)
    record = ComponentRecord(
        COMPONENT,
        schema.kind,
        "ok" if status == "ok" else "empty",
        (ArtifactRecord(f"{COMPONENT}/{name}", written.size_bytes, written.sha256, "npz"),),
        producer_version="1.0.0",
        schema_version=SCHEMA_VERSION,
        started_at=NOW,
        finished_at=NOW,
        duration_ms=0,
        empty_reason=reason,
        model_signature=sign_models([]),
    )
    run = RunRecord(
        "local",
        "v1",
        run_id,
        config_hash=hash_config(PROFILE),
        sampling_policy_version="uniform_v1",
        dataprocessor_version="test",
        created_at=NOW,
        updated_at=NOW,
        finished_at=NOW,
        status="ok",
        planned_components=(COMPONENT,),
        profile=PROFILE,
        source={"name": "clip.mp4", "duration_sec": 0.4, "decoded_frames": 10, "failed_frames": 0},
        revision=1,
    )
    (folder.parent / "manifest.json").write_bytes(Manifest(run, (record,)).to_bytes())


if __name__ == "__main__":
    main(sys.argv[1:])
