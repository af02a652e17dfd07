"""Networks opened once, on the device there is, with the threads they are given."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from filmcan.errors import AssetError, MissingExtraError
from filmcan.models import onnx_network
from filmcan.models.execution import Execution
from filmcan.models.onnx_network import NETWORKS, OnnxNetwork, OnnxNetworks
from filmcan.models.tflite_network import TfliteNetwork, TfliteNetworks
from filmcan.models.weights import Weights
from filmcan.testing.fixture_networks import build_depth_network

FILE = "model-small.onnx"
CPU, CUDA, COREML = "CPUExecutionProvider", "CUDAExecutionProvider", "CoreMLExecutionProvider"


@pytest.fixture
def weights(tmp_path: Path) -> Weights:
    content = build_depth_network()
    path = tmp_path / FILE
    path.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    return Weights("fixture-depth", "7", "CC0-1.0", {FILE: path}, {FILE: digest})


class FakeSession:
    """What onnxruntime gives, on a machine with other devices; keeps how it was opened."""

    opened: list[FakeSession]
    refused: frozenset[str]

    def __init__(self, graph: object, options: Any, providers: Sequence[str]) -> None:
        self.graph, self.options = graph, options
        self._providers = [name for name in providers if name not in self.refused]
        self.opened.append(self)

    def get_providers(self) -> list[str]:
        return self._providers

    def get_inputs(self) -> list[object]:
        return []

    def get_outputs(self) -> list[object]:
        return []


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[FakeSession]]:
    """Pretend to have CUDA and CoreML."""

    class Session(FakeSession):
        opened: list[FakeSession] = []  # noqa: RUF012 - of this test alone
        refused: frozenset[str] = frozenset()

    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CUDA, COREML, CPU])
    return Session


def open_on(weights: Weights, device: str, threads: int = 1) -> OnnxNetwork:
    return OnnxNetworks().open(weights, FILE, Execution(device=device, threads=threads))


@pytest.mark.parametrize(
    ("device", "used", "engine"),
    [
        ("auto", "cuda", CUDA),
        ("cuda", "cuda", CUDA),
        ("cpu", "cpu", CPU),
        ("coreml", "coreml", COREML),
    ],
)
@pytest.mark.usefixtures("machine")
def test_c3_the_device_that_ran_is_recorded(
    weights: Weights, device: str, used: str, engine: str
) -> None:
    network = open_on(weights, device)
    assert (network.used.device, network.used.engine, network.notes) == (used, engine, ())
    assert network.used.model_name == "fixture-depth"
    assert network.used.model_version == "7"
    assert network.used.weights_digest == f"sha256:{weights.digests[FILE]}"
    assert network.used.runtime == f"onnxruntime {onnxruntime.__version__}"


def test_c3_a_device_that_refuses_is_replaced_by_the_cpu_and_told(
    weights: Weights, machine: type[FakeSession]
) -> None:
    machine.refused = frozenset({CUDA})
    network = open_on(weights, "cuda")
    assert (network.used.device, network.used.engine) == ("cpu", CPU)
    assert network.notes == ("fixture-depth: cuda refused; it ran on the CPU.",)


@pytest.mark.parametrize("device", ["cuda", "openvino", "toaster"])
def test_c3_a_device_that_is_not_here_is_replaced_by_the_cpu_and_told(
    weights: Weights, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CPU])
    network = open_on(weights, device)
    assert (network.used.device, network.used.engine) == ("cpu", CPU)
    assert network.notes == (f"{device} is not available here; the CPU was used.",)
    assert open_on(weights, "auto").notes == (), "auto asks for nothing in particular"


def test_a_session_has_the_threads_it_is_given_and_never_spins(
    weights: Weights, machine: type[FakeSession]
) -> None:
    open_on(weights, "cpu", threads=3)
    (session,) = machine.opened
    assert session.options.intra_op_num_threads == 3
    assert session.options.inter_op_num_threads == 1
    assert session.options.get_session_config_entry("session.intra_op.allow_spinning") == "0"


def test_a_network_is_opened_once_whoever_asks(
    weights: Weights, machine: type[FakeSession]
) -> None:
    networks = OnnxNetworks()

    def ask(_: int) -> OnnxNetwork:
        return networks.open(weights, FILE, Execution())

    with ThreadPoolExecutor(8) as pool:
        found = set(map(id, pool.map(ask, range(32))))
    assert len(found) == len(machine.opened) == 1
    networks.open(weights, FILE, Execution(threads=2))
    assert len(machine.opened) == 2
    networks.close(weights, FILE, Execution())
    networks.close(weights, FILE, Execution())
    ask(0)
    assert len(machine.opened) == 3


def test_a_graph_can_be_built_from_the_file(weights: Weights, machine: type[FakeSession]) -> None:
    OnnxNetworks().open(weights, FILE, Execution(), build=lambda path: path.read_bytes()[:4])
    (session,) = machine.opened
    assert session.graph == weights.files[FILE].read_bytes()[:4]


def test_a_real_session_gives_the_wanted_outputs_by_name(weights: Weights) -> None:
    network = open_on(weights, "cpu")
    assert [(item.name, item.shape) for item in network.inputs] == [("0", (1, 3, 256, 256))]
    found = network.run({"0": np.ones((1, 3, 256, 256), np.float32)})
    assert set(found) == {"797"}
    assert found["797"] == pytest.approx(1000, abs=1)
    assert set(network.run({"0": np.ones((1, 3, 256, 256), np.float32)}, ["797"])) == {"797"}


def test_a_file_that_is_no_network_is_refused_with_what_to_do(weights: Weights) -> None:
    weights.files[FILE].write_bytes(b"no network")
    with pytest.raises(AssetError, match="cannot open it") as caught:
        open_on(weights, "cpu")
    assert caught.value.hint == "Check the file: filmcan models verify fixture-depth"


def test_without_onnxruntime_the_command_is_named(
    weights: Weights, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_network, "find_missing_onnxruntime", lambda: "Run: pip install x")
    with pytest.raises(MissingExtraError, match="pip install x"):
        open_on(weights, "cpu")
    assert isinstance(NETWORKS, OnnxNetworks)


@pytest.mark.registry
@pytest.mark.parametrize(("device", "is_told"), [("auto", False), ("cpu", False), ("cuda", True)])
def test_c3_litert_runs_on_the_cpu_and_tells_when_another_device_was_asked_for(
    model_cache: Any, device: str, is_told: bool
) -> None:
    face = model_cache("mediapipe_face")
    network = TfliteNetwork(face, "face_landmark.tflite", Execution(device=device))
    assert (network.used.device, network.used.engine) == ("cpu", "xnnpack")
    assert network.used.weights_digest == f"sha256:{face.digests['face_landmark.tflite']}"
    assert bool(network.notes) == is_told
    assert all(device in note for note in network.notes)


@pytest.mark.registry
def test_a_file_that_litert_cannot_open_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "a.tflite"
    path.write_bytes(b"no network at all")
    weights = Weights("fixture-face", "0", "CC0-1.0", {"a.tflite": path}, {"a.tflite": "0" * 64})
    with pytest.raises(AssetError, match="LiteRT cannot open it"):
        TfliteNetwork(weights, "a.tflite", Execution())


@pytest.mark.registry
def test_a_litert_network_is_lent_to_one_at_a_time_and_opened_no_more_often(
    model_cache: Any,
) -> None:
    face, file = model_cache("mediapipe_face"), "face_landmark.tflite"
    networks = TfliteNetworks()
    with networks.borrow(face, file, Execution()) as first:
        with networks.borrow(face, file, Execution()) as second:
            assert second is not first
        with networks.borrow(face, file, Execution()) as again:
            assert again is second
        with networks.borrow(face, file, Execution(threads=2)) as other:
            assert other not in (first, second)
    with pytest.raises(ZeroDivisionError), networks.borrow(face, file, Execution()) as failed:
        _ = 1 / 0
    with networks.borrow(face, file, Execution()) as next_one:
        assert next_one is not failed, "who knows what state it is in"
