"""Our BERT against transformers': same ids and random weights, same vectors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from filmcan.components.text.text_processor.embedder import Embedder
from filmcan.models.execution import Execution
from filmcan.models.weights import Weights
from filmcan.testing.fixture_sentences import WORDS, build_word_tokenizer
from filmcan.testing.reference_bert import pool

torch = pytest.importorskip("torch", reason="needs the extra parity: run make parity")
transformers = pytest.importorskip("transformers", reason="needs the extra parity: run make parity")

TOLERANCE = 1e-5
TEXTS = [
    "the rabbit sleeps in the meadow",
    "wakes",
    "who sees it? the first, the second and the third!",
    "a film " * 100,
]


@pytest.mark.parametrize("layers", [1, 6])
def test_our_graph_of_a_saved_model_gives_the_vectors_of_transformers(
    layers: int, tmp_path: Path, install: Callable[[dict[str, bytes]], Weights]
) -> None:
    """As sentence-transformers does it: mean of the token vectors by the mask, unit length."""
    config = transformers.BertConfig(
        vocab_size=len(WORDS),
        hidden_size=48,
        num_hidden_layers=layers,
        num_attention_heads=4,
        intermediate_size=96,
        max_position_embeddings=256,
        layer_norm_eps=1e-12,
    )
    config._attn_implementation = "eager"
    model: Any = transformers.BertModel(config).eval()
    for parameter in model.parameters():
        parameter.normal_(std=0.3)  # far from the tame weights of a fresh model
    model.save_pretrained(tmp_path / "saved", safe_serialization=True)
    saved = ("model.safetensors", "config.json")
    files = {name: (tmp_path / "saved" / name).read_bytes() for name in saved}
    weights = install({**files, "tokenizer.json": build_word_tokenizer().encode()})
    embedder = Embedder(weights, Execution(batch_size=len(TEXTS)), 256)
    vectors, _ = embedder.embed(TEXTS)
    for text, vector in zip(TEXTS, vectors, strict=True):
        ids = torch.tensor([embedder.tokenizer.encode(text).ids])
        expected = model(input_ids=ids).last_hidden_state[0].numpy()
        np.testing.assert_allclose(vector, pool(expected.astype(np.float64)), atol=TOLERANCE)
