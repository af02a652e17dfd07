"""Threats B7: only the named regular file is read, whatever it claims to be."""

from __future__ import annotations

import os
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest

from filmcan.errors import BadMediaError
from filmcan.media.limits import Limits
from filmcan.media.source_file import ALLOWED_FORMATS, find_source
from filmcan.testing.made_media import make_clip, make_picture, paint_number
from filmcan.testing.media_reading import TEST_LIMITS

PLAYLISTS: dict[str, str] = {
    "ffconcat": "ffconcat version 1.0\nfile sibling.mp4\nduration 1\n",
    "ffconcat with a protocol": "ffconcat version 1.0\nfile 'file:sibling.mp4'\n",
    "hls": (
        "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:10\n"
        "#EXTINF:10,\nsibling.ts\n#EXT-X-ENDLIST\n"
    ),
    "hls with an address": (
        "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nhttp://127.0.0.1:9/x.ts\n#EXT-X-ENDLIST\n"
    ),
    "dash": (
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
        'profiles="urn:mpeg:dash:profile:isoff-on-demand:2011" mediaPresentationDuration="PT1S">'
        '<Period><AdaptationSet><Representation id="1" bandwidth="1"><BaseURL>sibling.mp4'
        "</BaseURL></Representation></AdaptationSet></Period></MPD>"
    ),
    "sdp": (
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
        "m=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n"
    ),
    "smooth streaming": '<SmoothStreamingMedia MajorVersion="2"></SmoothStreamingMedia>',
    "avisynth": 'DirectShowSource("sibling.mp4")\n',
    "ffmetadata": ";FFMETADATA1\ntitle=x\n",
    "subtitles": "1\n00:00:00,000 --> 00:00:01,000\nhello\n",
}


@pytest.fixture(scope="module")
def siblings(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("siblings")
    return [make_clip(folder / f"sibling.{suffix}", frames=10) for suffix in ("mp4", "ts")]


@pytest.fixture
def folder(siblings: list[Path], tmp_path: Path) -> Path:
    """A folder with good files that a hostile one may point to."""
    for path in siblings:
        shutil.copy(path, tmp_path)
    return tmp_path


def open_it(path: Path, limits: Limits = TEST_LIMITS) -> str:
    with find_source(path).open_container(limits) as container:
        return str(container.format.name)


@pytest.mark.parametrize("name", sorted(PLAYLISTS))
@pytest.mark.parametrize("suffix", ["mp4", "m3u8", "ffconcat", "mpd", "sdp", "avs"])
def test_b7_a_script_named_as_a_video_opens_nothing(folder: Path, name: str, suffix: str) -> None:
    path = folder / f"clip.{suffix}"
    path.write_text(PLAYLISTS[name])
    with pytest.raises(BadMediaError) as refused:
        open_it(path)
    assert refused.value.code == "unreadable_container"


def test_b7_an_image_sequence_pattern_is_a_plain_name(folder: Path) -> None:
    for number in range(3):
        make_picture(folder / f"img{number}.png", paint_number(number, (32, 32)))
    with pytest.raises(BadMediaError, match="No such file"):
        open_it(folder / "img%d.png")
    shutil.copy(folder / "img0.png", folder / "img%d.png")
    assert open_it(folder / "img%d.png") == "png_pipe"


def test_b7_a_picture_named_mp4_is_read_as_one_picture(folder: Path) -> None:
    path = make_picture(folder / "p.png", paint_number(3, (32, 32))).rename(folder / "p1.mp4")
    assert open_it(path) == "png_pipe"


def test_b7_a_reference_inside_a_mov_opens_no_other_file(folder: Path) -> None:
    """A QuickTime data reference `url ` to a sibling leaves the track without data."""
    data = (folder / "sibling.mp4").read_bytes()
    target = b"file:sibling.ts\0"
    own = struct.pack(">I4sI", 12, b"url ", 1)  # flag 1: the data are in this file
    assert data.count(own) == 1
    other = struct.pack(">I4sI", 12 + len(target), b"url ", 0) + target
    patched = bytearray(data.replace(own, other))
    grown = len(other) - len(own)
    for box in (b"dref", b"dinf", b"minf", b"mdia", b"trak", b"moov"):
        place = patched.rindex(box) - 4
        (size,) = struct.unpack_from(">I", patched, place)
        struct.pack_into(">I", patched, place, size + grown)
    hostile = folder / "clip.mp4"
    hostile.write_bytes(patched)
    decoded = 0
    try:
        with find_source(hostile).open_container(TEST_LIMITS) as container:
            decoded = sum(packet.size for packet in container.demux())
    except BadMediaError:
        pass
    own_bytes = {hostile.stat().st_size}
    assert decoded <= max(own_bytes)


def test_b7_demuxers_that_open_other_files_are_not_allowed() -> None:
    dangerous = {
        "concat", "concatf", "hls", "dash", "sdp", "rtsp", "rtp", "sap", "image2", "image2pipe",
        "lavfi", "imf", "webm_dash_manifest", "ffmetadata", "avisynth", "vapoursynth", "tty",
        "rawvideo", "data", "alsa", "x11grab", "v4l2", "fbdev", "kmsgrab", "ivr", "vobsub",
        "mca", "bluray", "dvdvideo", "libcdio",
    }  # fmt: skip
    assert not dangerous & set(ALLOWED_FORMATS)


def test_a_fifo_neither_blocks_nor_is_read(tmp_path: Path) -> None:
    pipe = tmp_path / "clip.mp4"
    os.mkfifo(pipe)
    with pytest.raises(BadMediaError, match="no regular file"):
        find_source(pipe)


@pytest.mark.parametrize("special", ["/dev/zero", "/dev/null", "/dev/tty"])
def test_a_device_is_not_read(special: str) -> None:
    with pytest.raises(BadMediaError):
        find_source(Path(special))


def test_a_folder_a_missing_file_an_empty_file_and_a_malformed_path_are_refused(
    tmp_path: Path,
) -> None:
    (tmp_path / "empty.mp4").touch()
    for path, said in (
        (tmp_path, "no regular file"),
        (tmp_path / "absent.mp4", "No such file"),
        (tmp_path / "empty.mp4", "empty"),
        (tmp_path / "nul\0.mp4", "malformed"),
        (tmp_path / ("x" * 300), "too long"),
        (Path("http://127.0.0.1:9/clip.mp4"), "No such file"),
    ):
        with pytest.raises(BadMediaError, match=said) as refused:
            find_source(path)
        assert str(tmp_path) not in str(refused.value), "no folder in a message"


def test_a_link_named_by_the_user_is_followed_to_its_file(folder: Path) -> None:
    link = folder / "link.mp4"
    link.symlink_to("sibling.mp4")
    source = find_source(link)
    assert source.name == "link.mp4"
    assert source.size_bytes == (folder / "sibling.mp4").stat().st_size
    assert open_it(link).startswith("mov,")


def test_a_link_to_a_folder_or_into_nothing_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").symlink_to(tmp_path)
    (tmp_path / "b.mp4").symlink_to("absent")
    for name in ("a.mp4", "b.mp4"):
        with pytest.raises(BadMediaError):
            find_source(tmp_path / name)


def _replace(path: Path) -> None:
    make_clip(path.with_name("other.mp4"), frames=5).replace(path)


def _append(path: Path) -> None:
    with path.open("ab") as stream:
        stream.write(b"more")


@pytest.mark.parametrize("change", [_replace, _append])
def test_a_file_that_changes_between_two_openings_is_refused(
    folder: Path, change: Callable[[Path], None]
) -> None:
    source = find_source(folder / "sibling.mp4")
    change(folder / "sibling.mp4")
    for read in (source.sha256, lambda: source.open_container(TEST_LIMITS).__enter__()):
        with pytest.raises(BadMediaError) as refused:
            read()
        assert refused.value.code == "source_changed"


def test_noise_and_text_are_refused_without_a_crash(tmp_path: Path) -> None:
    noise = np.random.default_rng(0)
    for number in range(20):
        path = tmp_path / f"{number}.mp4"
        path.write_bytes(noise.bytes(4096))
        with pytest.raises(BadMediaError):
            open_it(path)


def count_descriptors() -> int:
    return psutil.Process().num_fds()


def test_descriptors_are_given_back(folder: Path) -> None:
    before = count_descriptors()
    for _ in range(5):
        open_it(folder / "sibling.mp4")
        with pytest.raises(BadMediaError):
            find_source(folder)
    (folder / "bad.mp4").write_text(PLAYLISTS["hls"])
    for _ in range(5):
        with pytest.raises(BadMediaError):
            open_it(folder / "bad.mp4")
    assert count_descriptors() == before
