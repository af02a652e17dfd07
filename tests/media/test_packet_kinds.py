"""What a packet tells of itself: made packets with the heads that the standards give."""

from __future__ import annotations

import pytest

from filmcan.media.packet_kinds import PacketKinds, drop_open_starts, find_packet_kinds


def test_a_start_is_dropped_when_pictures_reach_across_it() -> None:
    shown = [0, 1, 2, 5, 3, 4, 6, 7, 9, 8]
    assert drop_open_starts([0, 3, 6, 8], shown) == (0, 6)
    assert drop_open_starts([], shown) == ()


class FakeCodec:
    """What is asked of a decoder: its name and its parameter sets."""

    def __init__(self, name: str, extradata: bytes | None) -> None:
        self.name = name
        self.extradata = extradata


def build_packet(*units: bytes, length_size: int) -> bytes:
    if length_size == 0:
        return b"".join(b"\x00\x00\x00\x01" + unit for unit in units)
    return b"".join(len(unit).to_bytes(length_size, "big") + unit for unit in units)


H264 = {"idr": bytes([0x65, 9]), "other": bytes([0x41, 9]), "set": bytes([0x67, 9]),
        "message": bytes([0x06, 9])}  # fmt: skip
HEVC = {"idr": bytes([19 << 1, 1]), "other": bytes([1 << 1, 1]), "set": bytes([33 << 1, 1]),
        "message": bytes([39 << 1, 1]), "cra": bytes([21 << 1, 1])}  # fmt: skip


@pytest.mark.parametrize("length_size", [0, 2, 4])
@pytest.mark.parametrize(("name", "units"), [("h264", H264), ("hevc", HEVC)])
def test_the_first_slice_of_a_packet_tells_whether_it_is_a_clean_start(
    name: str, units: dict[str, bytes], length_size: int
) -> None:
    extradata = None
    if length_size:
        extradata = bytearray(32)
        extradata[0], extradata[4 if name == "h264" else 21] = 1, 0xFC | length_size - 1
    kinds = find_packet_kinds(FakeCodec(name, extradata and bytes(extradata)))  # type: ignore[arg-type]
    assert kinds is not None

    def judge(*names: str) -> bool:
        packet = build_packet(*(units[item] for item in names), length_size=length_size)
        return kinds.is_clean_start(packet)

    assert judge("set", "message", "idr", "idr")
    assert judge("idr", "other")
    assert not judge("message", "other", "idr")
    assert not judge("set", "message")
    assert name == "h264" or judge("cra")
    assert not kinds.is_clean_start(b"\x00\x00\x01")
    for hollow in (b"", bytes(3), bytes(50)):
        assert not kinds.is_clean_start(hollow)
        assert not kinds.is_disposable(hollow)


@pytest.mark.parametrize("length_size", [0, 4])
def test_what_nothing_refers_to_is_known_in_h264_alone(length_size: int) -> None:
    def judge(syntax: str, *heads: int) -> bool:
        packet = build_packet(*(bytes([head, 9]) for head in heads), length_size=length_size)
        return PacketKinds(syntax, length_size).is_disposable(packet)  # type: ignore[arg-type]

    assert judge("h264", 0x06, 0x01, 0x01)
    assert not judge("h264", 0x06, 0x41), "others refer to it"
    assert not judge("h264", 0x41, 0x01), "of two fields one is referred to"
    assert not judge("h264", 0x06), "no picture at all"
    assert not judge("h264", 0x81), "a forbidden bit: damage"
    assert not judge("h264", 0x65)
    assert not judge("hevc", 0x01, 0x01)


@pytest.mark.parametrize(("name", "is_known"), [("vp9", True), ("vp8", False), ("mpeg4", False)])
def test_of_other_codecs_keyframes_are_believed_or_nothing_is(name: str, is_known: bool) -> None:
    kinds = find_packet_kinds(FakeCodec(name, None))  # type: ignore[arg-type]
    assert (kinds is not None) == is_known
    assert kinds is None or kinds.is_clean_start(b"anything")
    assert kinds is None or not kinds.is_disposable(b"anything")
