"""What the parity tests share: random networks of the reference, exported to ONNX."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from filmcan.models.cache import CACHE_VARIABLE
from filmcan.models.catalog import CATALOG_VARIABLE
from filmcan.models.weights import Weights, get_weights
from filmcan.testing.fixture_networks import pull, write_catalog

if TYPE_CHECKING:
    import torch

OWN = "fixture-parity"


@pytest.fixture(autouse=True)
def same_weights() -> Iterator[None]:
    """Draw the same random weights in every run, and train nothing."""
    torch = pytest.importorskip("torch", reason="needs the extra parity: run make parity")
    torch.manual_seed(0)
    with torch.no_grad():
        yield


@pytest.fixture
def export() -> Callable[..., bytes]:
    """Turn a torch network of one input and one output into the bytes of an ONNX file."""

    def run(
        network: torch.nn.Module,
        example: torch.Tensor,
        names: tuple[str, str],
        free_axes: Sequence[int] = (),
    ) -> bytes:
        import torch

        taken, given = names
        axes = {taken: {axis: f"axis{axis}" for axis in free_axes}, given: {}}
        if 0 in free_axes:
            axes[given] = {0: "axis0"}
        target = io.BytesIO()
        torch.onnx.export(
            network.eval(),
            (example,),
            target,
            input_names=[taken],
            output_names=[given],
            dynamic_axes=axes,
            opset_version=17,
            dynamo=False,
        )
        return target.getvalue()

    return run


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Weights]:
    """Put files into the cache as the asset `fixture-parity`."""
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))

    def run(files: Mapping[str, bytes]) -> Weights:
        monkeypatch.setenv(CATALOG_VARIABLE, str(write_catalog(tmp_path, {OWN: files})))
        pull([OWN])
        return get_weights(OWN)

    return run


@pytest.fixture(scope="session")
def pictures() -> list[np.ndarray]:
    """Return pictures with detail at all scales: wide, tall, square, odd, and one smaller."""
    random = np.random.default_rng(0)
    sizes = [(360, 640), (640, 360), (224, 224), (333, 501), (100, 150)]
    return [make_picture(random, *size) for size in sizes]


def make_picture(random: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Return noise whose amplitude falls with its frequency, uint8[height, width, 3]."""
    rows = np.fft.fftfreq(height)[:, None, None]
    columns = np.fft.fftfreq(width)[None, :, None]
    spectrum = np.fft.fft2(random.standard_normal((height, width, 3)), axes=(0, 1))
    plane: Any = np.fft.ifft2(spectrum / (np.hypot(rows, columns) + 2 / width), axes=(0, 1)).real
    plane = (plane - plane.mean()) / plane.std()
    return np.asarray(np.clip(127 + 60 * plane, 0, 255), np.uint8)
