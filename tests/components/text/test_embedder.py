"""Sentence embeddings: the graph against plain numpy, real weights against published numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from filmcan.components.text.text_processor.bert_graph import read_config
from filmcan.components.text.text_processor.embedder import Embedder, find_missing_embedder
from filmcan.errors import AssetError, BadProfileError, NotFoundError
from filmcan.models.execution import Execution
from filmcan.models.safetensors import read_tensors
from filmcan.models.weights import Weights, get_weights
from filmcan.testing.fixture_networks import CLIP, build_mix
from filmcan.testing.fixture_sentences import (
    MINILM,
    MINILM_ONNX,
    WORDS,
    build_sentence_embedder,
    build_token_network,
    build_word_tokenizer,
)
from filmcan.testing.reference_bert import build_safetensors, make_bert, pool, run_bert

MakeModel = Callable[[Mapping[str, bytes]], Weights]
ModelCache = Callable[[str], Weights]

TEXTS = (
    "the rabbit sleeps in the meadow",
    "wakes up",
    "a film, an open animation and a rabbit who sees it yawns . . . . . . . .",
    "first",
)


def encode(text: str) -> list[int]:
    """Return the ids of a text by hand: what the made tokenizer must give."""
    words = text.replace(",", " ,").split()
    known = [WORDS.index(word) if word in WORDS else WORDS.index("[UNK]") for word in words]
    return [WORDS.index("[CLS]"), *known, WORDS.index("[SEP]")]


def build_expected(texts: tuple[str, ...]) -> np.ndarray:
    """Return the vectors of texts by the made weights, computed in numpy."""
    tensors = make_bert(vocabulary=len(WORDS), hidden=24, inner=40, layers=2, places=300)
    return np.stack([pool(run_bert(tensors, encode(text), heads=3, layers=2)) for text in texts])


@pytest.mark.usefixtures("fixture_models")
class TestMadeWeights:
    def open(self, name: str = MINILM, max_tokens: int = 256, **execution: Any) -> Embedder:
        return Embedder(get_weights(name), Execution(**execution), max_tokens)

    def test_the_graph_computes_what_plain_numpy_does(self) -> None:
        vectors, tokens = self.open().embed(TEXTS)
        np.testing.assert_allclose(vectors, build_expected(TEXTS), atol=2e-6)
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-6)
        assert tokens.tolist() == [len(encode(text)) - 2 for text in TEXTS]

    @pytest.mark.parametrize("batch_size", [1, 2, 3, 64])
    def test_a_vector_does_not_depend_on_its_batch(self, batch_size: int) -> None:
        texts = TEXTS * 3
        alone = np.concatenate([self.open(batch_size=1).embed([text])[0] for text in texts])
        vectors, _ = self.open(batch_size=batch_size).embed(texts)
        np.testing.assert_allclose(vectors, alone, atol=1e-6)

    def test_the_tokenizers_own_truncation_and_padding_are_overruled(self) -> None:
        """The made file says 8 tokens, and to pad to them, as MiniLM's says 128."""
        embedder = self.open()
        assert len(embedder.tokenizer.encode("rabbit").ids) == 3
        assert len(embedder.tokenizer.encode("rabbit " * 50).ids) == 52
        assert embedder.tokenizer.pad_id == WORDS.index("[PAD]")

    def test_a_text_beyond_the_limit_is_cut_there(self) -> None:
        embedder = self.open(max_tokens=16)
        long = "rabbit sleeps " * 40
        assert len(embedder.tokenizer.encode(long).ids) == 16
        vectors, tokens = embedder.embed([long, "rabbit sleeps " * 7])
        np.testing.assert_array_equal(vectors[0], vectors[1])
        assert tokens.tolist() == [14, 14]

    def test_c6_no_text_has_no_vector(self) -> None:
        vectors, tokens = self.open().embed(["", "rabbit", "  "])
        assert tokens.tolist() == [0, 1, 0]
        assert np.isnan(vectors[[0, 2]]).all()
        assert not np.isnan(vectors[1]).any()
        assert self.open().embed([])[0].shape == (0, 24)

    def test_the_network_is_opened_once_per_process(self) -> None:
        assert self.open()._network is self.open()._network

    def test_what_ran_is_told_with_the_digest_of_the_weights(self) -> None:
        weights = get_weights(MINILM)
        used = self.open().used
        assert used.model_name == MINILM
        assert used.weights_digest == f"sha256:{weights.digests['model.safetensors']}"
        assert used.precision == "float32"

    def test_an_exported_network_runs_too(self) -> None:
        vectors, _ = self.open(MINILM_ONNX).embed(TEXTS)
        table = build_mix(len(WORDS), 4)[:, :24].astype(np.float64)
        expected = [pool(table[encode(text)] + 1.0) for text in TEXTS]  # the mask adds 1
        np.testing.assert_allclose(vectors, expected, atol=1e-6)

    def test_more_tokens_than_the_network_has_places_are_refused(self) -> None:
        with pytest.raises(BadProfileError, match="at most 300 tokens, got 512"):
            self.open(max_tokens=512)

    def test_an_asset_of_another_kind_is_refused_by_what_it_lacks(self) -> None:
        assert find_missing_embedder(MINILM) is None
        assert find_missing_embedder(MINILM_ONNX) is None
        with pytest.raises(BadProfileError, match=r"has no model\.safetensors, config\.json"):
            find_missing_embedder(CLIP)
        with pytest.raises(NotFoundError):
            find_missing_embedder("no_such_asset")


def test_an_export_without_token_types_runs(make_model: MakeModel) -> None:
    files = {
        "model.onnx": build_token_network(inputs=("input_ids", "attention_mask")),
        "tokenizer.json": build_word_tokenizer().encode(),
    }
    vectors, _ = Embedder(make_model(files), Execution(), 256).embed(TEXTS)
    assert vectors.shape == (4, 24)


@pytest.mark.parametrize(
    ("network", "told"),
    [
        (build_token_network(inputs=("input_ids", "token_type_ids")), "expected attention_mask"),
        (
            build_token_network(inputs=("input_ids", "attention_mask", "position_ids")),
            "takes position_ids",
        ),
        (b"no network", "no ONNX file"),
    ],
)
def test_a_network_of_another_form_is_refused(
    make_model: MakeModel, network: bytes, told: str
) -> None:
    files = {"model.onnx": network, "tokenizer.json": build_word_tokenizer().encode()}
    with pytest.raises(AssetError, match=told):
        Embedder(make_model(files), Execution(), 256)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"model_type": "xlm-roberta"}, "model_type: expected bert"),
        ({"hidden_act": "gelu_new"}, "hidden_act: expected gelu"),
        ({"position_embedding_type": "relative_key"}, "position_embedding_type"),
        ({"hidden_size": 0}, "hidden_size: expected a whole number"),
        ({"num_hidden_layers": True}, "num_hidden_layers"),
        ({"num_attention_heads": 5}, "no multiple"),
        ({"layer_norm_eps": "small"}, "layer_norm_eps"),
        ({"vocab_size": 99}, r"embeddings.word_embeddings.weight float32\[99, 24\]"),
        ({"num_hidden_layers": 3}, r"encoder.layer.2.attention.self.query.weight"),
        ({"intermediate_size": 41}, r"intermediate.dense.weight float32\[41, 24\]"),
    ],
)
def test_a_config_that_is_no_bert_or_not_of_these_weights_is_refused(
    make_model: MakeModel, changes: dict[str, object], told: str
) -> None:
    with pytest.raises(AssetError, match=told):
        Embedder(make_model(build_sentence_embedder(**changes)), Execution(), 256)


@pytest.mark.parametrize("content", [b"{", b"[1]", b" " * (1 << 20) + b"{} "])
def test_a_config_that_is_no_json_object_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(content)
    with pytest.raises(AssetError):
        read_config(path, "a: config.json")


def test_half_precision_weights_and_a_damaged_tokenizer_are_refused(make_model: MakeModel) -> None:
    files = build_sentence_embedder()
    with pytest.raises(AssetError, match="no tokenizer"):
        Embedder(make_model({**files, "tokenizer.json": b"{}"}), Execution(), 256)
    tensors = make_bert(vocabulary=len(WORDS), hidden=24, inner=40, layers=2, places=300)
    tensors["embeddings.LayerNorm.bias"] = np.zeros(24, np.int64)
    weights = make_model({**files, "model.safetensors": build_safetensors(tensors)})
    with pytest.raises(AssetError, match=r"LayerNorm.bias float32\[24\], got int64"):
        Embedder(weights, Execution(), 256)


def test_words_of_a_long_text_are_not_torn_where_there_are_blanks(make_model: MakeModel) -> None:
    tokenizer = Embedder(make_model(build_sentence_embedder()), Execution(), 256).tokenizer
    text = "rabbit  meadow, yawns up ! it"
    parts = [text[start:end] for start, end in tokenizer.split(text, 3)]
    assert "".join(parts) == text
    assert [part.strip() for part in parts] == [
        "rabbit meadow,".replace(" ", "  "),
        "yawns up !",
        "it",
    ]
    assert [tokenizer.count(part) for part in parts] == [3, 3, 1]
    torn = [text[start:end] for start, end in tokenizer.split("!" * 7, 3)]
    assert len(torn) == 3
    assert tokenizer.split("", 3) == [(0, 0)]


# --- real weights ---------------------------------------------------------------------------------

REFERENCE = {
    # Source: the examples of the Hugging Face inference API, docs/models.md section 7.3.
    ("That is a happy person", "That is a happy dog"): 0.6945773,
    ("That is a happy person", "That is a very happy person"): 0.9429150,
    ("That is a happy person", "Today is a sunny day"): 0.2568760,
}
EXAMPLE = "This is an example sentence"


@pytest.fixture(scope="module")
def minilm(model_cache: ModelCache) -> Embedder:
    return Embedder(model_cache("all_minilm_l6_v2"), Execution(), 256)


@pytest.mark.registry
def test_golden_similarities_are_the_published_ones(minilm: Embedder) -> None:
    for (one, other), expected in REFERENCE.items():
        vectors, _ = minilm.embed([one, other])
        assert float(vectors[0] @ vectors[1]) == pytest.approx(expected, abs=1e-5)


@pytest.mark.registry
def test_golden_similarities_of_the_reading_test(minilm: Embedder) -> None:
    texts = ["a man is eating food", "a man eats a piece of bread", "the girl is carrying a baby"]
    vectors, _ = minilm.embed(texts)
    assert (vectors[0] @ vectors[1:].T).tolist() == pytest.approx([0.7175, -0.1136], abs=5e-5)


@pytest.mark.registry
def test_golden_ids_and_first_values_of_the_model_cards_example(minilm: Embedder) -> None:
    ids = minilm.tokenizer.encode(EXAMPLE).ids
    assert ids == [101, 2023, 2003, 2019, 2742, 6251, 102]
    vectors, _ = minilm.embed([EXAMPLE])
    assert vectors.shape == (1, 384)
    expected = [0.067657, 0.063496, 0.048713, 0.079305, 0.037448]
    assert vectors[0, :5].tolist() == pytest.approx(expected, abs=1e-5)


@pytest.mark.registry
def test_plain_numpy_agrees_on_the_real_weights(minilm: Embedder, model_cache: ModelCache) -> None:
    tensors = read_tensors(model_cache("all_minilm_l6_v2").files["model.safetensors"], "minilm")
    assert len(tensors) == 104
    texts = [EXAMPLE, "Ünïcödé café"]
    vectors, _ = minilm.embed(texts)
    for text, vector in zip(texts, vectors, strict=True):
        ids = minilm.tokenizer.encode(text).ids
        expected = pool(run_bert(tensors, ids, heads=12, layers=6))
        np.testing.assert_allclose(vector, expected, atol=1e-6)


@pytest.mark.registry
def test_real_batches_and_single_texts_agree(minilm: Embedder) -> None:
    texts = [EXAMPLE, "rabbit", "the meadow and the rabbit " * 12, "Today is a sunny day", "!"]
    together, _ = minilm.embed(texts)
    alone = np.concatenate([minilm.embed([text])[0] for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-6)


@pytest.mark.registry
def test_a_text_of_256_tokens_is_read_to_its_end(minilm: Embedder) -> None:
    """The file's own truncation would stop at 128."""
    head = "rabbit " * 200
    vectors, tokens = minilm.embed([head + "meadow " * 54, head + "yawning " * 54, "x " * 400])
    assert tokens[0] == 254
    assert tokens[2] == 254
    assert float(vectors[0] @ vectors[1]) < 0.999


@pytest.mark.registry
def test_the_real_config_is_what_the_recipe_says(model_cache: ModelCache) -> None:
    config = read_config(model_cache("all_minilm_l6_v2").files["config.json"], "minilm")
    assert (config.num_hidden_layers, config.hidden_size, config.num_attention_heads) == (
        6,
        384,
        12,
    )
    assert (config.layer_norm_eps, config.max_position_embeddings) == (1e-12, 512)
