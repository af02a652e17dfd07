"""Which packets are decoded when few frames are wanted; without any decoder."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filmcan.media.decoding_plan import (
    LAST_WANTED,
    PASS_OVER,
    REFERENCE,
    WANTED,
    find_wanted,
    plan_decoding,
)
from filmcan.media.frames import FrameRequest, FrameView
from filmcan.media.packet_scan import PacketScan
from filmcan.media.timeline import Sampling, choose_frames

NO, REF, YES, LAST = PASS_OVER, REFERENCE, WANTED, LAST_WANTED


def build_scan(coded: list[int], clean_starts: tuple[int, ...]) -> PacketScan:
    ticks = sorted(coded)
    return PacketScan(
        ticks, Fraction(1, 25), ticks[-1], is_stamped=True, doubtful=frozenset(), keyframes=(),
        notes=(), coded=coded, clean_starts=clean_starts,
    )  # fmt: skip


def test_a_group_is_decoded_as_far_as_its_last_wanted_frame() -> None:
    """Coded I P B B P B B, twice: the B-frames are shown before the P-frame they follow."""
    coded = [0, 3, 1, 2, 6, 4, 5]
    scan = build_scan([*coded, *(7 + tick for tick in coded), 14], (0, 7, 14))
    plan = plan_decoding(scan, {0, 9, 14})
    assert plan is not None
    assert list(plan.steps) == [LAST, *[NO] * 6, REF, REF, REF, LAST, NO, NO, NO, LAST]
    assert plan.wanted == (0, 9, 14)


def test_several_wanted_frames_of_a_group_share_their_references() -> None:
    scan = build_scan(list(range(40)), (0, 20))
    plan = plan_decoding(scan, {0, 2, 4})
    assert plan is not None
    assert list(plan.steps) == [YES, REF, YES, REF, LAST, *[NO] * 35]


def test_where_little_would_be_passed_over_there_is_no_plan() -> None:
    scan = build_scan(list(range(40)), (0, 20))
    assert plan_decoding(scan, {0, 19}) is not None, "half of the packets"
    assert plan_decoding(scan, {0, 20}) is not None
    assert plan_decoding(scan, {0, 19, 20, 22, 24, 26, 28, 30}) is not None, "a fifth of the frames"
    assert plan_decoding(scan, {0, 19, 20, 22, 24, 26, 28, 30, 32}) is None
    long = build_scan(list(range(100)), (0,))
    assert plan_decoding(long, {0, 99}) is not None, "few frames: B-frames are left out"


@pytest.mark.parametrize("starts", [(), (3,)])
def test_without_a_clean_start_at_the_first_packet_there_is_no_plan(
    starts: tuple[int, ...],
) -> None:
    assert plan_decoding(build_scan(list(range(40)), starts), {0}) is None


@given(
    st.lists(st.integers(1, 12), min_size=1, max_size=30),
    st.lists(
        st.tuples(st.integers(1, 5), st.booleans()), min_size=1, max_size=3
    ),
    st.floats(0.05, 30),
)  # fmt: skip
def test_every_frame_that_is_looked_at_is_decoded_with_all_before_it_in_its_group(
    groups: list[int], asked: list[tuple[int, bool]], rate_hz: float
) -> None:
    starts = tuple(sum(groups[:number]) for number in range(len(groups)))
    scan = build_scan(list(range(sum(groups))), starts)
    requests = [FrameRequest(FrameView(), every, with_previous=both) for every, both in asked]
    sampling = Sampling("uniform_v1", rate_hz, 50)
    wanted = find_wanted(scan, sampling, requests)
    for sample, number in enumerate(choose_frames(scan.ticks, scan.tick_sec, sampling)):
        for request in requests:
            if sample % request.every == 0:
                assert number in wanted
                assert not request.with_previous or number == 0 or number - 1 in wanted
    assert {0, len(scan.ticks) - 1} <= wanted
    plan = plan_decoding(scan, wanted)
    if plan is not None:
        for number in wanted:
            start = max(start for start in starts if start <= number)
            assert plan.steps[number] in (YES, LAST)
            assert NO not in plan.steps[start:number]
            assert LAST not in plan.steps[start:number]
