"""Small sentence embedders of the two documented forms, over a vocabulary of a few words.

Called by tests of text_processor. Like all fixture networks they mean nothing, and their numbers
can be had by hand: the BERT's from `reference_bert`, the exported network's from its table.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from filmcan.testing.fixture_networks import (
    build_mix,
    build_model,
    describe_tensor,
    describe_token,
)
from filmcan.testing.reference_bert import build_safetensors, make_bert

MINILM = "fixture-minilm"
MINILM_ONNX = "fixture-minilm-onnx"

WORDS = (
    *("[PAD]", "[UNK]", "[CLS]", "[SEP]"),
    *("the", "a", "rabbit", "meadow", "sleeps", "wakes", "up", "in", "and", "yawns", "film"),
    *("open", "animation", "who", "sees", "it", "first", "second", "third", ".", "!", "?", ","),
)
"""What the made tokenizer knows."""

BERT_CONFIG: dict[str, Any] = {
    "model_type": "bert",
    "hidden_act": "gelu",
    "position_embedding_type": "absolute",
    "vocab_size": len(WORDS),
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 40,
    "max_position_embeddings": 300,
    "layer_norm_eps": 1e-12,
    "type_vocab_size": 2,
}

SENTENCE_INPUTS = ("input_ids", "attention_mask", "token_type_ids")


def build_sentence_assets() -> dict[str, Mapping[str, bytes]]:
    """Return an embedder of each form: asset's name -> file -> bytes."""
    return {
        MINILM: build_sentence_embedder(),
        MINILM_ONNX: {
            "model.onnx": build_token_network(),
            "tokenizer.json": build_word_tokenizer().encode(),
        },
    }


def build_sentence_embedder(**changes: object) -> dict[str, bytes]:
    """MiniLM's three files: a random BERT of two layers over a vocabulary of a few words.

    Args:
        changes: Entries of `config.json` that differ.
    """
    config = {**BERT_CONFIG, **changes}
    tensors = make_bert(
        vocabulary=len(WORDS),
        hidden=BERT_CONFIG["hidden_size"],
        inner=BERT_CONFIG["intermediate_size"],
        layers=BERT_CONFIG["num_hidden_layers"],
        places=BERT_CONFIG["max_position_embeddings"],
    )
    return {
        "model.safetensors": build_safetensors(tensors),
        "config.json": json.dumps(config).encode(),
        "tokenizer.json": build_word_tokenizer().encode(),
    }


def build_token_network(*, inputs: Sequence[str] = SENTENCE_INPUTS, size: int = 24) -> bytes:
    """An exported sentence network: a random row for each token, the type's share added."""
    from onnx import TensorProto, helper

    nodes = [helper.make_node("Gather", ["table", inputs[0]], ["rows"])]
    last = "rows"
    for name in inputs[1:]:
        nodes += [
            helper.make_node("Cast", [name], [f"{name}_float"], to=TensorProto.FLOAT),
            helper.make_node("Unsqueeze", [f"{name}_float", "last"], [f"{name}_wide"]),
            helper.make_node("Add", [last, f"{name}_wide"], [f"{name}_added"]),
        ]
        last = f"{name}_added"
    nodes.append(helper.make_node("Identity", [last], ["last_hidden_state"]))
    return build_model(
        nodes,
        [describe_tensor(name, ["batch", "length"], "int64") for name in inputs],
        describe_tensor("last_hidden_state", ["batch", "length", size]),
        {"table": build_mix(len(WORDS), 4)[:, :size].copy(), "last": np.array([2])},
    )


def build_word_tokenizer() -> str:
    """Return the text of a `tokenizer.json` that knows `WORDS`, with MiniLM's unhelpful settings.

    Like the real file it cuts at few tokens and pads every text to them.
    """
    document = {
        "version": "1.0",
        "truncation": {
            "direction": "Right",
            "max_length": 8,
            "strategy": "LongestFirst",
            "stride": 0,
        },
        "padding": {
            "strategy": {"Fixed": 8},
            "direction": "Right",
            "pad_to_multiple_of": None,
            "pad_id": WORDS.index("[PAD]"),
            "pad_type_id": 0,
            "pad_token": "[PAD]",
        },
        "added_tokens": [describe_token(word, WORDS.index(word)) for word in WORDS[:4]],
        "normalizer": {"type": "Lowercase"},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "BertProcessing",
            "sep": ["[SEP]", WORDS.index("[SEP]")],
            "cls": ["[CLS]", WORDS.index("[CLS]")],
        },
        "decoder": None,
        "model": {
            "type": "WordLevel",
            "vocab": {word: place for place, word in enumerate(WORDS)},
            "unk_token": "[UNK]",
        },
    }
    return json.dumps(document)
