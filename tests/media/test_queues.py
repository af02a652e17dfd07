"""Channels never block for ever, and errors cross threads whole."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from filmcan.errors import BadMediaError, ComponentFailedError, InternalError
from filmcan.media.queues import Channel, Opening, PassState

WAIT_SEC = 10.0
"""Only reached when a test fails: nothing here waits on a clock."""


def run_in_thread(body: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=body, daemon=True)
    thread.start()
    return thread


def assert_ends(thread: threading.Thread) -> None:
    thread.join(WAIT_SEC)
    assert not thread.is_alive()


def fill(channel: Channel[int], count: int) -> Callable[[], None]:
    def body() -> None:
        for number in range(count):
            channel.put(number)
        channel.end()

    return body


def test_items_come_in_order_and_the_end_ends() -> None:
    channel: Channel[int] = Channel(2)
    thread = run_in_thread(fill(channel, 50))
    assert list(channel) == list(range(50))
    assert_ends(thread)
    assert list(channel) == []


def test_a_full_channel_holds_the_producer_until_it_is_released() -> None:
    channel: Channel[int] = Channel(2)
    thread = run_in_thread(fill(channel, 50))
    stream = iter(channel)
    assert next(stream) == 0
    channel.release()
    assert_ends(thread)
    assert channel.is_released
    assert list(stream) == []


def test_an_error_reaches_the_consumer_in_place_of_what_lies_in_the_channel() -> None:
    channel: Channel[int] = Channel(5)
    channel.put(1)
    channel.end(BadMediaError("broken", where="clip.mp4", hint="Mend it."))
    with pytest.raises(BadMediaError) as raised:
        list(channel)
    assert (raised.value.message, raised.value.where, raised.value.hint) == (
        "broken", "clip.mp4", "Mend it.",
    )  # fmt: skip


def test_an_end_wakes_a_producer_that_waits_for_room() -> None:
    channel: Channel[int] = Channel(1)
    channel.put(0)
    thread = run_in_thread(lambda: channel.put(1))
    channel.end(BadMediaError("stop"))
    assert_ends(thread)


def test_an_error_of_our_own_is_reported_as_internal_with_its_cause() -> None:
    channel: Channel[int] = Channel(1)
    cause = ZeroDivisionError("oops")
    channel.end(cause)
    with pytest.raises(InternalError, match="ZeroDivisionError: oops") as raised:
        list(channel)
    assert raised.value.__cause__ is cause


def test_an_opening_settles_once() -> None:
    opening: Opening[int] = Opening()
    opening.settle(3)
    opening.settle(None, BadMediaError("late"))
    assert opening.wait() == 3


def test_an_opening_that_fails_raises() -> None:
    opening: Opening[int] = Opening()
    opening.settle(None, BadMediaError("broken"))
    with pytest.raises(BadMediaError, match="broken"):
        opening.wait()


def test_waiting_ends_with_the_first_thing_decoded() -> None:
    state = PassState(tracks=2)
    thread = run_in_thread(lambda: state.wait_until_decoded("clip.mp4"))
    state.mark_decoded()
    assert_ends(thread)


def test_when_all_tracks_end_without_anything_the_source_is_bad_media() -> None:
    state = PassState(tracks=2)
    state.mark_track_ended()
    state.mark_track_ended()
    with pytest.raises(BadMediaError) as raised:
        state.wait_until_decoded("clip.mp4")
    assert (raised.value.code, raised.value.where) == ("nothing_decodes", "clip.mp4")


def test_the_first_error_stops_the_pass_and_ends_all_channels() -> None:
    state = PassState(tracks=1)
    channels: list[Channel[int]] = [Channel(1), Channel(1)]
    for channel in channels:
        state.add_channel(channel)
    state.fail(BadMediaError("first"))
    state.fail(BadMediaError("second"))
    assert state.is_stopped()
    for channel in channels:
        with pytest.raises(BadMediaError, match="first"):
            list(channel)
    with pytest.raises(BadMediaError, match="first"):
        state.wait_until_decoded("clip.mp4")


def test_a_cancellation_reads_as_an_interruption() -> None:
    state = PassState(tracks=1)
    channel: Channel[int] = Channel(1)
    state.add_channel(channel)
    state.cancel()
    with pytest.raises(ComponentFailedError) as raised:
        list(channel)
    assert raised.value.code == "interrupted"
