"""Pictures cut out, turned and brought to the size a network takes.

Shared by the visual components that run networks; owns OpenCV's resampling and nothing else.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Region:
    """A turned rectangle in a picture.

    Attributes:
        center_x: Pixels from the left edge.
        center_y: Pixels from the top edge.
        width: Pixels along the rectangle's own x axis.
        height: Pixels along its own y axis.
        rotation_rad: From the picture's x axis to its own, positive from x towards y, that is
            clockwise on the screen.
    """

    center_x: float
    center_y: float
    width: float
    height: float
    rotation_rad: float = 0.0

    def project(self, places: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return where places of the region lie in the picture.

        Args:
            places: float64[..., 2], x y in fractions of the region's sides, 0 at its top left.

        Returns:
            float64[..., 2], x y in pixels of the picture.
        """
        (xx, yx, x0), (xy, yy, y0) = self._find_rows(1)
        projected = np.empty_like(places)
        projected[..., 0] = places[..., 0] * xx + places[..., 1] * yx + x0
        projected[..., 1] = places[..., 0] * xy + places[..., 1] * yy + y0
        return projected

    def build_matrix(self, size: int) -> NDArray[np.float64]:
        """Return the affine map from a square of `size` pixels, corner on corner, to the picture.

        Returns:
            float64[2, 3]; for a place x y of the square, the place in the picture is its product
            with x y 1.
        """
        return np.array(self._find_rows(size))

    def _find_rows(self, size: int) -> tuple[tuple[float, float, float], ...]:
        cosine, sine = math.cos(self.rotation_rad), math.sin(self.rotation_rad)
        across_x, across_y = cosine * self.width, sine * self.width
        down_x, down_y = -sine * self.height, cosine * self.height
        return (
            (across_x / size, down_x / size, self.center_x - (across_x + down_x) / 2),
            (across_y / size, down_y / size, self.center_y - (across_y + down_y) / 2),
        )


class PictureInput:
    """A network's picture, float32[1, size, size, 3], in memory that is used again each time.

    Fresh memory would cost more than the conversion: 0.36 ms against 0.08 for 192x192.
    """

    def __init__(self, size: int, *, divisor: float, offset: float = 0.0) -> None:
        """Settle the form.

        Args:
            size: Side in pixels.
            divisor: What the 8-bit values are divided by.
            offset: What is added then.
        """
        self._array = np.empty((1, size, size, 3), dtype=np.float32)
        self._divisor = np.float32(divisor)
        self._offset = np.float32(offset)

    def fill(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return a picture uint8[size, size, 3] as float32; valid until the next call."""
        np.divide(picture, self._divisor, out=self._array[0], dtype=np.float32)
        if self._offset:
            np.add(self._array, self._offset, out=self._array)
        return self._array


def cover_picture(picture: NDArray[np.uint8]) -> Region:
    """Return the region that is the whole picture."""
    height, width = picture.shape[:2]
    return Region(width / 2, height / 2, width, height)


def frame_square(picture: NDArray[np.uint8]) -> Region:
    """Return the smallest square around the whole picture, on its centre."""
    height, width = picture.shape[:2]
    side = max(width, height)
    return Region(width / 2, height / 2, side, side)


def warp_region(
    picture: NDArray[np.uint8], region: Region, size: int, *, repeat_edge: bool
) -> NDArray[np.uint8]:
    """Return a region of a picture as a square of `size` pixels.

    The region's corners go to the corners of the square, without the half pixel by which resizing
    differs; between pixels it is bilinear. The networks were trained behind exactly this step.
    Source: MediaPipe, `image_to_tensor_converter_opencv.cc`.

    Args:
        picture: uint8[h, w, c].
        region: What to cut out; it may reach beyond the picture.
        size: Side of the result in pixels.
        repeat_edge: Beyond the picture, True repeats its edge, False gives 0.

    Returns:
        uint8[size, size, c].
    """
    warped = cv2.warpAffine(
        picture,
        region.build_matrix(size),
        (size, size),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE if repeat_edge else cv2.BORDER_CONSTANT,
    )
    return np.asarray(warped, dtype=np.uint8)


def resize_bilinear(picture: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return the picture resized to (width, height), bilinear, pixel centres on pixel centres.

    Args:
        picture: uint8[h, w, c].
        size: (width, height) in pixels.

    Returns:
        uint8[height, width, c].
    """
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR), dtype=np.uint8)
