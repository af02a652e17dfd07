"""One artifact as the rest of filmcan sees it."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import filmcan
from filmcan.errors import InvalidArtifactError, NotFoundError
from filmcan.npz.artifact import Artifact, open_artifact
from filmcan.npz.writer import write_npz
from filmcan.testing.made_npz import make_npy, make_npz


@pytest.fixture
def path(tmp_path: Path, typical_arrays: dict[str, Any], typical_meta: dict[str, Any]) -> Path:
    """Return an artifact in a file."""
    path = tmp_path / "core_face_landmarks.0123456789ab.npz"
    with path.open("x+b") as file:
        write_npz(file, typical_arrays, typical_meta)
    return path


def _open(arrays: dict[str, Any], meta: dict[str, object]) -> Artifact:
    file = io.BytesIO()
    write_npz(file, arrays, meta)
    return open_artifact(file.getvalue())


def test_it_shows_meta_status_features_and_keys(
    path: Path, typical_arrays: dict[str, Any], typical_meta: dict[str, Any]
) -> None:
    with filmcan.open_artifact(path) as artifact:
        assert isinstance(artifact, filmcan.Artifact)
        assert artifact.meta == typical_meta
        assert artifact.meta is artifact.meta
        assert (artifact.status, artifact.empty_reason) == ("ok", None)
        assert artifact.component == "core_face_landmarks"
        assert artifact.keys() == tuple(sorted(typical_arrays)) == tuple(artifact)
        assert len(artifact) == len(typical_arrays)
        assert artifact.features["motion_mean"] == 0.5
        assert math.isnan(artifact.features["motion_p95"])
        assert list(artifact.features) == ["motion_mean", "motion_p95"]
        assert (artifact.path, artifact.name) == (path, path.name)


def test_it_reads_arrays_whole_by_rows_and_mapped(
    path: Path, typical_arrays: dict[str, Any]
) -> None:
    artifact = open_artifact(str(path))
    expected = typical_arrays["frame_embeddings"]
    assert np.array_equal(artifact["frame_embeddings"], expected)
    assert np.array_equal(artifact.read("frame_embeddings", rows=slice(0, 5)), expected[:5])
    assert np.array_equal(artifact.read("frame_embeddings", verify=False), expected)
    assert np.array_equal(artifact.map("frame_embeddings"), expected)
    assert "frame_embeddings" in artifact
    assert "frame_embedding" not in artifact
    assert artifact["meta_json"].item()[0] == "{"


def test_an_absent_key_is_a_lookup_error_naming_what_is_near(path: Path) -> None:
    artifact = open_artifact(path)
    for read in (artifact.read, artifact.map, artifact.__getitem__):
        with pytest.raises(NotFoundError, match="Near it: frame_embeddings"):
            read("frame_embedings")
        with pytest.raises(LookupError, match=path.name):
            read("x")


def test_its_picture_is_one_line(path: Path) -> None:
    size = path.stat().st_size
    assert repr(open_artifact(path)) == (
        f"<Artifact {path.name}: core_face_landmarks, ok, 9 keys, {size} bytes>"
    )
    bare = open_artifact(make_npz({"a": make_npy(np.zeros(1))}))
    assert (
        repr(bare)
        == f"<Artifact memory: unreadable meta: meta_missing, 1 keys, {bare.npz.size_bytes} bytes>"
    )


def test_its_picture_is_one_line_also_when_the_references_are_damaged() -> None:
    artifact = _open({"sub_artifacts": np.array("{")}, {"producer": "x", "status": "ok"})
    size = artifact.npz.size_bytes
    assert repr(artifact) == (
        f"<Artifact memory: x, ok, unreadable sub_artifacts: sub_artifacts, {size} bytes>"
    )


def test_an_empty_artifact_says_why() -> None:
    artifact = _open({}, {"status": "empty", "empty_reason": "no_faces_in_video"})
    assert (artifact.status, artifact.empty_reason) == ("empty", "no_faces_in_video")
    assert artifact.features == {}
    assert artifact.path is None


def test_a_meta_without_status_is_an_error() -> None:
    with pytest.raises(InvalidArtifactError) as caught:
        _ = _open({}, {"status": 3}).status
    assert (caught.value.code, caught.value.where) == ("meta_incomplete", "memory: meta")


@pytest.mark.parametrize(
    "arrays",
    [
        {"feature_names": np.array(["a", 1], dtype=object), "feature_values": np.zeros(2)},
        {"feature_names": np.array("a"), "feature_values": np.zeros(1)},
        {"feature_names": np.array([["a"]]), "feature_values": np.zeros(1)},
        {"feature_names": np.array(["a", "b"]), "feature_values": np.zeros(3)},
        {"feature_names": np.array(["a", "b"]), "feature_values": np.array(["1", "2"])},
        {"feature_names": np.array(["a", "a"]), "feature_values": np.zeros(2)},
    ],
)
def test_c9_features_that_do_not_fit_their_names_are_an_error(arrays: dict[str, Any]) -> None:
    with pytest.raises(InvalidArtifactError) as caught:
        _ = _open(arrays, {}).features
    assert caught.value.code == "features"


@pytest.mark.parametrize("key", ["feature_names", "feature_values"])
def test_one_half_of_the_features_is_not_enough(key: str) -> None:
    with pytest.raises(NotFoundError, match="feature_"):
        _ = _open({key: np.array(["a"])}, {}).features
