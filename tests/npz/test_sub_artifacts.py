"""C9.4: very large arrays lie beside their NPZ: named in it, hashed, read lazily, kept with it."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import filmcan
from filmcan.contract.missing import build_empty_arrays
from filmcan.contract.registry import get_schema
from filmcan.errors import InvalidArtifactError, NotFoundError
from filmcan.npz.artifact import Artifact
from filmcan.npz.reader import open_npz
from filmcan.npz.source import MemorySource
from filmcan.npz.sub_artifacts import SubArtifact, build_references, parse_references
from filmcan.npz.validate import validate_source
from filmcan.npz.writer import write_npz
from filmcan.operations.validation import validate_target
from filmcan.store.base import Backend
from filmcan.store.local import LocalBackend
from filmcan.store.manifests import read_manifest
from filmcan.store.memory import MemoryBackend
from filmcan.store.run import Run
from filmcan.store.transaction import RunTransaction
from filmcan.testing.artifacts import NOW, build_product, build_run_record

DEPTH = ("core_depth_midas", "core_depth_midas_npz_v1")
SAMPLES = 40


@pytest.fixture(params=["local", "memory"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Backend:
    return LocalBackend(tmp_path) if request.param == "local" else MemoryBackend()


def commit(backend: Backend, *, fill: float = 1.0, threshold: int = 4096) -> Run:
    """Commit an artifact with depth maps that are large for this threshold; return its run."""
    record = build_run_record(planned=(DEPTH[0],))
    transaction = RunTransaction.create_or_join(backend, record, lambda: NOW, threshold)
    given = {
        "frame_indices": np.arange(SAMPLES, dtype=np.int32),
        "times_sec": np.arange(SAMPLES, dtype=np.float32),
        "frame_present": np.ones(SAMPLES, np.bool_),
        "depth_maps": np.full((SAMPLES, 8, 12), fill, np.float16),
    }
    arrays = build_empty_arrays(get_schema(DEPTH[1], DEPTH[0]), given)
    product = build_product(record, *DEPTH, arrays=given, status="ok", empty_reason=None)
    assert set(arrays) == set(product.arrays)
    masked = {**product.arrays, "feature_values": product.arrays["feature_values"].copy()}
    masked["feature_values"][0] = SAMPLES
    for key in get_schema(DEPTH[1], DEPTH[0]).keys.values():
        if key.mask == "frame_present" and key.name != "depth_maps" and key.name in masked:
            masked[key.name] = np.ones_like(masked[key.name])
    transaction.commit(replace(product, arrays=masked))
    transaction.finish(source={}, peak_rss_bytes=None)
    path = "local/v1/r1"
    return Run(read_manifest(backend, path), path, backend)


def test_c9_a_large_array_lies_beside_and_reads_like_any_other_key(backend: Backend) -> None:
    run = commit(backend)
    record = run.components[DEPTH[0]]
    assert [item.kind for item in record.artifacts] == ["npz", "npy"]
    assert record.artifacts[1].path.startswith("core_depth_midas/depth_maps.")
    with run[DEPTH[0]] as artifact:
        assert "depth_maps" in artifact
        assert "depth_maps" in list(artifact)
        assert "sub_artifacts" not in list(artifact)
        assert artifact.shape("depth_maps") == (SAMPLES, 8, 12)
        assert artifact.dtype("depth_maps") == np.float16
        assert artifact["depth_maps"].shape == (SAMPLES, 8, 12)
        np.testing.assert_array_equal(
            artifact.read("depth_maps", rows=slice(3, 5)), np.ones((2, 8, 12))
        )
        mapped = artifact.map("depth_maps")
    assert not mapped.flags.writeable
    assert mapped[-1, -1, -1] == 1


def test_c9_a_small_array_stays_inside(backend: Backend) -> None:
    run = commit(backend, threshold=1 << 20)
    assert [item.kind for item in run.components[DEPTH[0]].artifacts] == ["npz"]
    assert run[DEPTH[0]]["depth_maps"].shape == (SAMPLES, 8, 12)


def test_c9_a_rewrite_removes_the_old_files_with_their_npz(backend: Backend) -> None:
    commit(backend, fill=1.0)
    run = commit(backend, fill=2.0)
    listed = {item.path for item in run.components[DEPTH[0]].artifacts}
    files = backend.list_folder(f"{run.path}/{DEPTH[0]}").files
    assert {f"{DEPTH[0]}/{name}" for name in files} == listed
    assert run[DEPTH[0]]["depth_maps"][0, 0, 0] == 2


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    run = commit(LocalBackend(tmp_path))
    return tmp_path / run.path / DEPTH[0]


def test_c9_a_run_with_sub_artifacts_is_valid_from_every_side(folder: Path) -> None:
    (npz,) = folder.glob("*.npz")
    for target in (folder.parents[3], folder.parent, folder, npz):
        assert list(validate_target(str(target)).report) == []
    assert filmcan.open_artifact(npz)["depth_maps"].shape == (SAMPLES, 8, 12)


def test_p9_a_changed_byte_beside_is_found_on_a_whole_read_and_by_validate(folder: Path) -> None:
    (npy,), (npz,) = folder.glob("*.npy"), folder.glob("*.npz")
    data = bytearray(npy.read_bytes())
    data[-1] ^= 1
    npy.write_bytes(data)
    with pytest.raises(InvalidArtifactError) as refusal:
        filmcan.open_artifact(npz)["depth_maps"]
    assert refusal.value.code == "hash_mismatch"
    assert refusal.value.where == f"{npz.name}: depth_maps"
    codes = [issue.code for issue in validate_target(str(folder.parent)).report]
    assert codes.count("hash_mismatch") == 2  # by the manifest's digest, and by the artifact's


def test_c9_a_file_that_is_gone_is_found(folder: Path) -> None:
    (npy,), (npz,) = folder.glob("*.npy"), folder.glob("*.npz")
    npy.unlink()
    with pytest.raises(NotFoundError):
        filmcan.open_artifact(npz)["depth_maps"]
    codes = [issue.code for issue in validate_target(str(npz)).report]
    assert "sub_artifact_missing" in codes


def test_c9_another_array_under_the_name_is_refused(folder: Path) -> None:
    (npy,), (npz,) = folder.glob("*.npy"), folder.glob("*.npz")
    np.save(npy, np.zeros((2, 2), np.float32))
    with pytest.raises(InvalidArtifactError, match="the artifact says") as caught:
        filmcan.open_artifact(npz).map("depth_maps")
    assert caught.value.where == f"{npz.name}: depth_maps"
    np.save(npy, np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(InvalidArtifactError, match="object"):
        filmcan.open_artifact(npz).map("depth_maps")


def _refer(key: str) -> str:
    """Return references in which nothing is wrong unless the key is."""
    sound = {"path": "x.npy", "size_bytes": 1, "sha256": "0" * 64, "dtype": "u1", "shape": []}
    return json.dumps({key: sound})


def test_p10_a_key_beside_is_one_that_a_member_could_have() -> None:
    assert list(parse_references(_refer("ä" * 125))) == ["ä" * 125]
    with pytest.raises(InvalidArtifactError) as caught:
        parse_references(_refer("../\n\x1b[31m"))
    assert str(caught.value).isprintable()
    with pytest.raises(InvalidArtifactError, match="cannot be a key"):
        build_references([SubArtifact("a/b", "x.npy", 1, "0" * 64, "u1", ())])


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "[]",
        '{"a": 1}',
        '{"a": {"path": "../x.npy", "size_bytes": 1, "sha256": "0", "dtype": "x", "shape": []}}',
        '{"a": {"path": "/etc/x.npy"}}',
        '{"a": {"path": "x.npz"}}',
        '{"a": {"path": "x.npy", "size_bytes": -1}}',
        '{"a": {"path": "x.npy", "shape": [true]}}',
        '{"a": {"path": "x.npy", "more": 1}}',
        *(_refer(key) for key in ("", "../a", ".a", "a/b", "a:b", "a\x1b[31m", "a.npy", "ä" * 126)),
    ],
)
def test_p10_references_are_parsed_strictly_and_lead_nowhere_else(text: str) -> None:
    with pytest.raises(InvalidArtifactError):
        parse_references(text)


def test_an_artifact_in_memory_has_nothing_beside_it(folder: Path) -> None:
    (npz,) = folder.glob("*.npz")
    artifact = Artifact(open_npz(npz.read_bytes()))
    assert "depth_maps" in artifact
    with pytest.raises(NotFoundError, match="without a folder"):
        artifact["depth_maps"]


def test_a_key_cannot_lie_inside_and_beside(folder: Path) -> None:
    (npz,) = folder.glob("*.npz")
    reference = filmcan.open_artifact(npz).sub_artifacts.references["depth_maps"]
    buffer = io.BytesIO()
    arrays = {
        "sub_artifacts": build_references([reference]),
        "depth_maps": np.zeros(1, np.float32),
    }
    write_npz(buffer, arrays, filmcan.read_meta(npz))
    with pytest.raises(InvalidArtifactError, match=r"depth_maps is in .* and beside it") as caught:
        Artifact(open_npz(buffer.getvalue())).keys()
    assert caught.value.where == "memory: sub_artifacts"


@pytest.mark.parametrize(
    ("references", "code"),
    [
        (np.array(["{}"]), "sub_artifacts"),
        (np.array(1.5), "sub_artifacts"),
        (np.array([0x7B, 0xD800], "<u4").view("<U2").reshape(()), "sub_artifacts"),
        (np.array("{" + '"a":{},' * 1_000 + '"b":{}}'), "sub_artifacts"),
        (np.array(json.dumps({f"k{number}": {} for number in range(100_000)})), "sub_artifacts"),
        (np.array(" " * ((4 << 20) + 1)), "limit_exceeded"),
    ],
    ids=["row", "number", "surrogate", "twice", "many", "long"],
)
def test_p10_damaged_references_are_an_issue_in_few_words(
    tmp_path: Path, references: np.ndarray, code: str
) -> None:
    path = tmp_path / "a.npz"
    np.savez_compressed(path, sub_artifacts=references)
    with pytest.raises(InvalidArtifactError) as caught:
        Artifact(open_npz(path)).keys()
    assert (caught.value.code, caught.value.where) == (code, "a.npz: sub_artifacts")
    assert len(str(caught.value)) < 10_000
    with_meta = tmp_path / "b.npz"
    np.savez_compressed(with_meta, sub_artifacts=references, meta=np.array({}, dtype=object))
    report = filmcan.validate_npz(with_meta, required_meta_keys=[], allow_unknown_schema=True)
    assert (code, "sub_artifacts") in [(issue.code, issue.key) for issue in report]


def test_without_a_folder_what_lies_beside_is_missing(folder: Path) -> None:
    (npz,) = folder.glob("*.npz")
    report, _ = validate_source(MemorySource(npz.read_bytes()))
    errors = [(issue.code, issue.key) for issue in report if issue.level == "error"]
    assert errors[0] == ("sub_artifact_missing", "sub_artifacts")
