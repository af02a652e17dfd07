"""Our YOLOX against a plain reading of its demo: same pictures and random head, same boxes.

The reference follows `demo/ONNXRuntime/onnx_inference.py` step by step, one row at a time, up to
the choice among overlapping boxes, in which we differ on purpose.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest

from filmcan.components.visual.core_object_detections.yolox import YoloxDetector
from filmcan.models.execution import Execution
from filmcan.models.onnx_network import NETWORKS
from filmcan.models.weights import Weights

torch = pytest.importorskip("torch", reason="needs the extra parity: run make parity")

SIDE = 416
STRIDES = (8, 16, 32)
MIN_SCORE = 0.3
TOLERANCE = 1e-4


class Head(torch.nn.Module):  # type: ignore[misc, name-defined]
    """What every YOLOX export ends in: boxes as they are, the rest as probabilities."""

    def __init__(self) -> None:
        super().__init__()
        self.mixes = torch.nn.ModuleList(torch.nn.Conv2d(3, 85, 1) for _ in STRIDES)

    def forward(self, pictures: Any) -> Any:
        levels = []
        for stride, mix in zip(STRIDES, self.mixes, strict=True):
            raw = mix(torch.nn.functional.avg_pool2d(pictures / 128 - 1, stride))
            rows = torch.cat([raw[:, :4], raw[:, 4:].sigmoid()], dim=1)
            levels.append(rows.flatten(start_dim=2))
        return torch.cat(levels, dim=2).permute(0, 2, 1)


@pytest.fixture
def head() -> Any:
    found = Head().eval()
    for mix in found.mixes:
        mix.weight.normal_(std=0.6)
        mix.bias.normal_(std=0.6)
    return found


def prepare(picture: np.ndarray) -> tuple[np.ndarray, float]:
    """The demo's `preproc`: float32[1, 3, side, side], BGR, and the ratio."""
    bgr = picture[:, :, ::-1]
    padded = np.ones((SIDE, SIDE, 3), dtype=np.uint8) * 114
    ratio = min(SIDE / bgr.shape[0], SIDE / bgr.shape[1])
    width, height = int(bgr.shape[1] * ratio), int(bgr.shape[0] * ratio)
    padded[:height, :width] = cv2.resize(
        np.ascontiguousarray(bgr), (width, height), interpolation=cv2.INTER_LINEAR
    )
    return padded.transpose(2, 0, 1)[None].astype(np.float32), ratio


def decode(rows: np.ndarray, ratio: float, size: tuple[int, int]) -> list[tuple[float, ...]]:
    """The demo's `demo_postprocess`: x1 y1 x2 y2 in fractions of the picture, score, class."""
    found = []
    number = 0
    width, height = size
    for stride in STRIDES:
        for y in range(SIDE // stride):
            for x in range(SIDE // stride):
                row = rows[number].astype(float)
                number += 1
                best = int(np.argmax(row[5:]))
                score = row[4] * row[5 + best]
                if score < MIN_SCORE:
                    continue
                centre_x, centre_y = (row[0] + x) * stride, (row[1] + y) * stride
                half_w, half_h = math.exp(row[2]) * stride / 2, math.exp(row[3]) * stride / 2
                corners = (
                    (centre_x - half_w) / ratio / width,
                    (centre_y - half_h) / ratio / height,
                    (centre_x + half_w) / ratio / width,
                    (centre_y + half_h) / ratio / height,
                )
                left, top, right, bottom = (min(max(corner, 0.0), 1.0) for corner in corners)
                if left < right and top < bottom:  # else it lies beside the picture
                    found.append((left, top, right, bottom, score, best))
    assert number == len(rows) == 3549
    return found


def test_boxes_scores_and_classes_are_the_references(
    head: Any,
    pictures: list[np.ndarray],
    export: Callable[..., bytes],
    install: Callable[..., Weights],
) -> None:
    content = export(head, torch.zeros(1, 3, SIDE, SIDE), ("images", "output"))
    weights = install({"yolox_tiny.onnx": content})
    network = NETWORKS.open(weights, "yolox_tiny.onnx", Execution())
    detector = YoloxDetector(network, min_score=MIN_SCORE, nms_iou=1.0, max_objects=10_000)
    for picture in pictures:
        pixels, ratio = prepare(picture)
        rows = head(torch.from_numpy(pixels))[0].numpy()
        expected = np.array(decode(rows, ratio, (picture.shape[1], picture.shape[0])))
        objects = detector.detect(picture)
        found = np.column_stack([objects.boxes, objects.scores, objects.class_ids])
        assert len(found) == len(expected) > 10
        # Equal scores may swap places: both are brought into one order.
        found, expected = (
            rows[np.lexsort(np.round(rows, 4).T[::-1])] for rows in (found, expected)
        )
        worst = np.abs(found - expected).max()
        print(f"yolox {picture.shape[:2]}: {len(found)} boxes, {worst:.1e}")  # noqa: T201
        assert worst < TOLERANCE
