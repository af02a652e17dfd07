"""Make golden runs: of the test schema, of all nine components, or the index of a folder.

    python make_golden.py candidates               # all versions in force: `make golden`
    python make_golden.py                          # the test schema; never again
    python make_golden.py FOLDER STATE             # FOLDER/index.json, for runs copied there

Released golden files are written once: a new release adds folders and never remakes old ones. The
candidates for the next one are made anew whenever a schema that is not released yet changes.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import av

from filmcan.components.catalog import get_component_class
from filmcan.contract.manifest import ArtifactRecord, ComponentRecord, Manifest, RunRecord
from filmcan.contract.meta import Identity, build_meta
from filmcan.contract.missing import (
    AUDIO_MISSING,
    DEPENDENCY_MISSING,
    NO_FACES,
    NO_TEXT,
    VIDEO_TOO_SHORT,
    build_empty_arrays,
)
from filmcan.contract.registry import list_schema_versions
from filmcan.contract.schema import parse_schema
from filmcan.contract.signature import hash_config, sign_models
from filmcan.npz.writer import write_npz
from filmcan.operations.assets import pull_assets
from filmcan.operations.demo import SAMPLE_DOCUMENT
from filmcan.operations.process import process_video
from filmcan.testing.fixture_networks import (
    CLAP,
    CLIP,
    MIDAS,
    borrowed_models,
    write_fixture_models,
)
from filmcan.testing.golden_runs import INDEX, STORE, build_index
from filmcan.testing.made_schema import (
    COMPONENT,
    SCHEMA_VERSION,
    build_probe_arrays,
    build_schema_document,
)

HERE = Path(__file__).resolve().parent
NOW = "2026-01-31T12:00:00.000Z"

FILM, FACE = "sample_bigbuckbunny", "sample_carphone"
WEIGHTS = ("mediapipe_face", "ssd_mobilenetv2_oidv4", "all_minilm_l6_v2")
SETTINGS = (
    "sampling.rate_hz=1",
    "components.core_optical_flow.preview_count=1",
    "components.core_optical_flow.preview_width=16",
    "components.core_depth_midas.preview_count=1",
    "components.core_depth_midas.preview_width=16",
)
"""Few frames and small previews: golden files lie in the repository."""


@dataclass(frozen=True)
class Case:
    """One golden run: a component, what it is given, and how it must end."""

    component: str
    source: str
    status: str = "ok"
    reason: str | None = None
    settings: tuple[str, ...] = ()
    has_text: bool = False


def _with_model(component: str, model: str) -> tuple[str, ...]:
    return (f"components.{component}.model={model}",)


CASES = (
    Case("loudness_extractor", "film"),
    Case("loudness_extractor", "face", "empty", AUDIO_MISSING),
    Case("tempo_extractor", "film"),
    Case("tempo_extractor", "face", "empty", AUDIO_MISSING),
    Case("clap_extractor", "film", settings=_with_model("clap_extractor", CLAP)),
    Case("clap_extractor", "film", "empty", DEPENDENCY_MISSING),
    Case("text_processor", "film", has_text=True),
    Case("text_processor", "film", "empty", NO_TEXT),
    Case("core_clip", "film", settings=_with_model("core_clip", CLIP)),
    Case("core_clip", "film", "empty", DEPENDENCY_MISSING),
    Case("core_depth_midas", "film", settings=_with_model("core_depth_midas", MIDAS)),
    Case("core_depth_midas", "film", "empty", DEPENDENCY_MISSING),
    Case("core_object_detections", "face"),
    Case(
        "core_object_detections",
        "face",
        "empty",
        DEPENDENCY_MISSING,
        _with_model("core_object_detections", "yolox_tiny"),
    ),
    Case("core_optical_flow", "film"),
    Case("core_optical_flow", "still", "empty", VIDEO_TOO_SHORT),
    Case("core_face_landmarks", "face"),
    Case("core_face_landmarks", "film", "empty", NO_FACES),
)
"""Every component of the catalog, with an artifact of each status."""
PROFILE: dict[str, object] = {"seed": 0}


def main(arguments: list[str]) -> None:
    """Write the test schema's folder, or the index of another one."""
    if arguments == ["candidates"]:
        make_candidates()
        return
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


def make_candidates() -> None:
    """Write the candidate of every version in force that is not released, in place of the last."""
    released = set(list_schema_versions("released"))
    pull_assets([FILM, FACE, *WEIGHTS])
    with TemporaryDirectory() as name:
        work = Path(name)
        film = _name_file(FILM, work / "film.mp4")
        face = _name_file(FACE, work / "face.mp4")
        still = work / "still.png"
        with av.open(str(film)) as container:
            next(container.decode(video=0)).reformat(64, 36, format="rgb24").save(still)
        sources = {"film": film, "face": face, "still": still}
        with borrowed_models(work / "cache", write_fixture_models(work / "made"), WEIGHTS):
            for version in list_schema_versions():
                if version not in released:
                    _make_candidate(version, sources)


def _make_candidate(version: str, sources: Mapping[str, Path]) -> None:
    folder = HERE / version
    shutil.rmtree(folder, ignore_errors=True)
    for case in CASES:
        if get_component_class(case.component).schema_version != version:
            continue
        run = process_video(
            sources[case.source],
            store=folder / STORE,
            platform_id="golden",
            video_id=f"{case.source}-{case.component}",
            run_id=f"r-{case.status}",
            document=SAMPLE_DOCUMENT if case.has_text else None,
            settings=[*SETTINGS, *case.settings],
            only=[case.component],
        )
        record = run.components[case.component]
        if (record.status, record.empty_reason) != (case.status, case.reason):
            raise SystemExit(f"{case} ended {record.status} {record.empty_reason}: {record.error}")
    shutil.rmtree(folder / STORE / "_filmcan")
    text = json.dumps(build_index(folder, "candidate"), indent=1, ensure_ascii=False) + "\n"
    (folder / INDEX).write_text(text)


def _name_file(asset: str, path: Path) -> Path:
    (cached,) = pull_assets([asset])[asset].values()
    return Path(shutil.copyfile(cached, path))


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
