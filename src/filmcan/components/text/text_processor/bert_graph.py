"""An ONNX graph of BERT, made in memory from `config.json` and `model.safetensors`.

Called by `embedder.py` when the network is opened, once per process. The graph is the encoder
alone: ids and mask in, one vector per token out; the pooler of the file is not used.
Source: J. Devlin et al., "BERT", NAACL 2019; docs/models.md section 7.2 for the exact operations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from filmcan.contract.canonical import JsonError, parse_json
from filmcan.contract.reading import ObjectReader
from filmcan.errors import AssetError
from filmcan.models.safetensors import read_tensors

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnx import GraphProto

    from filmcan.contract.issues import Issue

IDS = "input_ids"
MASK = "attention_mask"
TOKENS_OUT = "last_hidden_state"

MAX_CONFIG_BYTES = 1 << 20

_OPSET = 17
_IR_VERSION = 8
_BLOCKED = -1e9
"""Added to the score of a padded token: nothing of it is left after the softmax."""

_LARGEST = 1 << 20
"""No number in a config is larger."""


@dataclass(frozen=True, slots=True)
class BertConfig:
    """The numbers of a BERT encoder, named as in `config.json`."""

    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    max_position_embeddings: int
    layer_norm_eps: float


def read_config(file: Path, where: str) -> BertConfig:
    """Read a `config.json`.

    Raises:
        AssetError: It is no JSON, describes no BERT, or one of another form than is built here.
    """
    if file.stat().st_size > MAX_CONFIG_BYTES:
        raise AssetError(f"it is larger than {MAX_CONFIG_BYTES} bytes", where=where)
    try:
        document = parse_json(file.read_bytes())
    except JsonError as error:
        raise AssetError(f"it is no JSON: {error}", code="network_form", where=where) from error
    problems: list[Issue] = []
    root = ObjectReader(document, "", problems)
    for name, expected in (
        ("model_type", "bert"),
        ("hidden_act", "gelu"),
        ("position_embedding_type", "absolute"),
    ):
        found = root.value.get(name, expected)
        if found != expected:
            root.report(f"expected {expected}, got {found!r}", name)
    sizes = {
        name: _read_size(root, name)
        for name in (
            "vocab_size",
            "hidden_size",
            "num_hidden_layers",
            "num_attention_heads",
            "intermediate_size",
            "max_position_embeddings",
        )
    }
    eps = root.value.get("layer_norm_eps")
    if not isinstance(eps, float) or not 0.0 < eps < 1.0:
        root.report("expected a number between 0 and 1", "layer_norm_eps")
        eps = 1.0
    if sizes["hidden_size"] % sizes["num_attention_heads"]:
        root.report("hidden_size is no multiple of num_attention_heads")
    if problems:
        raise AssetError(
            "; ".join(f"{issue.key}: {issue.message}".lstrip(": ") for issue in problems),
            code="network_form",
            where=where,
            hint="Name an asset whose network is BERT with absolute positions and exact GELU.",
        )
    return BertConfig(**sizes, layer_norm_eps=eps)


def build_graph(weights: Path, config: BertConfig, where: str) -> bytes:
    """Return the graph as an ONNX file.

    Args:
        weights: The safetensors file.
        config: Its numbers.
        where: Asset and file, for errors.

    Raises:
        AssetError: The file is damaged, or lacks a tensor of the expected form.
    """
    from onnx import ModelProto, TensorProto, helper

    # Filled in place: onnx's own make_graph and make_model each copy all weights once more.
    model = ModelProto(ir_version=_IR_VERSION, opset_import=[helper.make_opsetid("", _OPSET)])
    model.graph.name = "bert"
    axes: list[str | int] = ["batch", "length"]
    for name in (IDS, MASK):
        model.graph.input.append(helper.make_tensor_value_info(name, TensorProto.INT64, axes))
    axes.append(config.hidden_size)
    model.graph.output.append(helper.make_tensor_value_info(TOKENS_OUT, TensorProto.FLOAT, axes))
    tensors = _Tensors(read_tensors(weights, where), where)
    _Graph(model.graph, tensors, config).add_encoder()
    content: bytes = model.SerializeToString()
    return content


def _read_size(root: ObjectReader, name: str) -> int:
    value = root.value.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _LARGEST:
        root.report(f"expected a whole number from 1 to {_LARGEST}", name)
        return 1
    return value


class _Tensors:
    """The tensors of the file, each held to its expected form."""

    def __init__(self, tensors: Mapping[str, NDArray], where: str) -> None:
        self._tensors = tensors
        self._where = where

    def get(self, name: str, *shape: int) -> NDArray[np.float32]:
        """Return a tensor.

        Raises:
            AssetError: It is not there, or has another shape or type.
        """
        found = self._tensors.get(name)
        if found is None or found.shape != shape or found.dtype != np.float32:
            got = "nothing" if found is None else f"{found.dtype}{list(found.shape)}"
            raise AssetError(
                f"expected {name} float32{list(shape)}, got {got}",
                code="network_form",
                where=self._where,
                hint="Check that config.json belongs to these weights.",
            )
        return found


class _Graph:
    """Nodes and constants, grown from the bottom up."""

    def __init__(self, graph: GraphProto, tensors: _Tensors, config: BertConfig) -> None:
        self._graph = graph
        self._tensors = tensors
        self._config = config
        self._head_size = config.hidden_size // config.num_attention_heads

    def add_encoder(self) -> None:
        """Add everything."""
        self._add_shared_constants()
        value = self._add_embeddings()
        self._add_mask()
        for layer in range(self._config.num_hidden_layers):
            value = self._add_layer(f"encoder.layer.{layer}", value)
        self._op("Identity", [value], TOKENS_OUT)

    def _add_shared_constants(self) -> None:
        heads = self._config.num_attention_heads
        ints = {
            "zero": [0],
            "one": [1],
            "two": [2],
            "middle_axes": [1, 2],
            "to_heads": [0, 0, heads, self._head_size],
            "from_heads": [0, 0, self._config.hidden_size],
        }
        floats = {
            "unit": 1.0,
            "blocked": _BLOCKED,
            "scale": self._head_size**-0.5,
            "half": 0.5,
            "root_half": 0.5**0.5,
        }
        for name, whole in ints.items():
            self._constant(name, np.array(whole, np.int64))
        for name, number in floats.items():
            self._constant(name, np.array(number, np.float32))

    def _add_embeddings(self) -> str:
        """Words, positions and the first token type: texts here never come in pairs.

        Positions are cut off the table by a Slice. A Range and a Gather would be the obvious
        way; a fusion of onnxruntime breaks them (microsoft/onnxruntime#26788).
        """
        config = self._config
        hidden, places = config.hidden_size, config.max_position_embeddings
        words = self._tensors.get("embeddings.word_embeddings.weight", config.vocab_size, hidden)
        positions = self._tensors.get("embeddings.position_embeddings.weight", places, hidden)
        types = self._tensors.get("embeddings.token_type_embeddings.weight", 2, hidden)
        self._constant("words", words)
        self._constant("positions", positions + types[0])
        self._op("Gather", ["words", IDS], "word_vectors")
        self._op("Shape", [IDS], "shape")
        self._op("Slice", ["shape", "one", "two"], "length")
        self._op("Slice", ["positions", "zero", "length", "zero"], "place_vectors")
        self._op("Add", ["word_vectors", "place_vectors"], "embedded")
        return self._norm("embeddings.LayerNorm", "embedded")

    def _add_mask(self) -> None:
        """From 1 and 0 per token to 0 and a large negative number, beside scores of all heads."""
        from onnx import TensorProto

        self._op("Cast", [MASK], "seen", to=TensorProto.FLOAT)
        self._op("Sub", ["unit", "seen"], "unseen")
        self._op("Mul", ["unseen", "blocked"], "flat_bias")
        self._op("Unsqueeze", ["flat_bias", "middle_axes"], "bias")

    def _add_layer(self, name: str, value: str) -> str:
        hidden, inner = self._config.hidden_size, self._config.intermediate_size
        mixed = self._add_attention(f"{name}.attention.self", value)
        mixed = self._dense([f"{name}.attention.output.dense"], mixed, hidden, hidden)
        kept = self._op("Add", [mixed, value], f"{name}.attention.sum")
        kept = self._norm(f"{name}.attention.output.LayerNorm", kept)
        wide = self._dense([f"{name}.intermediate.dense"], kept, hidden, inner)
        wide = self._add_gelu(f"{name}.gelu", wide)
        narrow = self._dense([f"{name}.output.dense"], wide, inner, hidden)
        total = self._op("Add", [narrow, kept], f"{name}.sum")
        return self._norm(f"{name}.output.LayerNorm", total)

    def _add_attention(self, name: str, value: str) -> str:
        """Query, key and value in one product, then split: faster than three."""
        hidden = self._config.hidden_size
        parts = [f"{name}.{part}" for part in ("query", "key", "value")]
        together = self._dense(parts, value, hidden, hidden)
        split = [f"{part}.flat" for part in parts]
        self._op("Split", [together], *split, axis=-1)
        orders = ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3])
        for part, flat, order in zip(parts, split, orders, strict=True):
            shaped = self._op("Reshape", [flat, "to_heads"], f"{part}.shaped")
            self._op("Transpose", [shaped], f"{part}.heads", perm=order)
        query, key, values = (f"{part}.heads" for part in parts)
        raw = self._op("MatMul", [query, key], f"{name}.raw")
        scaled = self._op("Mul", [raw, "scale"], f"{name}.scaled")
        masked = self._op("Add", [scaled, "bias"], f"{name}.masked")
        weights = self._op("Softmax", [masked], f"{name}.weights", axis=-1)
        heads = self._op("MatMul", [weights, values], f"{name}.mixed")
        turned = self._op("Transpose", [heads], f"{name}.turned", perm=[0, 2, 1, 3])
        return self._op("Reshape", [turned, "from_heads"], f"{name}.flat")

    def _add_gelu(self, name: str, value: str) -> str:
        """Return x * (1 + erf(x / sqrt 2)) / 2, the exact form."""
        scaled = self._op("Mul", [value, "root_half"], f"{name}.scaled")
        erf = self._op("Erf", [scaled], f"{name}.erf")
        raised = self._op("Add", [erf, "unit"], f"{name}.raised")
        product = self._op("Mul", [value, raised], f"{name}.product")
        return self._op("Mul", [product, "half"], f"{name}.out")

    def _dense(self, names: Sequence[str], value: str, taken: int, given: int) -> str:
        """Add x W + b; of several layers of one form, their products side by side.

        Weights lie in the file as [out, in].
        """
        weights = [self._tensors.get(f"{name}.weight", given, taken) for name in names]
        biases = [self._tensors.get(f"{name}.bias", given) for name in names]
        self._constant(f"{names[0]}.weight", np.ascontiguousarray(np.concatenate(weights).T))
        self._constant(f"{names[0]}.bias", np.concatenate(biases))
        product = self._op("MatMul", [value, f"{names[0]}.weight"], f"{names[0]}.product")
        return self._op("Add", [product, f"{names[0]}.bias"], f"{names[0]}.out")

    def _norm(self, name: str, value: str) -> str:
        hidden = self._config.hidden_size
        for part in ("weight", "bias"):
            self._constant(f"{name}.{part}", self._tensors.get(f"{name}.{part}", hidden))
        taken = [value, f"{name}.weight", f"{name}.bias"]
        eps = self._config.layer_norm_eps
        return self._op("LayerNormalization", taken, f"{name}.out", axis=-1, epsilon=eps)

    def _constant(self, name: str, value: NDArray) -> None:
        from onnx import helper

        kind = helper.np_dtype_to_tensor_dtype(value.dtype)
        data = value.astype(value.dtype.newbyteorder("<"), copy=False).tobytes()
        self._graph.initializer.add(name=name, data_type=kind, dims=value.shape, raw_data=data)

    def _op(
        self,
        kind: str,
        taken: Sequence[str],
        *given: str,
        **attributes: Any,  # noqa: ANN401 - what make_node takes
    ) -> str:
        """Add an operation; return the name of its first output."""
        from onnx import helper

        node = helper.make_node(kind, taken, list(given), name=given[0], **attributes)
        self._graph.node.append(node)
        return given[0]
