"""Depth on networks of MiDaS's documented form: the depth of a pixel is its brightness."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from filmcan.components.visual.core_depth_midas.component import CoreDepthMidas
from filmcan.components.visual.core_depth_midas.depth_network import (
    DepthNetwork,
    prepare_picture,
)
from filmcan.components.visual.core_depth_midas.map_statistics import measure_map
from filmcan.components.visual.core_depth_midas.previews import Previews
from filmcan.contract.registry import get_schema
from filmcan.contract.validate import validate_arrays
from filmcan.errors import AssetError, ComponentFailedError
from filmcan.models.execution import Execution
from filmcan.models.weights import Weights, get_weights
from filmcan.testing.component_suite import (
    Cases,
    ComponentSuite,
    check_result,
    get_default_parameters,
    get_features,
)
from filmcan.testing.fake_frames import build_fake_frames
from filmcan.testing.fake_media import build_inputs
from filmcan.testing.fixture_networks import (
    DEPTH_GAIN,
    MIDAS,
    build_audio_tower,
    build_depth_network,
)

if TYPE_CHECKING:
    from filmcan.components.base import Component, Result

SCHEMA = get_schema("core_depth_midas_npz_v1", "core_depth_midas")
SERIES = (
    "depth_mean",
    "depth_std",
    "depth_p05",
    "depth_p95",
    "depth_gradient_mean",
    "foreground_fraction",
)
MakeModel = Callable[[Mapping[str, bytes]], Weights]


def make_ramp(height: int = 90, width: int = 160, low: int = 0, high: int = 255) -> np.ndarray:
    """Dark on the left, bright on the right: far to near."""
    row = np.rint(np.linspace(low, high, width)).astype(np.uint8)
    return np.broadcast_to(row[None, :, None], (height, width, 3)).copy()


def make_flat(level: int) -> np.ndarray:
    return np.full((90, 160, 3), level, np.uint8)


@pytest.mark.usefixtures("fixture_models")
class TestCoreDepthMidas(ComponentSuite):
    component_name = "core_depth_midas"

    def make_cases(self) -> Cases:
        noise = np.random.default_rng(0).integers(0, 256, (90, 160, 3), np.uint8)
        cases: dict[str, list[np.ndarray | None]] = {
            "typical": [make_ramp(), noise, make_ramp()],
            "black": [make_flat(0)] * 2,
            "one frame": [noise],
            "nothing decoded": [None, None],
            "damaged": [None, noise, None, make_ramp()],
            "tiny": [noise[:1, :1]],
        }
        return {
            name: partial(build_inputs, frames=build_fake_frames(pictures))
            for name, pictures in cases.items()
        }

    def build_component(self, **changes: object) -> Component:
        return super().build_component(**{"model": MIDAS, **changes})


def run(pictures: Sequence[np.ndarray | None], **changes: Any) -> Result:
    """Run the component over frames held in memory, and hold its arrays to the schema."""
    parameters = {**get_default_parameters("core_depth_midas"), "model": MIDAS, **changes}
    result = CoreDepthMidas(parameters).run(build_inputs(frames=build_fake_frames(pictures)))
    check_result(result, SCHEMA, "made pictures")
    return result


@pytest.mark.usefixtures("fixture_models")
def test_the_statistics_of_a_ramp_are_those_of_a_ramp() -> None:
    result = run([make_ramp()])
    found = {name: float(result.arrays[name][0]) for name in SERIES}
    assert found["depth_mean"] == pytest.approx(DEPTH_GAIN / 2, rel=0.01)
    assert found["depth_std"] == pytest.approx(DEPTH_GAIN / math.sqrt(12), rel=0.02)
    assert found["depth_p05"] == pytest.approx(DEPTH_GAIN * 0.05, rel=0.1)
    assert found["depth_p95"] == pytest.approx(DEPTH_GAIN * 0.95, rel=0.01)
    assert found["foreground_fraction"] == pytest.approx(0.5, abs=0.01)
    # 0..1 over the width is 1 / 0.9 of the range p05..p95 over the width.
    assert found["depth_gradient_mean"] == pytest.approx(1 / 0.9, rel=0.02)


@pytest.mark.usefixtures("fixture_models")
def test_what_compares_between_frames_does_not_depend_on_scale_and_shift() -> None:
    arrays = run([make_ramp(), make_ramp(low=60, high=162)]).arrays
    for name in ("depth_gradient_mean", "foreground_fraction"):
        assert arrays[name][0] == pytest.approx(arrays[name][1], rel=0.02)
    assert arrays["depth_std"][0] > 2 * arrays["depth_std"][1]


def test_the_gradient_is_per_frame_width_in_the_frames_own_proportions() -> None:
    """A ramp from top to bottom of a frame half as high as wide is twice as steep."""
    across = np.tile(np.linspace(0, 1, 256, dtype=np.float32), (256, 1))
    assert measure_map(across, 0.5).depth_gradient_mean == pytest.approx(1 / 0.9, rel=0.01)
    assert measure_map(across.T, 0.5).depth_gradient_mean == pytest.approx(2 / 0.9, rel=0.01)
    assert measure_map(across.T, 2.0).depth_gradient_mean == pytest.approx(0.5 / 0.9, rel=0.01)


@pytest.mark.parametrize("share", [0.1, 0.25, 0.6])
def test_the_foreground_is_the_share_of_what_is_near(share: float) -> None:
    depth = np.full((256, 256), 10.0, np.float32)
    depth[:, : round(256 * share)] = 90.0
    assert measure_map(depth, 1.0).foreground_fraction == pytest.approx(share, abs=0.002)


@pytest.mark.usefixtures("fixture_models")
def test_a_map_without_range_has_no_gradient_and_no_foreground() -> None:
    result = run([make_flat(100), make_ramp()])
    arrays, features = result.arrays, get_features(result)
    assert arrays["depth_mean"][0] == pytest.approx(DEPTH_GAIN * 100 / 255, rel=1e-3)
    for name in ("depth_gradient_mean", "foreground_fraction"):
        assert np.isnan(arrays[name][0])
        assert features[f"{name}_mean"] == pytest.approx(float(arrays[name][1]))
        assert math.isnan(features[f"{name}_std"])
    assert features["depth_frame_count"] == 2


@pytest.mark.usefixtures("fixture_models")
def test_c6_failed_frames_are_masked() -> None:
    arrays = run([None, make_ramp(), None, make_flat(9)], store_maps=True).arrays
    assert arrays["frame_present"].tolist() == [False, True, False, True]
    for name in SERIES:
        assert np.isnan(arrays[name][[0, 2]]).all()
    assert np.isnan(arrays["depth_maps"][[0, 2]]).all()
    assert np.isfinite(arrays["depth_maps"][[1, 3]]).all()


@pytest.mark.usefixtures("fixture_models")
def test_maps_are_kept_only_when_asked_for() -> None:
    assert "depth_maps" not in run([make_ramp()]).arrays
    (depth,) = run([make_ramp()], store_maps=True).arrays["depth_maps"]
    assert (depth.dtype, depth.shape) == (np.float16, (256, 256))
    assert (np.diff(depth[128].astype(np.float32)) > -1.0).all()
    assert depth[0, 250] == pytest.approx(DEPTH_GAIN * 250 / 255, rel=0.02)


def test_maps_beyond_float16_are_left_out_with_a_note(make_model: MakeModel) -> None:
    make_model({"model-small.onnx": build_depth_network(gain=100_000.0)})
    result = run([make_ramp(), make_flat(3)], store_maps=True, model="fixture-own")
    assert "depth_maps" not in result.arrays
    assert result.notes[0].startswith("depth_maps is left out: a map reaches ")
    assert result.arrays["depth_p95"][0] > 65504


@pytest.mark.usefixtures("fixture_models")
def test_previews_are_spread_scaled_and_in_the_frames_proportions() -> None:
    frames: list[np.ndarray | None] = [make_ramp() for _ in range(9)]
    frames[4] = None
    arrays = run(frames, preview_count=3, preview_width=32).arrays
    assert arrays["preview_indices"].tolist() == [0, 3, 8]
    maps = arrays["preview_maps"]
    assert (maps.dtype, maps.shape) == (np.float16, (3, 18, 32))
    assert (maps[0, :, 0] < 0.05).all()
    assert (maps[0, :, -1] > 0.95).all()


def test_a_preview_of_a_map_without_range_is_grey() -> None:
    previews = Previews(1, 16, 2.0)
    previews.offer(0, np.full((256, 256), 7.0, np.float32))
    positions, maps = previews.build()
    assert positions.tolist() == [0]
    assert maps.shape == (1, 32, 16)
    assert (maps == 0.5).all()


def test_no_preview_is_no_error() -> None:
    positions, maps = Previews(0, 16, 1.0).build()
    assert positions.shape == (0,)
    assert maps.shape == (0, 16, 16)


def test_pictures_are_squashed_as_by_the_reference() -> None:
    """Upstream resizes RGB in 0..1 with OpenCV's bicubic, in double precision."""
    picture = np.random.default_rng(0).integers(0, 256, (93, 217, 3), np.uint8)
    expected = cv2.resize(picture / 255.0, (256, 256), interpolation=cv2.INTER_CUBIC)
    found = prepare_picture(picture)
    assert (found.dtype, found.shape) == (np.float32, (3, 256, 256))
    np.testing.assert_allclose(found, expected.transpose(2, 0, 1), atol=1e-6)


def test_c4_who_normalises_is_found_out_stored_and_changes_nothing(make_model: MakeModel) -> None:
    """The same network with and without the normalisation inside gives the same depth."""
    pictures = [make_ramp(), make_ramp(low=30, high=200)]
    found = {}
    for normalises, expected in ((True, "graph"), (False, "host")):
        make_model({"model-small.onnx": build_depth_network(normalises=normalises)})
        result = run(pictures, model="fixture-own", store_maps=True)
        assert result.extra_meta == {"normalization": expected}
        found[expected] = result.arrays
    for name in (*SERIES, "depth_maps"):
        np.testing.assert_allclose(found["graph"][name], found["host"][name], rtol=1e-3, atol=1e-2)


def test_a_network_of_another_form_is_refused(make_model: MakeModel) -> None:
    make_model({"model-small.onnx": build_audio_tower()})
    with pytest.raises(AssetError, match=r"got input_features tensor\(float\)"):
        run([make_ramp()], model="fixture-own")


@pytest.mark.usefixtures("fixture_models")
def test_a_map_that_is_not_finite_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    network = DepthNetwork(get_weights(MIDAS), Execution())
    broken = {"797": np.full((1, 256, 256), np.inf, np.float32)}
    monkeypatch.setattr(type(network._network), "run", lambda *given: broken)
    with pytest.raises(ComponentFailedError, match="not finite"):
        network.measure(make_ramp())


def test_c6_depth_below_zero_never_gets_past_the_schema() -> None:
    key = SCHEMA.keys["depth_p05"]
    assert key.low == 0
    arrays = {
        "frame_present": np.array([True]),
        "depth_p05": np.array([-1.0], np.float32),
    }
    issues = validate_arrays(arrays, SCHEMA, status="ok")
    assert "out_of_range" in [issue.code for issue in issues if issue.key == "depth_p05"]
