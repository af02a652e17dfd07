"""What a source is said to be: streams, sizes, times, digest."""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import av
import numpy as np
import pytest

from filmcan.errors import BadMediaError
from filmcan.media.probe import probe_source
from filmcan.testing.made_media import (
    ClipSound,
    ClipVideo,
    build_tone,
    make_clip,
    make_media,
    make_picture,
    make_sound,
    paint_number,
)
from filmcan.testing.media_reading import TEST_LIMITS


def test_a_clip_with_sound_is_described(tmp_path: Path) -> None:
    path = make_media(
        tmp_path / "clip.mp4",
        ClipVideo(frames=50, size=(96, 64)),
        ClipSound(build_tone(2.0, channels=2), layout="stereo"),
    )
    probe = probe_source(path, TEST_LIMITS)
    assert (probe.name, probe.size_bytes) == ("clip.mp4", path.stat().st_size)
    assert probe.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert probe.container == "mov,mp4,m4a,3gp,3g2,mj2"
    assert probe.duration_sec == pytest.approx(2.0, abs=0.05)
    assert not probe.is_still_picture
    assert probe.video is not None
    assert (probe.video.codec, probe.video.pixel_format) == ("h264", "yuv420p")
    assert (probe.video.width, probe.video.height) == (96, 64)
    assert (probe.video.display_width, probe.video.display_height) == (96, 64)
    assert probe.video.average_rate_hz == pytest.approx(25.0)
    assert probe.audio is not None
    assert (probe.audio.codec, probe.audio.rate_hz, probe.audio.channels) == ("aac", 48000, 2)
    assert probe.audio.channel_layout == "stereo"


def test_no_folder_is_kept(tmp_path: Path) -> None:
    folder = tmp_path / "secret-folder"
    folder.mkdir()
    probe = probe_source(make_clip(folder / "clip.mp4", frames=3), TEST_LIMITS)
    assert "secret-folder" not in repr(probe)


@pytest.mark.parametrize(("turn", "clockwise"), [(0, 0), (90, 270), (180, 180), (270, 90)])
def test_a_turned_clip_has_its_upright_size(tmp_path: Path, turn: int, clockwise: int) -> None:
    path = make_clip(tmp_path / "clip.mp4", frames=3, size=(96, 64), rotation_deg=turn)
    video = probe_source(path, TEST_LIMITS).video
    assert video is not None
    assert video.rotation_deg == clockwise
    upright = (64, 96) if turn in (90, 270) else (96, 64)
    assert (video.display_width, video.display_height) == upright
    assert (video.width, video.height) == (96, 64)


def test_an_attached_picture_is_no_video_stream(tmp_path: Path) -> None:
    path = make_media(
        tmp_path / "song.m4a",
        ClipSound(build_tone(1.0)),
        ClipVideo(frames=1, codec="mjpeg", pixel_format="yuvj420p", is_cover=True),
        container="mp4",
    )
    probe = probe_source(path, TEST_LIMITS)
    assert probe.video is None
    assert probe.audio is not None
    assert not probe.is_still_picture


def test_beside_an_attached_picture_the_real_video_is_chosen(tmp_path: Path) -> None:
    path = make_media(
        tmp_path / "clip.mp4",
        ClipVideo(frames=1, size=(640, 480), codec="mjpeg", pixel_format="yuvj420p", is_cover=True),
        ClipVideo(frames=20, size=(96, 64)),
    )
    video = probe_source(path, TEST_LIMITS).video
    assert video is not None
    assert (video.codec, video.width) == ("h264", 96)


@pytest.mark.parametrize("name", ["p.png", "p.jpg"])
def test_a_picture_file_is_a_still_picture_without_time(tmp_path: Path, name: str) -> None:
    path = make_picture(tmp_path / name, paint_number(5, (48, 32)))
    probe = probe_source(path, TEST_LIMITS)
    assert probe.is_still_picture
    assert probe.duration_sec is None
    assert probe.audio is None
    assert probe.video is not None
    assert probe.video.average_rate_hz is None
    assert (probe.video.width, probe.video.height) == (48, 32)


@pytest.mark.parametrize(
    ("name", "codec", "pixel_format", "container"),
    [
        ("p.webp", "libwebp", "yuv420p", "webp"),
        ("p.bmp", "bmp", "bgr24", "image2"),
        ("p.tiff", "tiff", "rgb24", "image2"),
    ],
)
def test_other_picture_files_are_still_pictures_too(
    tmp_path: Path, name: str, codec: str, pixel_format: str, container: str
) -> None:
    video = ClipVideo(frames=1, codec=codec, pixel_format=pixel_format)
    options = {"update": "1"} if container == "image2" else {}
    path = make_media(tmp_path / name, video, container=container, options=options)
    probe = probe_source(path, TEST_LIMITS)
    assert probe.is_still_picture
    assert probe.duration_sec is None


def test_an_avif_file_is_a_still_picture_too(tmp_path: Path) -> None:
    # Made elsewhere: run by root, this encoder gives its process and all that is started by it
    # precedence over everything else on the machine, for good.
    video = ClipVideo(frames=1, codec="libsvtav1", pixel_format="yuv420p")
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as elsewhere:
        made = elsewhere.submit(make_media, tmp_path / "p.avif", video, container="avif")
        path = made.result(timeout=60)
    probe = probe_source(path, TEST_LIMITS)
    assert probe.is_still_picture
    assert probe.duration_sec is None


@pytest.mark.parametrize(
    ("channels", "layout", "named"),
    [(1, "mono", "mono"), (2, "stereo", "stereo"), (6, "5.1", "5.1"), (8, "7.1", "7.1")],
)
def test_the_channel_layout_is_named(
    tmp_path: Path, channels: int, layout: str, named: str
) -> None:
    samples = build_tone(0.2, channels=channels)
    path = make_sound(tmp_path / "s.wav", samples, layout=layout, codec="pcm_s16le")
    audio = probe_source(path, TEST_LIMITS).audio
    assert audio is not None
    assert (audio.channels, audio.channel_layout) == (channels, named)


def test_metadata_that_is_no_utf8_survives(tmp_path: Path) -> None:
    path = make_media(tmp_path / "clip.mkv", ClipVideo(frames=3), metadata={"title": "QQQQQQQQ"})
    path.write_bytes(path.read_bytes().replace(b"QQQQQQQQ", b"\xff\xfe\x80\xc3(\xa0\xa1\xf0"))
    assert probe_source(path, TEST_LIMITS).video is not None


def test_text_named_mp4_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_text("this is no video\n" * 60)
    with pytest.raises(BadMediaError, match=r"cannot be opened as media: .*clip\.mp4"):
        probe_source(path, TEST_LIMITS)


def test_a_container_without_picture_or_sound_is_refused(tmp_path: Path) -> None:
    """A Matroska file whose only track is turned into subtitles of an unknown codec."""
    path = make_clip(tmp_path / "clip.mkv", frames=3, codec="mpeg4")
    data = path.read_bytes()
    changed = data.replace(b"V_MPEG4/ISO/ASP", b"V_UNKNOWN/X/ABC")
    assert changed != data
    path.write_bytes(changed)
    with pytest.raises(BadMediaError) as refused:
        probe_source(path, TEST_LIMITS)
    assert refused.value.code == "no_usable_stream"


def test_a_coloured_stream_says_so(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "c.mkv", frames=2, codec="ffv1", colour_space=1, colour_range=2)
    video = probe_source(path, TEST_LIMITS).video
    assert video is not None
    assert (video.colour_matrix, video.colour_range) == ("bt709", "full")


@pytest.mark.parametrize(("tag", "kept"), [("eng", "eng"), ("a secret text", None)])
def test_only_a_language_tag_is_kept_of_a_subtitle_stream(
    media_corpus: Path, tmp_path: Path, tag: str, kept: str | None
) -> None:
    path = tmp_path / "clip.mkv"
    source = media_corpus / "video" / "face_srt_subtitles.mkv"
    with av.open(str(source)) as given, av.open(str(path), "w") as output:
        subtitles = given.streams.subtitles[0]
        copies = {
            stream.index: output.add_stream_from_template(stream)
            for stream in (given.streams.video[0], subtitles)
        }
        copies[subtitles.index].metadata["language"] = tag
        for packet in given.demux(*(given.streams[index] for index in copies)):
            if packet.size:
                packet.stream = copies[packet.stream.index]
                output.mux(packet)
    assert [item.language for item in probe_source(path, TEST_LIMITS).subtitles] == [kept]


def test_a_png_with_a_named_colour_profile_does_not_crash(tmp_path: Path) -> None:
    """PyAV frees such a profile's name twice when frame.side_data is read."""
    picture = make_picture(tmp_path / "p.png", np.zeros((8, 8, 3), np.uint8))
    data = picture.read_bytes()
    chunk = _png_chunk(b"iCCP", b"a name\0\0" + _deflate(bytes(128)))
    picture.write_bytes(data[:33] + chunk + data[33:])
    for _ in range(3):
        assert probe_source(picture, TEST_LIMITS).is_still_picture


def _deflate(data: bytes) -> bytes:
    return zlib.compress(data)


def _png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def test_corpus_every_file_is_what_its_index_says(media_corpus: Path) -> None:
    index = json.loads((media_corpus / "index.json").read_text())
    seen = 0
    for entry in index["files"]:
        path = media_corpus / entry["file"]
        expected = entry.get("probe", {})
        if path.suffix in (".npz", ".flo") or not expected.get("streams"):
            continue
        probe = probe_source(path, TEST_LIMITS)
        seen += 1
        assert probe.sha256 == entry["sha256"]
        assert (probe.audio is not None) == expected.get("has_audio", False), entry["file"]
        if probe.duration_sec is not None and expected.get("duration_s"):
            assert probe.duration_sec == pytest.approx(expected["duration_s"], abs=0.01)
        if probe.video is not None and "rotation_deg" in expected:
            assert probe.video.rotation_deg == -expected["rotation_deg"] % 360, entry["file"]
    assert seen >= 28


def test_corpus_stream_choices_are_ffmpegs(media_corpus: Path) -> None:
    nasa = probe_source(media_corpus / "video" / "nasa_13013.mp4", TEST_LIMITS)
    assert nasa.video is not None
    assert nasa.audio is not None
    assert (nasa.video.index, nasa.audio.index) == (3, 4)
    assert [item.index for item in nasa.subtitles] == [2, 5]
    assert {item.codec for item in nasa.subtitles} == {"mov_text"}
    song = probe_source(media_corpus / "audio" / "music_vibe_ace.ogg", TEST_LIMITS)
    assert song.video is None
    face = probe_source(media_corpus / "video" / "face_srt_subtitles.mkv", TEST_LIMITS)
    assert [(item.codec, item.language) for item in face.subtitles] == [("subrip", "eng")]
    assert face.video is not None
    assert face.video.average_rate_hz is None


@pytest.mark.parametrize("name", ["empty.mp4", "text_named.mp4", "truncated_cockatoo.mp4"])
def test_c6_corpus_an_unreadable_container_is_bad_media(media_corpus: Path, name: str) -> None:
    with pytest.raises(BadMediaError):
        probe_source(media_corpus / "broken" / name, TEST_LIMITS)
