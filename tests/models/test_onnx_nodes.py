from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from filmcan.errors import AssetError
from filmcan.models.onnx_nodes import MAX_NUMBERS, find_precision, read_graph
from filmcan.testing.fixture_networks import build_depth_network


def write_model(
    path: Path, nodes: list[object], weights: list[object], inputs: tuple[str, ...] = ("x",)
) -> Path:
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [3]) for name in inputs]
    graph = helper.make_graph(nodes, "made", values, [values[0]], initializer=weights)
    path.write_bytes(helper.make_model(graph).SerializeToString())
    return path


def test_inputs_nodes_and_small_constants_are_read(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(build_depth_network())
    graph = read_graph(path, "test")
    assert graph.inputs == ("0",)
    assert [node.kind for node in graph.nodes] == ["Sub", "Div", "Conv", "Relu", "Squeeze"]
    assert graph.nodes[0].inputs == ("0", "mean")
    assert graph.nodes[1].outputs == ("normal",)
    assert graph.constants["mean"] == pytest.approx([0.485, 0.456, 0.406])
    assert "second" not in graph.constants  # whole numbers


@pytest.mark.parametrize(
    ("dtype", "is_raw"),
    [
        (np.float16, True),
        (np.float32, True),
        (np.float64, True),
        (np.float32, False),
        (np.float64, False),
    ],
)
def test_constants_are_read_in_every_way_they_are_written(
    tmp_path: Path, dtype: type, is_raw: bool
) -> None:
    values = np.array([0.5, -2.0, 1024.0], dtype)
    kind = helper.np_dtype_to_tensor_dtype(values.dtype)
    data = values.tobytes() if is_raw else values.tolist()
    weight = helper.make_tensor("weight", kind, [1, 3], data, raw=is_raw)
    node = helper.make_node("Constant", [], ["made"], value=weight)
    graph = read_graph(write_model(tmp_path / "model.onnx", [node], [weight]), "test")
    for name in ("weight", "made"):
        assert graph.constants[name].tolist() == [0.5, -2.0, 1024.0]


def test_large_tensors_are_passed_over_and_weights_are_no_inputs(tmp_path: Path) -> None:
    large = numpy_helper.from_array(np.ones(MAX_NUMBERS + 1, np.float32), "large")
    empty = numpy_helper.from_array(np.ones(0, np.float32), "none")
    path = write_model(tmp_path / "model.onnx", [], [large, empty], ("x", "large"))
    graph = read_graph(path, "test")
    assert graph.constants == {}
    assert graph.inputs == ("x",)


@pytest.mark.parametrize(
    ("kind", "dtype", "precision"),
    [
        ("MatMul", np.float32, "float32"),
        ("MatMul", np.float16, "float16"),
        ("MatMulInteger", np.int8, "int8"),
        ("DynamicQuantizeLinear", np.float32, "int8"),
    ],
)
def test_the_precision_is_that_of_the_weights_and_operations(
    tmp_path: Path, kind: str, dtype: type, precision: str
) -> None:
    weight = numpy_helper.from_array(np.ones((3, 3), dtype), "weight")
    node = helper.make_node(kind, ["x", "weight"], ["y"])
    path = write_model(tmp_path / "model.onnx", [node], [weight])
    assert find_precision(read_graph(path, "test")) == precision


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_a_file_that_was_cut_short_is_refused(tmp_path: Path, share: float) -> None:
    content = build_depth_network()
    path = tmp_path / "model.onnx"
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(AssetError, match="no ONNX file"):
        read_graph(path, "fixture-own: model.onnx")


@pytest.mark.parametrize("seed", range(20))
def test_noise_is_refused_or_read_but_never_crashes(tmp_path: Path, seed: int) -> None:
    content = bytearray(build_depth_network())
    for place in np.random.default_rng(seed).integers(0, len(content), 8):
        content[place] ^= 1 << (seed % 8)
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    try:
        graph = read_graph(path, "test")
    except AssetError as error:
        assert "no ONNX file" in error.message  # noqa: PT017 - either way is right
    else:
        assert len(graph.nodes) < 100
