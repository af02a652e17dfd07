"""Small networks with the documented inputs and outputs, and a catalog that offers them.

They stand in for weights that a machine does not have, so that a component can be run end to end.
What they compute is simple enough to be known beforehand, and means nothing: every asset is named
`fixture-...`, and a run that used one says so in `models_used`. Needs the package onnx.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

import numpy as np

from filmcan.models.cache import CACHE_VARIABLE, Cache
from filmcan.models.catalog import CATALOG_VARIABLE, FIXTURE_PREFIX, load_catalog
from filmcan.models.fetch import fetch
from filmcan.models.weights import FIXTURES_VARIABLE

if TYPE_CHECKING:
    from onnx import NodeProto, ValueInfoProto

CLIP = "fixture-clip"
MIDAS = "fixture-midas"
CLAP = "fixture-clap"

EMBEDDING_SIZE = 512
START_ID, END_ID = 49406, 49407

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
DEPTH_GAIN = 1000.0

_OPSET = 17
_IR_VERSION = 8


def write_fixture_models(
    folder: Path, more: Mapping[str, Mapping[str, bytes]] | None = None
) -> Path:
    """Write networks with their catalog; return the catalog's path.

    The catalog works once `FILMCAN_CATALOG` names it.

    Args:
        folder: Where to write.
        more: Further assets, as `write_catalog` takes them.
    """
    folder.mkdir(parents=True, exist_ok=True)
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
            **(more or {}),
        },
    )


def write_catalog(folder: Path, assets: Mapping[str, Mapping[str, bytes]]) -> Path:
    """Write files and a catalog that offers them; return the catalog's path.

    Args:
        folder: Where to write.
        assets: Name -> file path inside the asset -> its bytes.
    """
    lines = ["catalog_version = 1"]
    for name, files in assets.items():
        lines += [
            "[[asset]]",
            f'name = "{name}"',
            'kind = "model"\nversion = "0"\nlicense = "CC0-1.0"\nlicense_url = "none"',
            'description = "a made network for testing"',
        ]
        for path, content in files.items():
            (folder / name).mkdir(exist_ok=True)
            (folder / name / path).write_bytes(content)
            lines += [
                "[[asset.files]]",
                f'path = "{path}"\nsize_bytes = {len(content)}',
                f'sha256 = "{hashlib.sha256(content).hexdigest()}"',
                f'[[asset.files.sources]]\nkind = "local"\npath = "{name}/{path}"',
            ]
    catalog = folder / "catalog.toml"
    catalog.write_text("\n".join(lines) + "\n")
    return catalog


@contextmanager
def borrowed_models(folder: Path, catalog: Path, real: Iterable[str]) -> Iterator[None]:
    """Offer a catalog of fixture networks beside real assets, in a cache of its own.

    For tools that make test data or measure, which pytest does not run. Real assets are fetched
    into the user's cache and linked from there; fixture networks never come into it.

    Args:
        folder: For the cache.
        catalog: As `write_catalog` returns it.
        real: Names of the assets that are needed besides.
    """
    cache = Cache(folder)
    for asset in map(load_catalog().get, real):
        for file, path in zip(asset.files, fetch(asset).values(), strict=True):
            link = cache.path(file)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(path)
    made = [asset.name for asset in load_catalog(catalog) if asset.name.startswith(FIXTURE_PREFIX)]
    variables = {
        CATALOG_VARIABLE: str(catalog), CACHE_VARIABLE: str(folder), FIXTURES_VARIABLE: "1",
    }  # fmt: skip
    with mock.patch.dict(os.environ, variables):
        pull(made)
        yield


def pull(names: Iterable[str]) -> None:
    """Bring assets of the catalog in force into the cache in force."""
    for name in names:
        fetch(load_catalog().get(name))


def build_image_tower(*, batch: int | None = None, seed: int = 1) -> bytes:
    """CLIP's image tower: the means of 7x7 fields of each channel, mixed by a random matrix."""
    from onnx import helper

    nodes = [
        helper.make_node(
            "AveragePool", ["pixel_values"], ["fields"], kernel_shape=[32, 32], strides=[32, 32]
        ),
        helper.make_node("Flatten", ["fields"], ["flat"], axis=1),
        helper.make_node("MatMul", ["flat", "mix"], ["image_embeds"]),
    ]
    axis = batch if batch is not None else "batch"
    return build_model(
        nodes,
        describe_tensor("pixel_values", [axis, 3, 224, 224]),
        describe_tensor("image_embeds", [axis, EMBEDDING_SIZE]),
        {"mix": build_mix(147, seed)},
    )


def build_text_tower(*, length: int | None = None) -> bytes:
    """CLIP's text tower: the row of the id at the first end token plus the mean row before it.

    Like the real one it pools at the first greatest id and never looks beyond it, so that
    padding after the end does not matter.
    """
    from onnx import TensorProto, helper

    nodes = [
        helper.make_node("ArgMax", ["input_ids"], ["end"], axis=1, keepdims=1),
        helper.make_node("Shape", ["input_ids"], ["shape"]),
        helper.make_node("Gather", ["shape", "one"], ["length"]),
        helper.make_node("Range", ["zero", "length", "one"], ["places"]),
        helper.make_node("LessOrEqual", ["places", "end"], ["seen"]),
        helper.make_node("Cast", ["seen"], ["weights"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["weights", "last"], ["wide"]),
        helper.make_node("Mod", ["input_ids", "rows"], ["small"]),
        helper.make_node("Gather", ["table", "small"], ["vectors"]),
        helper.make_node("Mul", ["vectors", "wide"], ["kept"]),
        helper.make_node("ReduceSum", ["kept", "second"], ["sum"], keepdims=0),
        helper.make_node("ReduceSum", ["weights", "second"], ["count"], keepdims=1),
        helper.make_node("Div", ["sum", "count"], ["text_embeds"]),
    ]
    constants = {
        "zero": np.array(0),
        "one": np.array(1),
        "second": np.array([1]),
        "last": np.array([2]),
        "rows": np.array(997),
        "table": build_mix(997, 2),
    }
    axis = length if length is not None else "length"
    return build_model(
        nodes,
        describe_tensor("input_ids", ["batch", axis], "int64"),
        describe_tensor("text_embeds", ["batch", EMBEDDING_SIZE]),
        constants,
    )


def build_depth_network(
    *,
    normalises: bool = True,
    gain: float = DEPTH_GAIN,
    nodes_before: Sequence[NodeProto] = (),
) -> bytes:
    """MiDaS v2.1 small: the mean of the channels in 0..1 times `gain`, never negative.

    Args:
        normalises: True for the released file, which normalises its input itself; False for one
            that takes normalised pictures.
        gain: The depth of white.
        nodes_before: Other first steps instead; they make `normal` of `0`.
    """
    from onnx import helper

    nodes = list(nodes_before)
    if not nodes and normalises:
        nodes = [
            helper.make_node("Sub", ["0", "mean"], ["centred"]),
            helper.make_node("Div", ["centred", "std"], ["normal"]),
        ]
    start = "normal" if nodes else "0"
    nodes += [
        helper.make_node("Conv", [start, "kernel", "bias"], ["mixed"]),
        helper.make_node("Relu", ["mixed"], ["positive"]),
        helper.make_node("Squeeze", ["positive", "second"], ["797"]),
    ]
    mean, std = np.array(MEAN, np.float32), np.array(STD, np.float32)
    constants = {
        "mean": mean.reshape(1, 3, 1, 1),
        "std": std.reshape(1, 3, 1, 1),
        "kernel": (std * gain / 3).reshape(1, 3, 1, 1).astype(np.float32),
        "bias": np.array([mean.sum() * gain / 3], np.float32),
        "second": np.array([1]),
    }
    return build_model(
        nodes,
        describe_tensor("0", [1, 3, 256, 256]),
        describe_tensor("797", [1, 256, 256]),
        constants,
    )


def build_audio_tower() -> bytes:
    """CLAP's audio tower: the mean level of each mel band, mixed by a random matrix."""
    from onnx import helper

    nodes = [
        helper.make_node("ReduceMean", ["input_features"], ["bands"], axes=[1, 2], keepdims=0),
        helper.make_node("MatMul", ["bands", "mix"], ["audio_embeds"]),
    ]
    return build_model(
        nodes,
        describe_tensor("input_features", ["batch", 1, 1001, 64]),
        describe_tensor("audio_embeds", ["batch", EMBEDDING_SIZE]),
        {"mix": build_mix(64, 3)},
    )


def build_mix(rows: int, seed: int) -> np.ndarray:
    """Return the random matrix of a fixture network: float32[rows, 512]."""
    return np.random.default_rng(seed).standard_normal((rows, EMBEDDING_SIZE), np.float32)


def build_clip_tokenizer(merges: Sequence[tuple[str, str]]) -> str:
    """Return the text of a `tokenizer.json` of CLIP's form with the given byte pairs.

    Args:
        merges: In order of rank. With the 48894 of openai's vocabulary it is CLIP's tokenizer.
    """
    vocabulary = {token: index for index, token in enumerate(_build_tokens(merges))}
    vocabulary |= {"<|startoftext|>": START_ID, "<|endoftext|>": END_ID}
    pattern = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
    document = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            describe_token("<|startoftext|>", START_ID),
            describe_token("<|endoftext|>", END_ID),
        ],
        "normalizer": {
            "type": "Sequence",
            "normalizers": [
                {"type": "NFC"},
                {"type": "Replace", "pattern": {"Regex": r"\s+"}, "content": " "},
                {"type": "Lowercase"},
            ],
        },
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [
                {
                    "type": "Split",
                    "pattern": {"Regex": pattern},
                    "behavior": "Removed",
                    "invert": True,
                },
                {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True},
            ],
        },
        "post_processor": {
            "type": "RobertaProcessing",
            "sep": ["<|endoftext|>", END_ID],
            "cls": ["<|startoftext|>", START_ID],
            "trim_offsets": False,
            "add_prefix_space": False,
        },
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": "<|endoftext|>",
            "continuing_subword_prefix": "",
            "end_of_word_suffix": "</w>",
            "fuse_unk": False,
            "vocab": vocabulary,
            "merges": [" ".join(pair) for pair in merges],
        },
    }
    return json.dumps(document, ensure_ascii=False)


def _build_tokens(merges: Sequence[tuple[str, str]]) -> list[str]:
    """Return the tokens of openai's vocabulary in order: bytes, bytes that end a word, pairs."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    letters = [chr(byte) for byte in printable] + [chr(256 + n) for n in range(len(others))]
    return letters + [f"{letter}</w>" for letter in letters] + ["".join(pair) for pair in merges]


def describe_token(token: str, index: int) -> dict[str, object]:
    """Return how a `tokenizer.json` lists a special token."""
    plain = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    return {"id": index, "special": True, "content": token, **plain}


def describe_tensor(name: str, shape: Sequence[int | str], kind: str = "float") -> ValueInfoProto:
    """Return how a graph lists an input or output."""
    from onnx import TensorProto, helper

    element = TensorProto.INT64 if kind == "int64" else TensorProto.FLOAT
    return helper.make_tensor_value_info(name, element, list(shape))


def build_model(
    nodes: Sequence[NodeProto],
    taken: ValueInfoProto | Sequence[ValueInfoProto],
    given: ValueInfoProto,
    constants: Mapping[str, np.ndarray],
) -> bytes:
    """Return a checked graph as an ONNX file."""
    from onnx import checker, helper, numpy_helper

    weights = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    inputs = list(taken) if isinstance(taken, Sequence) else [taken]
    graph = helper.make_graph(list(nodes), "fixture", inputs, [given], initializer=weights)
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION
    )
    checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content
