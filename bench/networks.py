"""Networks as large and as dear as the real ones, with random weights, for machines without those.

What they compute means nothing. Parameters and operations are those of CLIP ViT-B/32, MiDaS v2.1
small, CLAP HTSAT and YOLOX-tiny within about a quarter, so that a component's own cost stands in
the right proportion to its network's, and memory is what the real files take.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from onnx import NodeProto, TensorProto, helper, numpy_helper

from filmcan.testing.fixture_networks import build_clip_tokenizer, write_catalog

CLIP, MIDAS, CLAP, YOLOX = "fixture-clip", "fixture-midas", "fixture-clap", "fixture-yolox"

_OPSET, _IR_VERSION = 17, 8
_COCO_COLUMNS = 85

_Input = tuple[str, Sequence[int | str], int]
"""Name, shape and element type."""


class _Graph:
    """Nodes and weights as they are added; each step takes and returns the name of a tensor."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.weights: list[TensorProto] = []
        self._random = np.random.default_rng(0)

    def add(self, kind: str, *taken: str, **attributes: Any) -> str:  # noqa: ANN401 - as onnx has it
        name = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(taken), [name], **attributes))
        return name

    def keep(self, array: np.ndarray) -> str:
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(array, name))
        return name

    def draw(self, *shape: int, inputs: int) -> str:
        scale = np.float32(1 / np.sqrt(inputs))
        return self.keep(self._random.standard_normal(shape, np.float32) * scale)

    def multiply(self, x: str, rows: int, columns: int) -> str:
        return self.add("MatMul", x, self.draw(rows, columns, inputs=rows))

    def convolve(self, x: str, channels: tuple[int, int], side: int, stride: int = 1) -> str:
        taken, given = channels
        kernel = self.draw(given, taken, side, side, inputs=taken * side * side)
        pad = [side // 2] * 4 if stride < side or stride == 1 else [0] * 4
        return self.add("Conv", x, kernel, strides=[stride, stride], pads=pad)

    def attend(self, x: str, width: int, depth: int) -> str:
        """Run transformer layers: one head, which costs what several do."""
        shrink = self.keep(np.array(width**-0.5, np.float32))
        for _ in range(depth):
            normal = self._normalise(x, width)
            query, key, value = (self.multiply(normal, width, width) for _ in range(3))
            scores = self.add("MatMul", query, self.add("Transpose", key, perm=[0, 2, 1]))
            shares = self.add("Softmax", self.add("Mul", scores, shrink), axis=-1)
            seen = self.multiply(self.add("MatMul", shares, value), width, width)
            x = self.add("Add", x, seen)
            inner = self.multiply(self._normalise(x, width), width, 4 * width)
            gate = self.add("Mul", inner, self.add("Sigmoid", inner))
            x = self.add("Add", x, self.multiply(gate, 4 * width, width))
        return x

    def build(self, result: str, taken: _Input,
              given: tuple[str, Sequence[int | str]]) -> bytes:  # fmt: skip
        self.nodes.append(helper.make_node("Identity", [result], [given[0]]))
        graph = helper.make_graph(
            self.nodes,
            "fixture",
            [helper.make_tensor_value_info(taken[0], taken[2], list(taken[1]))],
            [helper.make_tensor_value_info(given[0], TensorProto.FLOAT, list(given[1]))],
            initializer=self.weights,
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION
        )
        content: bytes = model.SerializeToString()
        return content

    def _normalise(self, x: str, width: int) -> str:
        return self.add("LayerNormalization", x, self.keep(np.ones(width, np.float32)))


def _read_patches(graph: _Graph, x: str, channels: tuple[int, int], side: int) -> str:
    patches = graph.convolve(x, channels, side, stride=side)
    flat = graph.add("Reshape", patches, graph.keep(np.array([0, channels[1], -1])))
    return graph.add("Transpose", flat, perm=[0, 2, 1])


def build_image_tower() -> bytes:
    """88 million parameters, 4.3 thousand million multiplications a picture."""
    graph = _Graph()
    x = graph.attend(_read_patches(graph, "pixel_values", (3, 768), 32), 768, 12)
    mean = graph.add("ReduceMean", x, axes=[1], keepdims=0)
    taken: _Input = ("pixel_values", ["n", 3, 224, 224], TensorProto.FLOAT)
    return graph.build(graph.multiply(mean, 768, 512), taken, ("image_embeds", ["n", 512]))


def build_text_tower() -> bytes:
    """63 million parameters."""
    graph = _Graph()
    table = graph.draw(49408, 512, inputs=1)
    x = graph.attend(graph.add("Gather", table, "input_ids"), 512, 12)
    mean = graph.add("ReduceMean", x, axes=[1], keepdims=0)
    taken: _Input = ("input_ids", ["n", "length"], TensorProto.INT64)
    return graph.build(graph.multiply(mean, 512, 512), taken, ("text_embeds", ["n", 512]))


def build_depth_network() -> bytes:
    """17 million parameters, 4 thousand million multiplications a picture."""
    graph = _Graph()
    mean = graph.keep(np.array([0.485, 0.456, 0.406], np.float32).reshape(1, 3, 1, 1))
    std = graph.keep(np.array([0.229, 0.224, 0.225], np.float32).reshape(1, 3, 1, 1))
    x = graph.add("Div", graph.add("Sub", "0", mean), std)
    x = graph.add("Relu", graph.convolve(x, (3, 64), 4, stride=4))
    for _ in range(12):
        x = graph.add("Relu", graph.convolve(x, (64, 64), 3))
    deep = graph.add("Relu", graph.convolve(x, (64, 512), 8, stride=8))
    for _ in range(6):
        deep = graph.add("Relu", graph.convolve(deep, (512, 512), 3))
    wide = graph.keep(np.array([1, 1, 8, 8], np.float32))
    up = graph.add("Resize", graph.convolve(deep, (512, 64), 1), "", wide, mode="nearest")
    x = graph.add("Add", x, up)
    for _ in range(12):
        x = graph.add("Relu", graph.convolve(x, (64, 64), 3))
    large = graph.keep(np.array([1, 1, 4, 4], np.float32))
    x = graph.add("Resize", graph.convolve(x, (64, 1), 1), "", large, mode="nearest")
    x = graph.add("Relu", graph.add("Squeeze", x, graph.keep(np.array([1]))))
    taken = ("0", [1, 3, 256, 256], TensorProto.FLOAT)
    return graph.build(x, taken, ("797", [1, 256, 256]))


def build_audio_tower() -> bytes:
    """29 million parameters, 7 thousand million multiplications a window."""
    graph = _Graph()
    x = graph.attend(_read_patches(graph, "input_features", (1, 768), 16), 768, 4)
    mean = graph.add("ReduceMean", x, axes=[1], keepdims=0)
    taken: _Input = ("input_features", ["n", 1, 1001, 64], TensorProto.FLOAT)
    return graph.build(graph.multiply(mean, 768, 512), taken, ("audio_embeds", ["n", 512]))


def build_yolox() -> bytes:
    """3 thousand million multiplications a picture; what it sees is below any threshold."""
    graph = _Graph()
    shrink = graph.keep(np.array(1 / 255, np.float32))
    x = graph.add("Relu", graph.convolve(graph.add("Mul", "images", shrink), (3, 64), 4, stride=4))
    for _ in range(7):
        x = graph.add("Relu", graph.convolve(x, (64, 64), 3))
    columns = _COCO_COLUMNS
    levels = []
    for stride in (2, 4, 8):
        level = graph.add("Sigmoid", graph.convolve(x, (64, columns), stride, stride=stride))
        flat = graph.add("Reshape", level, graph.keep(np.array([1, columns, -1])))
        levels.append(graph.add("Transpose", flat, perm=[0, 2, 1]))
    gain = np.ones((1, 1, columns), np.float32)
    gain[..., 4] = 0.1
    rows = graph.add("Mul", graph.add("Concat", *levels, axis=1), graph.keep(gain))
    return graph.build(
        rows, ("images", [1, 3, 416, 416], TensorProto.FLOAT), ("output", [1, 3549, columns])
    )


def write_networks(folder: Path) -> Path:
    """Write all networks and a catalog that offers them; return the catalog's path."""
    return write_catalog(
        folder,
        {
            CLIP: {
                "vision_model.onnx": build_image_tower(),
                "text_model.onnx": build_text_tower(),
                "tokenizer.json": build_clip_tokenizer(()).encode(),
            },
            MIDAS: {"model-small.onnx": build_depth_network()},
            CLAP: {"audio_model.onnx": build_audio_tower()},
            YOLOX: {"yolox_tiny.onnx": build_yolox()},
        },
    )
