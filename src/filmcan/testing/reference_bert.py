"""BERT in plain numpy, and small ones made at random: a second opinion on the ONNX graph.

Written from the paper, not from the graph: float64, one text at a time, no padding, no mask.
Source: J. Devlin et al., "BERT", NAACL 2019.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TYPES = {"float32": "F32", "int64": "I64"}
_ERF = np.vectorize(math.erf, otypes=[np.float64])


def run_bert(
    tensors: Mapping[str, NDArray[Any]], ids: Sequence[int], *, heads: int, layers: int
) -> NDArray[np.float64]:
    """Return the vector of each token of one text.

    Args:
        tensors: As the file names them.
        ids: The text, special tokens included.
        heads: Attention heads of a layer.
        layers: Layers.

    Returns:
        float64[S, H].
    """
    found = {name: value.astype(np.float64) for name, value in tensors.items()}

    def dense(name: str, value: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(value @ found[f"{name}.weight"].T + found[f"{name}.bias"])

    def norm(name: str, value: NDArray[Any]) -> NDArray[Any]:
        centred = value - value.mean(axis=-1, keepdims=True)
        spread = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-12)
        return np.asarray(centred / spread * found[f"{name}.weight"] + found[f"{name}.bias"])

    value = found["embeddings.word_embeddings.weight"][list(ids)]
    value = value + found["embeddings.position_embeddings.weight"][: len(ids)]
    value = value + found["embeddings.token_type_embeddings.weight"][0]
    value = norm("embeddings.LayerNorm", value)
    for layer in range(layers):
        prefix = f"encoder.layer.{layer}"
        query, key, content = (
            dense(f"{prefix}.attention.self.{part}", value).reshape(len(ids), heads, -1)
            for part in ("query", "key", "value")
        )
        scores = np.einsum("qhd,khd->hqk", query, key) / math.sqrt(query.shape[-1])
        weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
        weights /= weights.sum(axis=-1, keepdims=True)
        mixed = np.einsum("hqk,khd->qhd", weights, content).reshape(len(ids), -1)
        mixed = dense(f"{prefix}.attention.output.dense", mixed)
        value = norm(f"{prefix}.attention.output.LayerNorm", value + mixed)
        wide = dense(f"{prefix}.intermediate.dense", value)
        wide = wide * 0.5 * (1.0 + _ERF(wide / math.sqrt(2.0)))
        narrow = dense(f"{prefix}.output.dense", wide)
        value = norm(f"{prefix}.output.LayerNorm", value + narrow)
    return np.asarray(value, np.float64)


def pool(vectors: NDArray[Any]) -> NDArray[np.float64]:
    """Return the mean of token vectors, scaled to length 1: what sentence-transformers does."""
    mean = vectors.mean(axis=0)
    return np.asarray(mean / np.linalg.norm(mean), np.float64)


def make_bert(
    *, vocabulary: int, hidden: int, inner: int, layers: int, places: int, seed: int = 5
) -> dict[str, NDArray[Any]]:
    """Return the tensors of a random BERT, with what a real file holds besides the encoder."""
    random = np.random.default_rng(seed)

    def draw(*shape: int) -> NDArray[np.float32]:
        return (random.standard_normal(shape) * 0.3).astype(np.float32)

    tensors: dict[str, NDArray[Any]] = {
        "embeddings.position_ids": np.arange(places, dtype=np.int64)[None],
        "embeddings.word_embeddings.weight": draw(vocabulary, hidden),
        "embeddings.position_embeddings.weight": draw(places, hidden),
        "embeddings.token_type_embeddings.weight": draw(2, hidden),
        "pooler.dense.weight": draw(hidden, hidden),
        "pooler.dense.bias": draw(hidden),
    }
    norms = ["embeddings.LayerNorm"]
    for layer in range(layers):
        prefix = f"encoder.layer.{layer}"
        norms += [f"{prefix}.attention.output.LayerNorm", f"{prefix}.output.LayerNorm"]
        sizes = {f"attention.self.{part}": (hidden, hidden) for part in ("query", "key", "value")}
        sizes |= {
            "attention.output.dense": (hidden, hidden),
            "intermediate.dense": (inner, hidden),
            "output.dense": (hidden, inner),
        }
        for name, (given, taken) in sizes.items():
            tensors[f"{prefix}.{name}.weight"] = draw(given, taken)
            tensors[f"{prefix}.{name}.bias"] = draw(given)
    for name in norms:
        tensors[f"{name}.weight"] = 1.0 + draw(hidden)
        tensors[f"{name}.bias"] = draw(hidden)
    return tensors


def build_safetensors(tensors: Mapping[str, NDArray[Any]]) -> bytes:
    """Return tensors as a safetensors file."""
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    body = b""
    for name, value in tensors.items():
        data = np.ascontiguousarray(value).tobytes()
        place = [len(body), len(body) + len(data)]
        kind = _TYPES[str(value.dtype)]
        header[name] = {"dtype": kind, "shape": list(value.shape), "data_offsets": place}
        body += data
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + body
