"""Who normalises a depth network's pictures is read from the network, in all common spellings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from filmcan.components.visual.core_depth_midas.normalization import find_normalization
from filmcan.errors import AssetError
from filmcan.testing.fixture_networks import MEAN, STD, build_depth_network

if TYPE_CHECKING:
    from onnx import NodeProto

MEANS, STDS = np.array(MEAN, np.float32), np.array(STD, np.float32)


def constant(name: str, values: np.ndarray) -> NodeProto:
    return helper.make_node("Constant", [], [name], value=numpy_helper.from_array(values, name))


def write(folder: Path, *nodes: NodeProto, normalises: bool = True) -> Path:
    path = folder / "model.onnx"
    path.write_bytes(build_depth_network(normalises=normalises, nodes_before=nodes))
    return path


def wide(values: np.ndarray) -> np.ndarray:
    return np.asarray(values, np.float32).reshape(1, 3, 1, 1)


def test_the_released_form_normalises_itself(tmp_path: Path) -> None:
    assert find_normalization(write(tmp_path), "test") == "graph"


def test_a_network_without_such_steps_leaves_it_to_us(tmp_path: Path) -> None:
    assert find_normalization(write(tmp_path, normalises=False), "test") == "host"


def test_constants_may_be_nodes_that_are_reshaped_on_the_way(tmp_path: Path) -> None:
    axes = constant("axes", np.array([0, 2, 3], np.int64))
    nodes = [
        constant("m", MEANS),
        axes,
        helper.make_node("Unsqueeze", ["m", "axes"], ["m4"]),
        helper.make_node("Identity", ["m4"], ["m5"]),
        helper.make_node("Sub", ["0", "m5"], ["centred"]),
        constant("s", STDS),
        helper.make_node("Unsqueeze", ["s", "axes"], ["s4"]),
        helper.make_node("Cast", ["s4"], ["s5"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["centred", "s5"], ["normal"]),
    ]
    assert find_normalization(write(tmp_path, *nodes), "test") == "graph"


def test_factors_and_sums_say_the_same(tmp_path: Path) -> None:
    nodes = [
        constant("scale", wide(1 / STDS)),
        constant("shift", wide(-MEANS / STDS)),
        helper.make_node("Mul", ["scale", "0"], ["scaled"]),
        helper.make_node("Add", ["scaled", "shift"], ["normal"]),
    ]
    assert find_normalization(write(tmp_path, *nodes), "test") == "graph"


def test_a_step_that_changes_nothing_is_passed(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Identity", ["0"], ["same"]),
        constant("one", np.array(1.0, np.float32)),
        helper.make_node("Mul", ["same", "one"], ["normal"]),
    ]
    assert find_normalization(write(tmp_path, *nodes), "test") == "host"


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("Div", np.array(255.0, np.float32)),
        ("Sub", wide(np.array([0.5, 0.5, 0.5]))),
        ("Sub", wide(MEANS)),
        ("Mul", wide(1 / STDS)),
    ],
)
def test_other_steps_are_refused_never_guessed(
    tmp_path: Path, kind: str, values: np.ndarray
) -> None:
    nodes = [constant("number", values), helper.make_node(kind, ["0", "number"], ["normal"])]
    with pytest.raises(AssetError, match="in an unknown way") as caught:
        find_normalization(write(tmp_path, *nodes), "fixture-own: model-small.onnx")
    assert caught.value.where == "fixture-own: model-small.onnx"


def test_an_input_with_two_readers_or_a_learned_step_ends_the_walk(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Sub", ["0", "0"], ["zero"]),
        helper.make_node("Add", ["0", "zero"], ["normal"]),
    ]
    assert find_normalization(write(tmp_path, *nodes), "test") == "host"
    many = constant("many", np.ones((1, 1, 16, 16), np.float32))
    nodes = [many, helper.make_node("Mul", ["0", "many"], ["normal"])]
    assert find_normalization(write(tmp_path, *nodes), "test") == "host"
    nodes = [constant("one", wide(STDS)), helper.make_node("Div", ["one", "0"], ["normal"])]
    assert find_normalization(write(tmp_path, *nodes), "test") == "host"


def test_a_network_with_two_inputs_is_refused(tmp_path: Path) -> None:
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1]) for n in ("a", "b")]
    graph = helper.make_graph([helper.make_node("Add", ["a", "b"], ["c"])], "made", values, [])
    path = tmp_path / "model.onnx"
    path.write_bytes(helper.make_model(graph).SerializeToString())
    with pytest.raises(AssetError, match="expected one input, got 2"):
        find_normalization(path, "test")
