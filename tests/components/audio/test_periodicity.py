"""Autocorrelation, scores, confidence and refinement on made onset strength."""

from __future__ import annotations

import numpy as np
import pytest

from filmcan.components.audio.tempo_extractor.onset_strength import FRAME_RATE_HZ
from filmcan.components.audio.tempo_extractor.periodicity import (
    TempoGrid,
    correlate,
    measure_confidence,
    refine_tempo,
    score_tempos,
)

GRID = TempoGrid.build(30.0, 320.0, prior_bpm=120.0, prior_octaves=1.0)


def make_pulses(bpm: float, seconds: float = 12.0, offset_sec: float = 0.2) -> np.ndarray:
    """Return onset strength with a bump of 10 dB, 25 ms wide, at every beat."""
    times = np.arange(round(seconds * FRAME_RATE_HZ)) / FRAME_RATE_HZ
    beats = np.arange(offset_sec, seconds, 60.0 / bpm)
    bumps = 10.0 * np.exp(-0.5 * ((times[:, None] - beats) / 0.01) ** 2).sum(axis=1)
    return np.asarray(bumps - bumps.mean())


@pytest.mark.parametrize("bpm", [60.0, 97.3, 120.0, 200.0])
def test_a_perfect_repetition_correlates_fully_after_every_period(bpm: float) -> None:
    correlation = correlate(make_pulses(bpm))
    period = 60.0 / bpm * FRAME_RATE_HZ
    for beats in range(1, 5):
        place = round(beats * period)
        assert correlation[place - 1 : place + 2].max() == pytest.approx(1.0, abs=0.06)
    assert correlation[0] == pytest.approx(1.0, abs=0.01)
    assert np.abs(correlation).max() <= 1.0 + 1e-9


def test_a_ripple_too_faint_to_hear_does_not_correlate() -> None:
    assert np.abs(correlate(0.0005 * make_pulses(120.0))).max() < 0.02


@pytest.mark.parametrize("bpm", [45.0, 60.0, 97.3, 120.0, 151.0, 200.0])
def test_plain_pulses_score_highest_at_their_own_tempo(bpm: float) -> None:
    pulses = make_pulses(bpm)
    scores = score_tempos(pulses, correlate(pulses), GRID)
    assert GRID.bpm[scores.argmax()] == pytest.approx(bpm, rel=0.01)


@pytest.mark.parametrize("error", [-0.025, -0.011, 0.004, 0.025])
@pytest.mark.parametrize("bpm", [66.6, 123.4, 181.8])
def test_refinement_finds_the_tempo_from_up_to_2_5_percent_away(bpm: float, error: float) -> None:
    assert refine_tempo(make_pulses(bpm), bpm * (1.0 + error)) == pytest.approx(bpm, rel=0.001)


def test_confidence_counts_a_period_that_does_not_fit_as_nothing() -> None:
    assert measure_confidence(correlate(make_pulses(120.0)), 120.0) > 0.95
    short = correlate(make_pulses(60.0, seconds=3.0))
    assert 0.4 < measure_confidence(short, 60.0) <= 0.55


def test_chance_has_little_confidence() -> None:
    noise = np.random.default_rng(3).standard_normal((20, 2067))
    for row in noise:
        correlation = correlate(row)
        best = GRID.bpm[score_tempos(row, correlation, GRID).argmax()]
        assert measure_confidence(correlation, best) < 0.12


def test_the_grid_holds_both_ends_and_prefers_its_centre() -> None:
    assert GRID.bpm[0] == pytest.approx(30.0)
    assert GRID.bpm[-1] == pytest.approx(320.0)
    assert (np.diff(np.log2(GRID.bpm)) <= 1 / 96 + 1e-9).all()
    assert GRID.bpm[GRID.preference.argmax()] == pytest.approx(120.0, rel=0.01)
    an_octave_up = np.abs(GRID.bpm - 240.0).argmin()
    assert GRID.preference[an_octave_up] == pytest.approx(np.exp(-0.5), rel=0.02)
