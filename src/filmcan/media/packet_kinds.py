"""What kind of picture a packet holds: where decoding can begin, and what can be left out.

A container's word is not enough: MP4 files without an index of keyframes call every packet one, and
a transport stream calls those from which a picture builds up slowly. Of H.264 and HEVC the packet
itself tells. Of a codec that is not named here, nothing is believed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from av.codec.context import CodecContext

_ANNEX_B = b"\x00\x00\x01"
_TRUSTED_CODECS = frozenset({"av1", "mjpeg", "prores", "vp9"})
"""One packet is one shown frame, and a keyframe refers to nothing."""

_H264_SLICES = range(1, 6)
_H264_PLAIN, _H264_IDR = 1, 5
_HEVC_SLICES = range(32)
_HEVC_IRAP = range(16, 22)


@dataclass(frozen=True, slots=True)
class PacketKinds:
    """Reads the packets of one stream.

    Source: ITU-T H.264 7.4.1 (nal_ref_idc is 0 in what nothing refers to, type 5 is an IDR slice);
    ITU-T H.265 table 7-1 (16 to 21 are pictures at which decoding may begin). HEVC says of a
    picture only that none of its own layer refers to it, so nothing is left out there.

    Attributes:
        syntax: How its packets are read; None: not at all, its keyframes are believed.
        length_size: Bytes that hold a unit's length; 0 where units follow start codes (Annex B).
    """

    syntax: Literal["h264", "hevc"] | None
    length_size: int

    def is_clean_start(self, keyframe: bytes) -> bool:
        """Tell whether nothing coded after this keyframe refers to anything before it.

        What is shown before it but coded after it does: see `drop_open_starts`.
        """
        if self.syntax is None:
            return True
        heads = self._iterate_heads(keyframe)
        if self.syntax == "hevc":
            kinds = (head >> 1 & 0x3F for head in heads)
            return next((kind in _HEVC_IRAP for kind in kinds if kind in _HEVC_SLICES), False)
        kinds = (head & 0x1F for head in heads)
        return next((kind == _H264_IDR for kind in kinds if kind in _H264_SLICES), False)

    def is_disposable(self, packet: bytes) -> bool:
        """Tell whether no other frame needs this one."""
        if self.syntax != "h264":
            return False
        slices = [head for head in self._iterate_heads(packet) if head & 0x1F in _H264_SLICES]
        return bool(slices) and all(head == _H264_PLAIN for head in slices)

    def _iterate_heads(self, packet: bytes) -> Iterator[int]:
        """Yield the first byte of each unit."""
        place, size = 0, self.length_size
        while size and place + size < len(packet):
            yield packet[place + size]
            place += size + int.from_bytes(packet[place : place + size], "big")
        while size == 0:
            place = packet.find(_ANNEX_B, place) + len(_ANNEX_B)
            if not len(_ANNEX_B) <= place < len(packet):
                return
            yield packet[place]


def find_packet_kinds(codec: CodecContext) -> PacketKinds | None:
    """Return how to read a stream's packets, None where they do not tell what is asked."""
    if codec.name == "h264":
        return PacketKinds("h264", _find_length_size(codec.extradata, 4))
    if codec.name == "hevc":
        return PacketKinds("hevc", _find_length_size(codec.extradata, 21))
    return PacketKinds(None, 0) if codec.name in _TRUSTED_CODECS else None


def drop_open_starts(starts: Sequence[int], shown: Sequence[int]) -> tuple[int, ...]:
    """Return those starts that no picture before is shown after, and none after is shown before.

    Args:
        starts: Numbers of packets, rising.
        shown: Presentation time of each packet, in coding order.
    """
    latest = list(accumulate(shown, max))
    earliest = list(accumulate(reversed(shown), min))[::-1]
    return tuple(
        number
        for number in starts
        if earliest[number] == shown[number] and (number == 0 or latest[number - 1] < shown[number])
    )


def _find_length_size(extradata: bytes | None, place: int) -> int:
    """Return what the codec's configuration record says, 0 where there is no such record."""
    if extradata is None or len(extradata) <= place or extradata[0] != 1:
        return 0
    return (extradata[place] & 3) + 1
