"""Text seen in sampled frames, each line once, with the times of its first and last sighting.

Called by `component.py`. A caption stands in many frames and is read a little differently in some;
lines of neighbouring frames that are nearly alike are therefore one, as its best reading says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

import numpy as np

from filmcan.components.text.text_processor.ocr import Line
from filmcan.components.text.text_processor.tokens import clean_text, fold_word

if TYPE_CHECKING:
    from filmcan.media.frames import FrameSample, FrameStream

MAX_LINES = 4000
"""Distinct lines of one video; what comes after them is counted and not kept."""

SAME_LINE = 0.8
"""Neighbouring lines whose difflib ratio reaches this are one: a caption of ten letters may be
misread in two of them."""


@dataclass(slots=True)
class SeenLine:
    """A line over all frames that show it.

    Attributes:
        best: Its most confident reading.
        start_sec: Time of the first frame that shows it.
        end_sec: Time of the last one.
    """

    best: Line
    start_sec: float
    end_sec: float


class SeenText:
    """Grown frame by frame.

    Attributes:
        lines: Distinct lines in order of their first appearance.
        dropped: Sightings of lines beyond `MAX_LINES`.
    """

    def __init__(self) -> None:
        """Start with nothing seen."""
        self.lines: list[SeenLine] = []
        self.dropped = 0
        self._by_text: dict[str, SeenLine] = {}
        self._before: list[SeenLine] = []
        self._samples: list[tuple[int, float]] = []
        self._counts: list[int] = []
        self._scores: list[float] = []

    def __len__(self) -> int:
        """Count the frames looked at, decoded or not."""
        return len(self._samples)

    @property
    def decoded(self) -> int:
        """Number of frames that decoded."""
        return sum(count >= 0 for count in self._counts)

    def add(self, sample: FrameSample, found: Sequence[Line] | None) -> None:
        """Take what was read in the next frame; None: it did not decode."""
        self._samples.append((sample.index, sample.time_sec))
        if found is None:
            self._counts.append(-1)
            self._scores.append(np.nan)
            return
        cleaned = [Line(clean_text(line.text), line.score, line.box) for line in found]
        kept = [line for line in cleaned if line.text]
        self._counts.append(len(kept))
        self._scores.append(float(np.mean([line.score for line in kept])) if kept else np.nan)
        now = [self._sight(line, sample.time_sec) for line in kept]
        self._before = [line for line in now if line is not None]

    def build(self) -> dict[str, np.ndarray]:
        """Return the keys of the frames looked at and of the lines found."""
        present = np.array(self._counts, np.int32) >= 0
        return {
            "ocr_frame_indices": np.array([index for index, _ in self._samples], np.int32),
            "ocr_times_sec": np.array([time for _, time in self._samples], np.float32),
            "ocr_frame_present": present,
            "ocr_frame_line_count": np.array(self._counts, np.int32),
            "ocr_frame_score": np.array(self._scores, np.float32),
            "ocr_line_start_sec": np.array([line.start_sec for line in self.lines], np.float32),
            "ocr_line_end_sec": np.array([line.end_sec for line in self.lines], np.float32),
            "ocr_line_scores": np.array([line.best.score for line in self.lines], np.float32),
            "ocr_line_boxes": np.array([line.best.box for line in self.lines], np.float32).reshape(
                len(self.lines), 4
            ),
        }

    def _sight(self, line: Line, time_sec: float) -> SeenLine | None:
        folded = fold_word(line.text)
        known = self._by_text.get(folded) or self._find_alike(folded)
        if known is None:
            if len(self.lines) == MAX_LINES:
                self.dropped += 1
                return None
            known = SeenLine(line, time_sec, time_sec)
            self.lines.append(known)
        known.end_sec = time_sec
        if line.score > known.best.score:
            known.best = line
        self._by_text[folded] = known
        return known

    def _find_alike(self, folded: str) -> SeenLine | None:
        """Return the line of the frame before that this one most likely is."""
        best, ratio = None, SAME_LINE
        matcher = SequenceMatcher(autojunk=False)
        matcher.set_seq2(folded)
        for line in self._before:
            matcher.set_seq1(fold_word(line.best.text))
            if matcher.real_quick_ratio() < ratio or matcher.quick_ratio() < ratio:
                continue
            if (found := matcher.ratio()) >= ratio:
                best, ratio = line, found
        return best


def read_frames(
    frames: FrameStream, read: Callable[[np.ndarray], Sequence[Line]], min_score: float
) -> SeenText:
    """Read all frames of a stream.

    Args:
        frames: What was sampled.
        read: Picture -> its lines.
        min_score: Lines below this confidence are not there.
    """
    seen = SeenText()
    for sample in frames:
        if sample.image is None:
            seen.add(sample, None)
        else:
            found = [line for line in read(sample.image) if line.score >= min_score]
            seen.add(sample, found)
    return seen
