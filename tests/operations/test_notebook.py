"""Runs and artifacts show themselves in a notebook, escaped, and plot what their schema says."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

import filmcan
from filmcan.errors import MissingExtraError, NotFoundError
from filmcan.operations import viewing
from filmcan.store.local import LocalBackend
from filmcan.store.store import Store
from filmcan.testing.made_server import flip, write_stranger_run
from filmcan.testing.made_stores import begin_run, commit, write_run
from filmcan.testing.made_views import STRANGER, find_rules


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(LocalBackend(tmp_path))


def test_a_run_shows_its_components_with_reasons_and_what_is_pending(store: Store) -> None:
    run = store.run(*write_run(store.backend).split("/"))
    text = run._repr_html_()
    assert text.count("<tr>") == 4
    assert "audio_missing_or_extract_failed" in text
    unfinished = begin_run(store.backend, "v2")
    commit(unfinished)
    assert "pending" in store.run("local", "v2", "r1")._repr_html_()


def test_an_artifact_shows_features_and_arrays_escaped(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = store.run(*write_stranger_run(store.backend).split("/"))
    with run[STRANGER] as artifact:
        text = artifact._repr_html_()
    assert "7.5" in text
    assert "not measurable on this input" in text
    assert "<script" not in text


def test_a_damaged_artifact_says_so(store: Store, tmp_path: Path) -> None:
    run = store.run(*write_stranger_run(store.backend).split("/"))
    (file,) = (tmp_path / run.path / STRANGER).iterdir()
    data = file.read_bytes()
    flip(file, data.index(np.float32(7.5).tobytes()) / len(data))
    with filmcan.open_artifact(file) as artifact:
        assert "is damaged" in artifact._repr_html_()


def test_series_are_plotted_as_the_schema_says(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(viewing.find_schema, "__defaults__", (find_rules,))
    monkeypatch.setitem(viewing.render_component_view.__kwdefaults__, "find_rules", find_rules)
    run = store.run(*write_stranger_run(store.backend).split("/"))
    figure = run.plot(STRANGER)
    kinds = [trace.type for trace in figure.data]
    assert kinds == ["scatter", "scatter", "scatter", "heatmap", "heatmap", "scatter", "scatter"]
    assert list(figure.data[0].y)[4] is None
    assert figure.data[3].y[2] == "&lt;b&gt;eel&lt;/b&gt;"
    one = run.plot(STRANGER, ["mood"])
    assert len(one.data) == 1
    assert one.layout.annotations[0].text == "mood  mood"


def test_what_cannot_be_plotted_says_why(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    run = store.run(*write_run(store.backend).split("/"))
    with pytest.raises(NotFoundError, match="audio_missing_or_extract_failed"):
        run.plot("loudness_extractor")
    with pytest.raises(NotFoundError):
        run.plot("nobody")
    monkeypatch.setitem(sys.modules, "plotly", None)
    with pytest.raises(MissingExtraError, match="filmcan\\[serve\\]"):
        run.plot("loudness_extractor")


def test_a_real_run_plots_its_loudness(tmp_path: Path, clip: Path) -> None:
    run = filmcan.run(clip, store=tmp_path / "s", only=["loudness_extractor"])
    figure = run.plot("loudness_extractor")
    assert figure.layout.annotations[0].text == "momentary_lufs  LUFS"
    with run["loudness_extractor"] as artifact:
        assert len(artifact.plot(["momentary_lufs"]).data) == 1
