"""uniform_v1 against a definition written out anew, and the bookkeeping of lost frames."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filmcan.errors import BadProfileError
from filmcan.media.timeline import (
    FrameNumbers,
    FramePicker,
    Sampling,
    choose_frames,
    count_instants,
)


def define(ticks: list[int], tick_sec: Fraction, sampling: Sampling) -> tuple[int, ...]:
    """Return what the design says, instant by instant, by looking at every frame."""
    span = (ticks[-1] - ticks[0]) * tick_sec
    wanted = math.floor(span * Fraction(str(sampling.rate_hz))) + 1
    instants = min(max(wanted, 2), sampling.max_samples)
    if len(ticks) <= instants:
        return tuple(range(len(ticks)))
    taken = set()
    for place in range(instants):
        instant = ticks[0] * tick_sec + place * span / (instants - 1)
        distances = [(abs(tick * tick_sec - instant), frame) for frame, tick in enumerate(ticks)]
        taken.add(min(distances)[1])
    return tuple(sorted(taken))


@st.composite
def rising_ticks(draw: st.DrawFn) -> list[int]:
    start = draw(st.integers(-5000, 5000))
    steps = draw(st.lists(st.integers(1, 900), max_size=80))
    return [start + sum(steps[:count]) for count in range(len(steps) + 1)]


tick_lengths = st.sampled_from([Fraction(1, 1000), Fraction(1, 90000), Fraction(1001, 30000)])
samplings = st.builds(
    Sampling,
    policy=st.just("uniform_v1"),
    rate_hz=st.sampled_from([0.1, 0.3, 0.5, 1.0, 2.0, 7.7, 25.0, 1000.0]),
    max_samples=st.integers(2, 60),
)


@given(rising_ticks(), tick_lengths, samplings)
def test_the_choice_equals_the_definition(
    ticks: list[int], tick_sec: Fraction, sampling: Sampling
) -> None:
    assert choose_frames(ticks, tick_sec, sampling) == define(ticks, tick_sec, sampling)


@given(rising_ticks(), tick_lengths, samplings)
def test_the_choice_is_sorted_unique_and_holds_both_ends(
    ticks: list[int], tick_sec: Fraction, sampling: Sampling
) -> None:
    chosen = choose_frames(ticks, tick_sec, sampling)
    assert list(chosen) == sorted(set(chosen))
    assert chosen[0] == 0
    assert chosen[-1] == len(ticks) - 1
    assert len(chosen) <= sampling.max_samples


@given(rising_ticks(), tick_lengths, samplings, st.integers(1, 10**6))
def test_the_choice_does_not_depend_on_where_the_clock_starts(
    ticks: list[int], tick_sec: Fraction, sampling: Sampling, shift: int
) -> None:
    shifted = [tick + shift for tick in ticks]
    assert choose_frames(shifted, tick_sec, sampling) == choose_frames(ticks, tick_sec, sampling)


def test_an_instant_half_way_between_two_frames_takes_the_earlier_one() -> None:
    sampling = Sampling("uniform_v1", rate_hz=1.0, max_samples=3)
    # Instants at 0, 2 and 4 s; frames at 1 and 3 s are as near to the middle one.
    assert choose_frames([0, 1, 3, 4], Fraction(1), sampling) == (0, 1, 3)


def test_a_video_of_no_more_frames_than_instants_gives_all_however_uneven() -> None:
    sampling = Sampling("uniform_v1", rate_hz=2.0, max_samples=400)
    assert choose_frames([0, 1, 2, 10_000], Fraction(1, 1000), sampling) == (0, 1, 2, 3)


def test_no_frames_give_no_samples() -> None:
    assert choose_frames([], Fraction(1), Sampling("uniform_v1", 2.0, 400)) == ()


@pytest.mark.parametrize(
    ("duration", "rate_hz", "max_samples", "instants"),
    [
        (Fraction(0), 2.0, 400, 2),
        (Fraction(49, 100), 2.0, 400, 2),
        (Fraction(996, 100), 2.0, 400, 20),
        (Fraction(10), 2.0, 400, 21),
        (Fraction(10), 0.3, 400, 4),  # 0.3 is three tenths, not the float just below
        (Fraction(3600), 2.0, 400, 400),
    ],
)
def test_instants_are_counted_by_the_formula(
    duration: Fraction, rate_hz: float, max_samples: int, instants: int
) -> None:
    assert count_instants(duration, Sampling("uniform_v1", rate_hz, max_samples)) == instants


@pytest.mark.parametrize(
    ("settings", "place"),
    [
        (("uniform_v2", 2.0, 400), "sampling.policy"),
        (("uniform_v1", 0.0, 400), "sampling.rate_hz"),
        (("uniform_v1", math.nan, 400), "sampling.rate_hz"),
        (("uniform_v1", math.inf, 400), "sampling.rate_hz"),
        (("uniform_v1", 2.0, 1), "sampling.max_samples"),
    ],
)
def test_settings_that_mean_nothing_are_refused_by_name(
    settings: tuple[str, float, int], place: str
) -> None:
    with pytest.raises(BadProfileError) as refused:
        Sampling(*settings)
    assert refused.value.where == place


def test_frames_beyond_the_planned_end_are_not_sampled() -> None:
    picker = FramePicker(first_tick=0, last_tick=10, instants=2)
    assert [picker.offer(tick) for tick in (0, 5, 10, 15)] == [False, True, False, True]
    assert not picker.close()


def test_when_the_video_ends_early_its_last_frame_takes_the_instants_left() -> None:
    picker = FramePicker(first_tick=0, last_tick=100, instants=5)
    assert [picker.offer(tick) for tick in (0, 10)] == [False, True]
    assert picker.close()


def test_without_a_sign_of_damage_a_frame_that_never_comes_is_not_lost() -> None:
    numbers = FrameNumbers([0, 1, 2, 3, 4])
    assert numbers.lost_before(0, damaged=False) == []
    assert numbers.lost_before(3, damaged=False) == []
    assert numbers.lost_at_end(damaged=False) == []
    assert numbers.lost == 0


def test_after_a_decode_error_frames_that_never_come_are_lost() -> None:
    numbers = FrameNumbers([0, 1, 2, 3, 4])
    numbers.lost_before(0, damaged=False)
    assert numbers.lost_before(3, damaged=True) == [1, 2]
    assert numbers.lost_at_end(damaged=True) == [4]
    assert numbers.lost == 3


def test_a_frame_whose_packet_is_cut_short_is_lost_when_it_never_comes() -> None:
    numbers = FrameNumbers([0, 1, 2], doubtful={2})
    numbers.lost_before(0, damaged=False)
    assert numbers.lost_before(1, damaged=False) == []
    assert numbers.lost_at_end(damaged=False) == [2]


def test_frames_at_times_nobody_announced_disturb_nothing() -> None:
    numbers = FrameNumbers([0, 10, 20])
    assert numbers.lost_before(0, damaged=True) == []
    assert numbers.lost_before(5, damaged=True) == []
    assert numbers.lost_before(20, damaged=True) == [10]
