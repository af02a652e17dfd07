"""The tempo of a whole sound and of its windows, from onset strength."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from filmcan.components.audio.tempo_extractor.onset_strength import FRAME_RATE_HZ
from filmcan.components.audio.tempo_extractor.periodicity import (
    QUIET_DB,
    TempoGrid,
    correlate,
    measure_confidence,
    refine_tempo,
    score_tempos,
)

MAX_CANDIDATES = 5
_LEAST_SCORE = 0.1
"""Candidates that score less than this share of the best are not worth a mention."""

_SAME_TEMPO = 0.02
_NEAR_OCTAVE = 0.03
_REFINE_SEC = 30.0
"""Length over which the tempo of the whole is refined: longer would blur where a band drifts."""

_JUMP_COST = 0.6
_JUMP_OCTAVES = 0.1
"""Price, in nats, of a window that departs from its neighbour by a tenth of an octave or more:
enough to hold the octave (scores of octaves differ by 0.2 to 0.5), too little to hide a change."""

_LEAST_RELATIVE_SCORE = 1e-3


@dataclass(frozen=True, slots=True)
class TempoAnalysis:
    """What was found, before it is judged.

    Attributes:
        candidates: (bpm, share of the best score), best first; empty when nothing repeats.
        confidence: Of the best candidate, 0 to 1; NaN when there is no onset at all.
        octave_score: Greatest score within 3 % of half or double the best, as a share of it.
        centres: float64[W], centre of each window in frames.
        windowed_bpm: float64[W], NaN where a window has no onset.
        windowed_confidence: float64[W], 0 to 1, NaN where a window has no onset.
    """

    candidates: tuple[tuple[float, float], ...]
    confidence: float
    octave_score: float
    centres: np.ndarray
    windowed_bpm: np.ndarray
    windowed_confidence: np.ndarray


@dataclass(frozen=True, slots=True)
class _Windows:
    """The windows in which anything is heard.

    Attributes:
        strength: float64[n], onset strength of the whole sound.
        starts: int64[W], first frame of each window.
        length: Frames per window.
        scores: float64[W,G], score of each tempo of the grid.
        grid: The tempos that were tried.
    """

    strength: np.ndarray
    starts: np.ndarray
    length: int
    scores: np.ndarray
    grid: TempoGrid

    def get_part(self, row: int) -> np.ndarray:
        start = self.starts[row]
        return self.strength[start : start + self.length]


def analyse_tempo(
    strength: np.ndarray, grid: TempoGrid, *, window_sec: float, hop_sec: float
) -> TempoAnalysis:
    """Return the tempo of a whole and of its windows.

    Args:
        strength: float64[n], onset strength without its local mean; none gives no window.
        grid: The tempos to try.
        window_sec: Length of a window; a shorter sound is one window.
        hop_sec: From one window to the next.
    """
    if not strength.size:
        nothing = np.zeros(0)
        return TempoAnalysis((), np.nan, 0.0, nothing, nothing, nothing)
    length = min(round(window_sec * FRAME_RATE_HZ), strength.size)
    starts = _place_windows(strength.size, length, max(round(hop_sec * FRAME_RATE_HZ), 1))
    centres = starts + length / 2.0
    heard = [
        number
        for number, start in enumerate(starts)
        if strength[start : start + length].std() >= QUIET_DB
    ]
    windowed_bpm = np.full(starts.size, np.nan)
    windowed_confidence = np.full(starts.size, np.nan)
    if not heard:
        return TempoAnalysis((), np.nan, 0.0, centres, windowed_bpm, windowed_confidence)
    windows = _Windows(strength, starts[heard], length, np.zeros((len(heard), grid.bpm.size)), grid)
    correlation = np.zeros(length)
    for row in range(len(heard)):
        own = correlate(windows.get_part(row))
        windows.scores[row] = score_tempos(windows.get_part(row), own, grid)
        correlation += own / len(heard)
    for row, place in enumerate(_follow(windows)):
        bpm = refine_tempo(windows.get_part(row), grid.bpm[place])
        # correlated a second time: hours of correlations would not fit, and it costs little
        confidence = measure_confidence(correlate(windows.get_part(row)), bpm)
        windowed_bpm[heard[row]] = bpm
        windowed_confidence[heard[row]] = confidence
    overall = windows.scores.mean(axis=0)
    candidates = _find_candidates(windows, overall)
    confidence = measure_confidence(correlation, candidates[0][0]) if candidates else 0.0
    return TempoAnalysis(
        candidates=candidates,
        confidence=confidence,
        octave_score=_find_octave_score(overall, grid),
        centres=centres,
        windowed_bpm=windowed_bpm,
        windowed_confidence=windowed_confidence,
    )


def _place_windows(count: int, length: int, hop: int) -> np.ndarray:
    """Return int64[W]: starts every hop, and one at the end when half a hop would be left out."""
    starts = np.arange(0, count - length + 1, hop)
    if count - length - starts[-1] > hop / 2:
        starts = np.append(starts, count - length)
    return starts


def _follow(windows: _Windows) -> Iterable[int]:
    """Return one place of the grid per window: high scores, few jumps (Viterbi's algorithm)."""
    bpm, scores = windows.grid.bpm, windows.scores
    best = np.maximum(scores.max(axis=1, keepdims=True), np.finfo(float).tiny)
    merits = np.log(np.maximum(scores / best, _LEAST_RELATIVE_SCORE))
    octaves = np.abs(np.log2(bpm[:, None] / bpm[None, :]))
    costs = _JUMP_COST * np.minimum(octaves / _JUMP_OCTAVES, 1.0)
    totals = merits[0]
    origins = []
    for merit in merits[1:]:
        reached = totals[:, None] - costs
        origins.append(reached.argmax(axis=0))
        totals = reached.max(axis=0) + merit
    path = [int(totals.argmax())]
    for origin in reversed(origins):
        path.append(int(origin[path[-1]]))
    return reversed(path)


def _find_candidates(windows: _Windows, overall: np.ndarray) -> tuple[tuple[float, float], ...]:
    """Return the peaks of the overall score, each refined where it scores best."""
    padded = np.concatenate([[0.0], overall, [0.0]])
    is_peak = (overall > padded[:-2]) & (overall >= padded[2:])
    best = overall.max()
    worthy = np.flatnonzero(is_peak & (overall >= _LEAST_SCORE * best) & (overall > 0))
    found: list[tuple[float, float]] = []
    for place in worthy[np.argsort(-overall[worthy], kind="stable")]:
        bpm = refine_tempo(_choose_part(windows, place), windows.grid.bpm[place])
        if all(abs(bpm / other - 1.0) > _SAME_TEMPO for other, _ in found):
            found.append((bpm, float(overall[place] / best)))
        if len(found) == MAX_CANDIDATES:
            break
    return tuple(found)


def _choose_part(windows: _Windows, place: int) -> np.ndarray:
    """Return the 30 s in which one tempo scores best, or everything when there is less."""
    strength, starts = windows.strength, windows.starts
    span = max(round(_REFINE_SEC * FRAME_RATE_HZ), windows.length)
    if strength.size <= span:
        return strength
    sums = np.concatenate([[0.0], np.cumsum(windows.scores[:, place])])
    ends = np.searchsorted(starts, starts + span - windows.length, side="right")
    first = int(np.argmax(sums[ends] - sums[: starts.size]))
    start = min(int(starts[first]), strength.size - span)
    return strength[start : start + span]


def _find_octave_score(overall: np.ndarray, grid: TempoGrid) -> float:
    best = int(overall.argmax())
    if overall[best] <= 0:
        return 0.0
    ratios = grid.bpm / grid.bpm[best]
    is_double = np.abs(ratios / 2.0 - 1.0) < _NEAR_OCTAVE
    is_half = np.abs(ratios * 2.0 - 1.0) < _NEAR_OCTAVE
    near = is_double | is_half
    return float(overall[near].max(initial=0.0) / overall[best])
