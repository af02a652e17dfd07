"""Our depth against a DPT of transformers with random weights, behind upstream's preprocessing.

MiDaS v2.1 small itself is not in transformers; what is held here is everything around it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest

from filmcan.components.visual.core_depth_midas.depth_network import DepthNetwork
from filmcan.models.execution import Execution
from filmcan.models.weights import Weights

torch = pytest.importorskip("torch", reason="needs the extra parity: run make parity")
transformers = pytest.importorskip("transformers", reason="needs the extra parity: run make parity")

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
TOLERANCE = 1e-4
"""Of the range of a map."""


class Wrapper(torch.nn.Module):  # type: ignore[misc, name-defined]
    """As upstream's `tf/make_onnx_model.py`: normalise inside, give one map."""

    def __init__(self, model: Any, *, normalises: bool) -> None:
        super().__init__()
        self.model = model
        self.normalises = normalises

    def forward(self, given: Any) -> Any:
        if self.normalises:
            mean, std = torch.tensor(MEAN), torch.tensor(STD)
            given = given.sub(mean[None, :, None, None]).div(std[None, :, None, None])
        return torch.relu(self.model(given).predicted_depth * 1000 + 500)


@pytest.fixture
def model() -> Any:
    """Return a small DPT of the true input and output, random but not degenerate."""
    config = transformers.DPTConfig(
        hidden_size=32,
        num_hidden_layers=4,
        num_attention_heads=4,
        intermediate_size=64,
        image_size=256,
        patch_size=16,
        backbone_out_indices=[0, 1, 2, 3],
        neck_hidden_sizes=[16, 16, 32, 32],
        fusion_hidden_size=16,
        reassemble_factors=[4, 2, 1, 0.5],
        is_hybrid=False,
    )
    config._attn_implementation = "eager"
    found = transformers.DPTForDepthEstimation(config).eval()
    for parameter in found.parameters():
        if parameter.ndim > 1:
            parameter.normal_(std=parameter[0].numel() ** -0.5)
    return found


@pytest.mark.parametrize("normalises", [True, False])
def test_maps_are_the_references(
    model: Any,
    pictures: list[np.ndarray],
    export: Callable[..., bytes],
    install: Callable[..., Weights],
    normalises: bool,
) -> None:
    wrapped = Wrapper(model, normalises=normalises)
    weights = install(
        {"model-small.onnx": export(wrapped, torch.zeros(1, 3, 256, 256), ("picture", "depth"))}
    )
    network = DepthNetwork(weights, Execution())
    assert network.normalization == ("graph" if normalises else "host")

    reference = Wrapper(model, normalises=True)
    for picture in pictures:
        squashed = cv2.resize(picture / 255.0, (256, 256), interpolation=cv2.INTER_CUBIC)
        pixels = torch.from_numpy(squashed.transpose(2, 0, 1)[None].astype(np.float32))
        expected = reference(pixels)[0].numpy()
        span = float(np.ptp(expected))
        assert span > 50  # the map is not flat
        worst = np.abs(network.measure(picture) - expected).max() / span
        print(f"depth map of {picture.shape[:2]}: {worst:.1e} of its range")  # noqa: T201
        assert worst < TOLERANCE
