"""Our CLAP against transformers': same sounds and random weights, same numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from filmcan.components.audio.clap_extractor.component import ClapExtractor
from filmcan.components.audio.clap_extractor.log_mel import compute_log_mel, repeat_to_window
from filmcan.models.weights import Weights
from filmcan.testing.fake_media import FakeSound, build_inputs
from filmcan.testing.made_sound import CLAP_SETTINGS, build_clap_signals

torch = pytest.importorskip("torch", reason="needs the extra parity: run make parity")
transformers = pytest.importorskip("transformers", reason="needs the extra parity: run make parity")

RATE_HZ = 48_000
TOLERANCE = 1e-4


class Tower(torch.nn.Module):  # type: ignore[misc, name-defined]
    """The audio tower as the exports have it: one input, its projected embedding."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, given: Any) -> Any:
        return self.model(input_features=given).audio_embeds


@pytest.fixture
def model() -> Any:
    """Return a small HTSAT of the true input and output, random but not degenerate."""
    config = transformers.ClapAudioConfig(
        depths=[1, 1, 1, 1],
        num_attention_heads=[1, 2, 2, 4],
        patch_embeds_hidden_size=16,
        hidden_size=128,
        projection_dim=512,
    )
    config._attn_implementation = "eager"
    found = transformers.ClapAudioModelWithProjection(config).eval()
    for parameter in found.parameters():
        if parameter.ndim > 1:
            parameter.normal_(std=parameter[0].numel() ** -0.5)
    norm = found.audio_model.audio_encoder.batch_norm
    norm.running_mean.fill_(-30.0)  # about what sounds have, in dB: else all of them look alike
    norm.running_var.fill_(400.0)
    return found


@pytest.fixture
def extractor() -> Any:
    return transformers.ClapFeatureExtractor(**CLAP_SETTINGS)


@pytest.mark.parametrize("name", build_clap_signals())
def test_spectrograms_are_the_references(extractor: Any, name: str) -> None:
    samples = build_clap_signals()[name]
    expected = extractor(samples, sampling_rate=RATE_HZ, return_tensors="np")["input_features"]
    worst = np.abs(compute_log_mel(repeat_to_window(samples)) - expected[0, 0]).max()
    print(f"clap log-mel {name}: {worst:.1e} dB")  # noqa: T201 - the figures of make parity
    assert worst < TOLERANCE


def test_embeddings_are_the_references(
    model: Any, extractor: Any, export: Callable[..., bytes], install: Callable[..., Weights]
) -> None:
    content = export(
        Tower(model),
        torch.zeros(1, 1, 1001, 64),
        ("input_features", "audio_embeds"),
        free_axes=(0,),
    )
    weights = install({"audio_model.onnx": content})
    signals = build_clap_signals()
    parts = [signals["chirp"], signals["noise"], signals["short"]]
    sound = FakeSound(np.concatenate(parts), RATE_HZ)
    component = ClapExtractor({"model": weights.name})
    found = component.run(build_inputs(sound=sound)).arrays["segment_embeddings"]

    features = [
        extractor(part, sampling_rate=RATE_HZ, return_tensors="pt")["input_features"]
        for part in parts
    ]
    expected = model(input_features=torch.cat(features)).audio_embeds
    expected = torch.nn.functional.normalize(expected, dim=-1).numpy()
    assert np.ptp(expected, axis=0).max() > 0.01  # sounds do differ
    worst = np.abs(found - expected).max()
    print(f"clap segment_embeddings: {worst:.1e}")  # noqa: T201 - the figures of make parity
    assert worst < TOLERANCE
