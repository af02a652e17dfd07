"""Gates, percentiles and what is missing."""

from __future__ import annotations

import numpy as np
import pytest

from filmcan.components.audio.loudness_extractor.gating import (
    find_integrated_lufs,
    find_loudness_range,
)


def test_nothing_above_the_absolute_gate_has_no_loudness() -> None:
    assert find_integrated_lufs(np.array([np.nan, -70.0, -80.0])) is None
    assert find_integrated_lufs(np.array([])) is None


def test_the_relative_gate_lies_10_lu_below_the_mean_power_of_what_passed_the_absolute_gate() -> (
    None
):
    mean = 10 * np.log10((3 * 10**-2.0 + 10**-3.2) / 4)
    assert mean - 10 == pytest.approx(-31.16, abs=0.01)
    loud = np.full(3, -20.0)
    assert find_integrated_lufs(np.append(loud, [-32.0, -75.0])) == pytest.approx(-20.0)
    expected = 10 * np.log10((3 * 10**-2.0 + 10**-3.1) / 4)
    assert find_integrated_lufs(np.append(loud, [-31.0, -75.0])) == pytest.approx(expected)


def test_the_range_lies_between_the_10th_and_the_95th_percentile() -> None:
    found = find_loudness_range(np.linspace(-30.0, -20.0, 101))
    assert found is not None
    assert (found.low_lufs, found.high_lufs) == pytest.approx((-29.0, -20.5))
    assert found.range_lu == pytest.approx(8.5)
    assert found.max_lufs == -20.0


def test_the_range_leaves_out_what_lies_20_lu_below_the_mean() -> None:
    found = find_loudness_range(np.append(np.full(10, -20.0), [-43.0] * 9))
    assert found is not None
    assert found.range_lu == 0.0


def test_nothing_that_reaches_the_absolute_gate_has_no_range() -> None:
    assert find_loudness_range(np.array([np.nan, -70.1])) is None
    assert find_loudness_range(np.array([np.nan, -70.0])) is not None
