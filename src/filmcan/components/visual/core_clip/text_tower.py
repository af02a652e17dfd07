"""Prompts -> unit vectors, by CLIP's text tower.

Called by `component.py`. The tower is as heavy as all else of a run together and needed for a
second, so it is closed again and its vectors are kept, text by text, for the next video.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from filmcan.components.network_form import FLOATS, INT64S, get_tensor, open_network
from filmcan.components.unit_vectors import scale_to_unit
from filmcan.components.visual.core_clip.tokens import PromptTokenizer
from filmcan.errors import InternalError
from filmcan.models.onnx_network import NETWORKS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from filmcan.contract.model_used import ModelUsed
    from filmcan.models.execution import Execution
    from filmcan.models.onnx_network import OnnxNetwork
    from filmcan.models.weights import Weights

TEXT_FILE = "text_model.onnx"
TOKENIZER_FILE = "tokenizer.json"


@dataclass(frozen=True, slots=True)
class EmbeddedTexts:
    """What the tower made of some texts.

    Attributes:
        vectors: float32[P, D], each of length 1.
        used: What ran.
        notes: Sentences for the manifest.
    """

    vectors: NDArray[np.float32]
    used: ModelUsed
    notes: tuple[str, ...]


@dataclass(slots=True)
class _Known:
    """The texts that one tower has embedded so far."""

    used: ModelUsed
    notes: tuple[str, ...]
    vectors: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    cut: set[str] = field(default_factory=set)


class TextTowers:
    """The texts that were embedded in this process, by tower."""

    def __init__(self) -> None:
        """Start with none."""
        self._known: dict[tuple[str, str, str, str, Execution], _Known] = {}
        self._lock = threading.Lock()

    def embed(self, weights: Weights, texts: Sequence[str], execution: Execution) -> EmbeddedTexts:
        """Return the vectors of some texts, at least one.

        Raises:
            MissingExtraError: onnxruntime is not installed.
            AssetError: The network or the tokenizer is not of the documented form.
            ComponentFailedError: The network gave no usable vector.
        """
        digests = weights.digests
        files = (digests[TEXT_FILE], digests[TOKENIZER_FILE])
        key = (weights.name, weights.version, *files, execution)
        with self._lock:
            known = self._known.get(key)
            wanted = [text for text in texts if known is None or text not in known.vectors]
            if wanted:
                network = open_network(weights, TEXT_FILE, execution)
                known = self._known.setdefault(key, _Known(network.used, network.notes))
                try:
                    _embed(weights, network, wanted, known)
                finally:
                    NETWORKS.close(weights, TEXT_FILE, execution)
            if known is None:
                raise InternalError("the text tower was called without a text", where=weights.name)
            notes = tuple(
                f"The prompt {text[:40]!r}... is longer than the text tower takes; it was cut."
                for text in texts
                if text in known.cut
            )
            vectors = np.stack([known.vectors[text] for text in texts])
            return EmbeddedTexts(vectors, known.used, (*known.notes, *notes))


TEXT_TOWERS = TextTowers()
"""One per process, like the networks."""


def _embed(weights: Weights, network: OnnxNetwork, texts: Sequence[str], known: _Known) -> None:
    """Embed texts one at a time, unpadded, so that no vector depends on its neighbours."""
    where = f"{weights.name}: {TEXT_FILE}"
    taken = get_tensor(network.inputs, "input_ids", (None, None), INT64S, where)
    get_tensor(network.outputs, "text_embeds", (None, None), FLOATS, where)
    tokenizer = PromptTokenizer(weights.files[TOKENIZER_FILE], f"{weights.name}: {TOKENIZER_FILE}")
    for text in texts:
        ids, is_cut = tokenizer.encode(text)
        padding = (taken.shape[1] or len(ids)) - len(ids)
        feed = np.array([ids + [tokenizer.end_id] * padding], np.int64)
        found = network.run({"input_ids": feed}, ["text_embeds"])["text_embeds"]
        known.vectors[text] = scale_to_unit(found, where)[0]
        if is_cut:
            known.cut.add(text)
