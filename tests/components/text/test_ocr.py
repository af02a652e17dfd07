"""Text in pictures, by the real networks: they come with the package, so nothing is fetched."""

from __future__ import annotations

import socket
from pathlib import Path

import cv2
import numpy as np
import pytest

from filmcan.components.text.text_processor import ocr
from filmcan.components.text.text_processor.ocr import (
    DETECTION,
    MODEL,
    RECOGNITION,
    find_missing_ocr,
    open_reader,
)
from filmcan.errors import NotFoundError
from filmcan.models.catalog import load_catalog
from filmcan.models.execution import Execution

pytest.importorskip("rapidocr")


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("OCR reached for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def paint(*lines: tuple[str, int, tuple[int, int, int]]) -> np.ndarray:
    """Return a picture with lines of text at given heights, RGB."""
    picture = np.full((240, 320, 3), 40, np.uint8)
    for text, top, colour in lines:
        cv2.putText(picture, text, (20, top), cv2.FONT_HERSHEY_SIMPLEX, 1.0, colour, 2)
    return picture


def test_known_words_are_read_from_top_to_bottom_where_they_stand() -> None:
    picture = paint(("Subscribe 2024", 180, (255, 220, 0)), ("HELLO FILMCAN", 70, (255,) * 3))
    first, second = open_reader(Execution()).read(picture)
    assert (first.text, second.text) == ("HELLO FILMCAN", "Subscribe 2024")
    assert min(first.score, second.score) > 0.9
    size, _ = cv2.getTextSize("HELLO FILMCAN", cv2.FONT_HERSHEY_SIMPLEX, 1.0, 2)
    left, top, right, bottom = first.box
    assert left * 320 == pytest.approx(20, abs=12)
    assert right * 320 == pytest.approx(20 + size[0], abs=12)
    assert top * 240 == pytest.approx(70 - size[1], abs=12)
    assert bottom * 240 == pytest.approx(70, abs=12)


def test_the_reader_is_given_the_channels_in_the_networks_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Red and blue exchanged still read well: only the tensor betrays it."""
    reader = open_reader(Execution())
    given: list[np.ndarray] = []

    class Nothing:
        txts = boxes = scores = None

    monkeypatch.setattr(reader, "_engine", lambda picture: given.append(picture) or Nothing())
    assert reader.read(np.array([[[1, 2, 3]]], np.uint8)) == ()
    assert given[0].tolist() == [[[3, 2, 1]]]
    assert given[0].flags.c_contiguous


def test_a_thin_strip_is_read_where_it_stands() -> None:
    strip = np.full((40, 480, 3), 40, np.uint8)
    cv2.putText(strip, "BREAKING NEWS", (20, 30), cv2.FONT_HERSHEY_SIMPLEX, 0.9, (255,) * 3, 2)
    [line] = open_reader(Execution()).read(strip)
    assert line.text == "BREAKING NEWS"
    assert line.box[3] > 0.6  # of the strip, not of what was put below it


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((96, 96, 3), np.uint8),
        np.full((2, 3, 3), 200, np.uint8),
        np.zeros((1, 5000, 3), np.uint8),  # a strip that would be enlarged to 3.7 million pixels
    ],
)
def test_c6_a_picture_without_text_gives_no_line(picture: np.ndarray) -> None:
    assert list(open_reader(Execution()).read(picture)) == []


def test_the_same_picture_gives_the_same_lines() -> None:
    picture = paint(("Once more", 100, (255,) * 3))
    reader = open_reader(Execution())
    assert reader.read(picture) == reader.read(picture)
    assert open_reader(Execution()) is reader


def test_the_weights_are_those_of_the_catalog_and_stand_in_models_used() -> None:
    digests = {f"sha256:{file.sha256}" for file in load_catalog().get(MODEL).files}
    used = open_reader(Execution()).used
    assert {row.weights_digest for row in used} == digests
    assert {row.model_name for row in used} == {MODEL}
    assert all(row.engine.startswith("rapidocr ") for row in used)


def test_weights_that_differ_from_the_catalogs_are_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ocr, "_hash", lambda file: "0" * 64 if file.name == RECOGNITION else None)
    assert str(find_missing_ocr()).endswith(f"Run: filmcan models pull {MODEL}")
    with pytest.raises(NotFoundError, match="not in the model cache"):
        open_reader(Execution())


def test_without_the_package_the_command_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_missing_ocr() is None
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert find_missing_ocr() == 'rapidocr is not installed. Run: pip install "filmcan[ocr]"'


def test_a_file_of_the_package_is_hashed_and_a_missing_one_is_none(tmp_path: Path) -> None:
    assert ocr._hash(tmp_path / DETECTION) is None
    (tmp_path / RECOGNITION).write_bytes(b"")
    assert str(ocr._hash(tmp_path / RECOGNITION)).startswith("e3b0c442")
