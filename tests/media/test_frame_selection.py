"""Numbers, times and choice of frames, without any decoder."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from filmcan.media.frame_selection import FrameSelector, PlacedFrame
from filmcan.media.packet_scan import PacketScan
from filmcan.media.timeline import Sampling

EVERY = Sampling("uniform_v1", rate_hz=1000.0, max_samples=1000)


def build_scan(
    ticks: Sequence[int], *, is_stamped: bool = True, doubtful: frozenset[int] = frozenset()
) -> PacketScan:
    return PacketScan(
        ticks=ticks,
        tick_sec=Fraction(1, 100),
        last_packet_tick=ticks[-1],
        is_stamped=is_stamped,
        doubtful=doubtful,
        keyframes=((ticks[0], 0),),
        notes=(),
    )


def select(
    scan: PacketScan,
    decoded: Sequence[tuple[str, int | None]],
    *,
    damaged_after: int | None = None,
    sampling: Sampling = EVERY,
) -> tuple[list[PlacedFrame[str]], FrameSelector[str]]:
    """Feed decoded frames (name, own time); an error is met before the frame at `damaged_after`."""
    selector: FrameSelector[str] = FrameSelector(scan, sampling)
    placed = []
    damaged = False
    for place, (frame, tick) in enumerate(decoded):
        damaged = damaged_after is not None and place >= damaged_after
        placed += list(selector.take(frame, tick, damaged=damaged))
    placed += list(selector.end(damaged=damaged or damaged_after is not None))
    return placed, selector


def test_each_frame_carries_the_one_decoded_before_it() -> None:
    placed, _ = select(build_scan([0, 4, 8]), [("a", 0), ("b", 4), ("c", 8)])
    assert [item.frame for item in placed] == ["a", "b", "c"]
    assert [item.index for item in placed] == [0, 1, 2]
    assert placed[0].previous is None
    assert [item.previous.frame for item in placed[1:] if item.previous] == ["a", "b"]
    assert all(item.previous is None or item.previous.previous is None for item in placed)


def test_a_lost_frame_keeps_its_number_and_time_and_is_nobodys_predecessor() -> None:
    placed, selector = select(
        build_scan([0, 4, 8, 12]), [("a", 0), ("c", 8), ("d", 12)], damaged_after=1
    )
    assert [(item.index, item.tick, item.frame) for item in placed] == [
        (0, 0, "a"), (1, 4, None), (2, 8, "c"), (3, 12, "d"),
    ]  # fmt: skip
    assert placed[2].previous == PlacedFrame(0, 0, "a")
    assert (selector.decoded, selector.lost) == (3, 1)


def test_frames_lost_at_the_end_are_sampled_as_lost() -> None:
    placed, selector = select(build_scan([0, 4, 8, 12]), [("a", 0), ("b", 4)], damaged_after=2)
    found = [(item.index, item.frame) for item in placed]
    assert found == [(0, "a"), (1, "b"), (2, None), (3, None)]
    assert selector.lost == 2


def test_frames_lost_before_the_first_decoded_one_are_counted_but_have_no_number() -> None:
    placed, selector = select(build_scan([0, 4, 8, 12]), [("c", 8), ("d", 12)], damaged_after=0)
    assert [(item.index, item.frame) for item in placed] == [(0, "c"), (1, "d")]
    assert selector.lost == 2
    assert selector.seconds(12) == 0.04


def test_a_frame_whose_time_does_not_rise_is_put_one_tick_after_the_last() -> None:
    placed, selector = select(build_scan([0, 4, 8]), [("a", 0), ("b", 4), ("c", 3), ("d", None)])
    assert [item.tick for item in placed] == [0, 4, 5, 6]
    assert selector.retimed == 2


def test_without_trusted_stamps_the_kth_frame_takes_the_kth_time() -> None:
    scan = build_scan([0, 4, 8], is_stamped=False)
    placed, selector = select(scan, [("a", 1), ("b", 3), ("c", 2)])
    assert [item.tick for item in placed] == [0, 4, 8]
    assert selector.retimed == 0


def test_the_share_done_runs_from_0_to_1() -> None:
    selector: FrameSelector[str] = FrameSelector(build_scan([10, 20, 30]), EVERY)
    shares = [selector.fraction_done()]
    for tick in (10, 20, 30):
        list(selector.take("x", tick, damaged=False))
        shares.append(selector.fraction_done())
    assert shares == [0.0, 0.0, 0.5, 1.0]


def test_nothing_decoded_gives_no_samples_and_counts_what_was_expected() -> None:
    placed, selector = select(build_scan([0, 4]), [], damaged_after=0)
    assert placed == []
    assert selector.lost == 2
    assert selector.first_tick is None
