"""Texts -> unit vectors, by a sentence embedder: BERT, its token vectors averaged.

Called by `embeddings.py`. Two forms of weights are taken: `model.safetensors` with `config.json`,
of which a graph is made in memory, or `model.onnx`. Both give the same vectors.
Source: docs/models.md section 7; N. Reimers and I. Gurevych, "Sentence-BERT", EMNLP 2019.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from filmcan.components.network_form import (
    FLOATS,
    INT64S,
    find_missing_part,
    get_tensor,
    open_network,
    plan_networks,
)
from filmcan.components.text.text_processor.bert_graph import (
    IDS,
    MASK,
    TOKENS_OUT,
    build_graph,
    read_config,
)
from filmcan.components.text.text_processor.tokenizer import Encoded, TextTokenizer
from filmcan.components.unit_vectors import scale_to_unit
from filmcan.errors import AssetError, BadProfileError
from filmcan.models.catalog import load_catalog
from filmcan.models.onnx_network import NETWORKS, plan_network
from filmcan.models.weights import get_weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from filmcan.contract.model_used import ModelUsed
    from filmcan.models.execution import Execution
    from filmcan.models.onnx_network import OnnxNetwork
    from filmcan.models.weights import Weights

TENSORS_FILE = "model.safetensors"
CONFIG_FILE = "config.json"
GRAPH_FILE = "model.onnx"
TOKENIZER_FILE = "tokenizer.json"

TYPES = "token_type_ids"
"""An input that some exports have; all zeros for single texts."""

ENGLISH_ONLY = frozenset({"all_minilm_l6_v2", "all_minilm_l6_v2_onnx"})
"""Assets of the catalog whose vectors mean little for other languages."""


def find_missing_embedder(model: str) -> str | None:
    """Return None when an embedder can run, else the sentence that ends with the command.

    Raises:
        NotFoundError: The catalog has no such asset.
        BadProfileError: It is an asset of another kind.
    """
    known = {file.path for file in load_catalog().get(model).files}
    if GRAPH_FILE in known:
        return find_missing_part(model, (GRAPH_FILE, TOKENIZER_FILE), "tokenizers", extra="text")
    files = (TENSORS_FILE, CONFIG_FILE, TOKENIZER_FILE)
    return find_missing_part(model, files, "onnx", "tokenizers", extra="text")


def plan_embedder(model: str, execution: Execution) -> ModelUsed:
    """Return the row of `models_used` that opening an embedder would give.

    Raises:
        NotFoundError: A file is not in the cache.
        AssetError: A file is no network.
    """
    weights = get_weights(model)
    if GRAPH_FILE in weights.files:
        return plan_networks(model, (GRAPH_FILE,), execution)[0]
    return plan_network(weights, TENSORS_FILE, execution)


class Embedder:
    """An open embedder.

    Attributes:
        used: What runs.
        notes: Sentences for the manifest.
        tokenizer: Its tokenizer, with which long texts are cut.
        size: Components of a vector.
    """

    def __init__(self, weights: Weights, execution: Execution, max_tokens: int) -> None:
        """Open the network.

        Args:
            weights: The files.
            execution: Device, threads, and how many texts go in at once.
            max_tokens: Longest input, special tokens included.

        Raises:
            MissingExtraError: onnxruntime is not installed.
            AssetError: A file is damaged, or the network is of another form.
            BadProfileError: The network takes fewer tokens.
        """
        self._batch_size = execution.batch_size
        if GRAPH_FILE in weights.files:
            self._where = f"{weights.name}: {GRAPH_FILE}"
            self._network = open_network(weights, GRAPH_FILE, execution)
        else:
            self._where = f"{weights.name}: {TENSORS_FILE}"
            self._network = _open_tensors(weights, execution, max_tokens)
        self.used = self._network.used
        self.notes = self._network.notes
        self.size = _check_form(self._network, self._where)
        place = weights.files[TOKENIZER_FILE]
        self.tokenizer = TextTokenizer(place, f"{weights.name}: {TOKENIZER_FILE}", max_tokens)

    def embed(self, texts: Sequence[str]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return the vector of each text, and how many tokens stood behind it.

        Texts of like length go in together, so that little is padded; a vector does not depend
        on its neighbours beyond rounding.

        Returns:
            float32[K, E], length 1, NaN for a text without a token; int64[K].

        Raises:
            ComponentFailedError: The network gave a vector that is zero or not finite.
        """
        encoded = [self.tokenizer.encode(text) for text in texts]
        tokens = np.array([entry.content for entry in encoded], np.int64)
        vectors = np.full((len(texts), self.size), np.nan, np.float32)
        spoken = [place for place in range(len(texts)) if tokens[place]]
        spoken.sort(key=lambda place: len(encoded[place].ids))
        for start in range(0, len(spoken), self._batch_size):
            places = spoken[start : start + self._batch_size]
            vectors[places] = self._run([encoded[place] for place in places])
        return vectors, tokens

    def _run(self, batch: Sequence[Encoded]) -> NDArray[np.float32]:
        """Run one batch, padded to its longest text; average each text's own tokens."""
        lengths = np.array([len(entry.ids) for entry in batch])
        ids = np.full((len(batch), lengths.max()), self.tokenizer.pad_id, np.int64)
        for row, entry in zip(ids, batch, strict=True):
            row[: len(entry.ids)] = entry.ids
        mask = (np.arange(lengths.max()) < lengths[:, None]).astype(np.int64)
        feeds = {IDS: ids, MASK: mask, TYPES: np.zeros_like(ids)}
        taken = {tensor.name: feeds[tensor.name] for tensor in self._network.inputs}
        vectors = self._network.run(taken, [TOKENS_OUT])[TOKENS_OUT]
        # The sum has the direction of the mean.
        sums = (mask[:, None, :].astype(np.float32) @ vectors)[:, 0]
        return scale_to_unit(sums, self._where)


def _open_tensors(weights: Weights, execution: Execution, max_tokens: int) -> OnnxNetwork:
    """Open the network whose graph has to be made first."""
    config = read_config(weights.files[CONFIG_FILE], f"{weights.name}: {CONFIG_FILE}")
    if max_tokens > config.max_position_embeddings:
        raise BadProfileError(
            f"{weights.name} takes at most {config.max_position_embeddings} tokens, "
            f"got {max_tokens}",
            where="embedder_max_tokens",
        )
    where = f"{weights.name}: {TENSORS_FILE}"

    def build(file: Path) -> bytes:
        return build_graph(file, config, where)

    return NETWORKS.open(weights, TENSORS_FILE, execution, build=build)


def _check_form(network: OnnxNetwork, where: str) -> int:
    """Hold the network to its documented form; return how many components its vectors have."""
    names = {tensor.name for tensor in network.inputs} | {IDS, MASK}
    for name in sorted(names):
        get_tensor(network.inputs, name, (None, None), INT64S, where)
    size = get_tensor(network.outputs, TOKENS_OUT, (None, None, None), FLOATS, where).shape[2]
    unknown = sorted(names - {IDS, MASK, TYPES})
    if unknown or size is None:
        told = f"takes {', '.join(unknown)}" if unknown else "leaves the size of its vectors open"
        raise AssetError(
            f"expected {IDS}, {MASK} and perhaps {TYPES} to a known number of values, "
            f"got a network that {told}",
            code="network_form",
            where=where,
            hint="Choose weights of the form that the component's SCHEMA.md names.",
        )
    return size
