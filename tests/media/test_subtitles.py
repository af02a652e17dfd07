from __future__ import annotations

import hashlib
import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.subtitles.stream import SubtitleStream as AvSubtitleStream

from filmcan.media import subtitles as subtitles_module
from filmcan.media.cues import (
    arrange_cues,
    clean_markup,
    decode_text,
    find_encoding,
    parse_srt,
    parse_vtt,
    read_payload,
)
from filmcan.media.document import Segment
from filmcan.media.probe import SubtitleStream
from filmcan.media.subtitles import Sidecar, find_sidecars, read_sidecar, read_subtitle_stream
from filmcan.media.text_sources import read_text_sources

SRT = """1
00:00:01,000 --> 00:00:02,500
<i>Привет</i>, {\\an8}мир

2
00:00:03,000 --> 00:00:04,000 X1:40 X2:600
Tom &amp; Jerry
second line
"""
ASS_HEADER = (
    b"[Script Info]\nScriptType: v4.00+\n\n[V4+ Styles]\nFormat: Name, Fontname, Fontsize\n"
    b"Style: Default,Arial,16\n\n[Events]\nFormat: Layer, Start, End, Style, Name, MarginL, "
    b"MarginR, MarginV, Effect, Text\n"
)

NOISE = b"".join(hashlib.sha256(bytes([number])).digest() for number in range(128))

Packet = tuple[int, int, bytes]


def make_subtitled(
    path: Path, *streams: tuple[str, list[Packet]], video_start_ms: int | None = 0
) -> Path:
    """Write a container with a small video (None: none) and text streams (start_ms, end_ms)."""
    milliseconds = Fraction(1, 1000)
    with av.open(str(path), "w") as output:
        picture = None
        if video_start_ms is not None:
            picture = output.add_stream("mpeg4", rate=25)
            picture.width, picture.height, picture.pix_fmt = 32, 32, "yuv420p"
            picture.codec_context.time_base = milliseconds
        prepared = []
        for codec, packets in streams:
            stream = output.add_stream(codec)
            assert isinstance(stream, AvSubtitleStream)
            stream.codec_context.subtitle_header = ASS_HEADER
            stream.time_base = milliseconds
            prepared.append((stream, packets))
        if picture is not None:
            for number in range(10):
                frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
                frame.pts = (video_start_ms or 0) + number * 40
                frame.time_base = milliseconds
                output.mux(picture.encode(frame))
            output.mux(picture.encode(None))
        for stream, packets in prepared:
            for start_ms, end_ms, data in packets:
                packet = av.Packet(data)
                packet.stream = stream
                packet.time_base = milliseconds
                packet.pts = packet.dts = start_ms
                packet.duration = end_ms - start_ms
                output.mux(packet)
    return path


def tell(segments: tuple[Segment, ...]) -> list[tuple[str, float | None, float | None]]:
    return [(item.text, item.start_sec, item.end_sec) for item in segments]


def test_subrip_gives_clean_text_and_times() -> None:
    cues = parse_srt(SRT)
    assert tell(cues.segments) == [
        ("Привет, мир", 1.0, 2.5),
        ("Tom & Jerry\nsecond line", 3.0, 4.0),
    ]
    assert (cues.skipped, cues.repeated) == (0, 0)


@pytest.mark.parametrize("newline", ["\r\n", "\r", "\n"])
def test_any_line_end_reads_alike(newline: str) -> None:
    assert parse_srt(SRT.replace("\n", newline)) == parse_srt(SRT)


def test_subrip_from_the_wild_is_read_leniently() -> None:
    text = (
        "\ufeff1\n0:0:1.5 --> 00:00:02,5\nblank line\n\ninside the text\n\n"
        "2\n00:00:05,000 --> 00:00:04,000\nends before it starts\n\n"
        "3\n00:00:zz --> 00:00:07,000\nbad time\n\n"
        "4\n00:00:08,000 --> 00:00:09,000\n42\n\n"
        "5\n00:00:10,000 --> 00:00:11,000\na --> b\n"
    )
    cues = parse_srt(text)
    assert tell(cues.segments) == [
        ("blank line\ninside the text", 1.5, 2.5),
        ("42", 8.0, 9.0),
        ("a --> b", 10.0, 11.0),
    ]
    assert cues.skipped == 2


def test_webvtt_passes_over_notes_styles_and_settings() -> None:
    text = (
        "WEBVTT - title\nKind: captions\n\nNOTE 00:00.000 --> 00:01.000\nnot a cue\n\n"
        "STYLE\n::cue { color: red }\n\n"
        "intro\n00:01.000 --> 00:02.000 align:start position:0%\n"
        "<v.loud Мария>Да</v> &lt;3 <00:01.500><c.yellow>нет</c>\n\n"
        "01:00:00.000 --> 01:00:01.000\nlate\n"
    )
    assert tell(parse_vtt(text).segments) == [("Да <3 нет", 1.0, 2.0), ("late", 3600.0, 3601.0)]


def test_scrolling_captions_say_each_line_once() -> None:
    text = "WEBVTT\n\n"
    lines = ["hello everyone", "welcome to the show", "today we cook", "goodbye"]
    for number, line in enumerate(lines):
        start = number * 2
        before = lines[number - 1] if number else " "
        text += f"00:0{start}.000 --> 00:0{start + 1}.990\n{before}\n{line}\n\n"
        text += f"00:0{start + 1}.990 --> 00:0{start + 2}.000\n{line}\n \n\n"
    cues = parse_vtt(text)
    assert [item.text for item in cues.segments] == lines
    assert cues.repeated == 7


def test_a_refrain_is_not_taken_for_scrolling() -> None:
    said = ["No.", "No.", "Why?", "Because.", "Because.", "I see.", "Well.", "So.", "Yes.", "Ah."]
    segments = [Segment(text, float(i), float(i + 1)) for i, text in enumerate(said)]
    assert [item.text for item in arrange_cues(segments).segments] == said


def test_cues_are_put_in_order_and_exact_doubles_dropped() -> None:
    cues = arrange_cues(
        [
            Segment("b", 2.0, 3.0),
            Segment("a", 0.0, 5.0),
            Segment("b", 2.0, 3.0),
            Segment("", 4.0, 5.0),
            Segment("overlapping", 2.5, 4.0),
            Segment("lost", 1e12, 1e12),
        ]
    )
    assert [item.text for item in cues.segments] == ["a", "b", "overlapping"]
    assert (cues.skipped, cues.repeated) == (1, 1)


def test_text_that_only_looks_like_markup_stays() -> None:
    assert clean_markup("a < b > c, {smile} <3 x<y") == "a < b > c, {smile} <3 x<y"
    assert clean_markup('<font color="#fff"><B>x</B></font><br/>{\\pos(1,2)}y') == "x\ny"


RUSSIAN = "Съешь же ещё этих мягких французских булок, да выпей чаю"


@pytest.mark.parametrize(
    ("data", "name", "text"),
    [
        (RUSSIAN.encode(), "utf-8", RUSSIAN),
        (RUSSIAN.encode("utf-8-sig"), "utf-8-sig", RUSSIAN),
        (RUSSIAN.encode("utf-16"), "utf-16", RUSSIAN),
        (b"\xfe\xff" + RUSSIAN.encode("utf-16-be"), "utf-16", RUSSIAN),
        (SRT.encode("utf-16-le"), "utf-16-le", SRT),
        (SRT.encode("utf-16-be"), "utf-16-be", SRT),
        (RUSSIAN.encode("utf-32"), "utf-32", RUSSIAN),
        (RUSSIAN.encode("cp1251"), "cp1251", RUSSIAN),
        ("déjà vu, señor, à bientôt".encode("cp1252"), "cp1252", "déjà vu, señor, à bientôt"),
        (b"plain", "utf-8", "plain"),
        (b"", "utf-8", ""),
    ],
)
def test_the_encoding_of_subtitles_is_found(data: bytes, name: str, text: str) -> None:
    assert find_encoding(data) == name
    assert decode_text(data, name) == text


def test_zero_bytes_in_a_text_do_not_end_it() -> None:
    assert find_encoding(b"a\0b" + b"text " * 20) == "utf-8"


@pytest.mark.parametrize(
    ("codec", "data", "expected"),
    [
        ("subrip", "<i>Да</i>".encode(), "Да"),
        ("webvtt", b"<v Bob>yes</v>", "yes"),
        ("mov_text", b"\x00\x04" + "Да".encode() + b"\x00\x00\x00\x0cstyl\x00\x00\x00\x00", "Да"),
        ("mov_text", b"\x00\x06\xfe\xff" + "Да".encode("utf-16-be"), "Да"),
        ("mov_text", b"\x00\x00", ""),
        ("ass", rb"0,0,Default,,0,0,0,,{\i1}one{\i0}\Ntwo, three\hfour", "one\ntwo, three four"),
        ("ass", rb"0,0,Default,,0,0,0,,{\p1}m 0 0 l 5 5{\p0}said", "said"),
    ],
)
def test_a_packet_of_each_codec_gives_its_text(codec: str, data: bytes, expected: str) -> None:
    assert read_payload(data, codec, "utf-8") == expected


@pytest.mark.parametrize(
    ("name", "codec", "payload"),
    [
        ("clip.mkv", "subrip", "<i>Привет</i>\nмир".encode()),
        ("clip.mkv", "webvtt", "<v Bob>Привет</v>\nмир".encode()),
        ("clip.mkv", "ass", "0,0,Default,,0,0,0,,{\\i1}Привет{\\i0}\\Nмир".encode()),
        ("clip.mp4", "mov_text", b"\x00\x13" + "Привет\nмир".encode()),
        ("clip.mkv", "subrip", "<i>Привет</i>\nмир".encode("cp1251")),
    ],
)
def test_a_text_stream_is_read_from_its_container(
    tmp_path: Path, name: str, codec: str, payload: bytes
) -> None:
    path = make_subtitled(tmp_path / name, (codec, [(40, 200, payload)]))
    transcript, notes = read_subtitle_stream(path, SubtitleStream(1, codec, "rus"))
    assert transcript is not None
    assert tell(transcript.segments) == [("Привет\nмир", 0.04, 0.2)]
    assert (transcript.origin, transcript.language) == ("subtitle_stream", "rus")
    assert bool(notes) == (transcript.encoding == "cp1251")


def test_times_of_a_stream_count_from_the_first_video_frame(tmp_path: Path) -> None:
    packets = [(1000, 1200, b"one"), (1400, 1500, b"two")]
    path = make_subtitled(tmp_path / "late.mkv", ("subrip", packets), video_start_ms=1000)
    transcript, _ = read_subtitle_stream(path, SubtitleStream(1, "subrip", None))
    assert transcript is not None
    assert tell(transcript.segments) == [("one", 0.0, 0.2), ("two", 0.4, 0.5)]


def test_a_stream_that_cannot_be_read_gives_notes_and_no_error(tmp_path: Path) -> None:
    path = make_subtitled(tmp_path / "clip.mkv", ("subrip", [(0, 100, b"  ")]))
    for source, stream, fault in (
        (path, SubtitleStream(1, "subrip", None), "no readable cue"),
        (path, SubtitleStream(9, "subrip", None), "could not be read"),
        (path, SubtitleStream(1, "dvd_subtitle", None), "holds no text"),
        (tmp_path / "missing.mkv", SubtitleStream(1, "subrip", None), "could not be read"),
    ):
        transcript, notes = read_subtitle_stream(source, stream)
        assert transcript is None
        assert fault in " ".join(notes)


def test_a_stream_beyond_the_limit_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_subtitled(tmp_path / "clip.mkv", ("subrip", [(0, 100, b"long enough")]))
    monkeypatch.setattr(subtitles_module, "MAX_SUBTITLE_BYTES", 5)
    transcript, notes = read_subtitle_stream(path, SubtitleStream(1, "subrip", None))
    assert transcript is None
    assert "more than 5 bytes" in notes[0]


def test_the_stream_of_a_real_file_is_read(media_corpus: Path) -> None:
    path = media_corpus / "video" / "face_srt_subtitles.mkv"
    transcript, notes = read_subtitle_stream(path, SubtitleStream(2, "srt", "eng"))
    assert transcript is not None
    assert tell(transcript.segments) == [("This is the first subtitle.", 0.0, 1.234)]
    assert notes == ()


def test_sidecars_are_found_by_name_and_ranked(tmp_path: Path) -> None:
    for name in (
        "clip.mp4", "clip.VTT", "clip.srt", "clip.en.srt", "clip.ru.vtt", "clip.pt-BR.srt",
        "clip.trailer.srt", "clipper.srt", "other.srt", "clip.de.srt", "clip.de.mp4", "clip.txt",
    ):  # fmt: skip
        (tmp_path / name).touch()
    (tmp_path / "clip.fr.srt").mkdir()
    source = tmp_path / "clip.mp4"
    names = [item.path.name for item in find_sidecars(source)]
    assert names == ["clip.srt", "clip.VTT", "clip.en.srt", "clip.pt-BR.srt", "clip.ru.vtt"]
    russian = [(item.path.name, item.language) for item in find_sidecars(source, "ru-RU")]
    assert russian[:2] == [("clip.ru.vtt", "ru"), ("clip.srt", None)]
    assert [item.path.name for item in find_sidecars(tmp_path / "clip.de.mp4")] == ["clip.de.srt"]
    assert find_sidecars(tmp_path / "nowhere" / "clip.mp4") == ()


def test_a_sidecar_says_how_it_was_decoded(tmp_path: Path) -> None:
    path = tmp_path / "clip.srt"
    path.write_bytes(SRT.encode("cp1251"))
    transcript, notes = read_sidecar(Sidecar(path, "ru"))
    assert transcript is not None
    assert transcript.segments[0].text == "Привет, мир"
    assert (transcript.origin, transcript.encoding) == ("sidecar", "cp1251")
    assert notes == ("clip.srt was read as cp1251.",)


def test_a_webvtt_text_is_told_by_its_first_line_not_its_name(tmp_path: Path) -> None:
    path = tmp_path / "clip.srt"
    path.write_text("WEBVTT\n\n00:01.000 --> 00:02.000\nyes\n\nNOTE no\n", encoding="utf-8")
    transcript, _ = read_sidecar(Sidecar(path, None))
    assert transcript is not None
    assert tell(transcript.segments) == [("yes", 1.0, 2.0)]


@pytest.mark.parametrize("data", [b"", b"no cue at all", NOISE, b"\xff\xfe", b"\0" * 99])
def test_a_sidecar_without_a_cue_is_passed_over_with_a_note(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "clip.srt"
    path.write_bytes(data)
    transcript, notes = read_sidecar(Sidecar(path, None))
    assert transcript is None
    assert notes[-1] == "clip.srt holds no readable cue: not used."


def test_a_sidecar_beyond_the_limit_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subtitles_module, "MAX_SUBTITLE_BYTES", 5)
    path = tmp_path / "clip.srt"
    path.write_text(SRT, encoding="utf-8")
    transcript, notes = read_sidecar(Sidecar(path, None))
    assert transcript is None
    assert "not read" in notes[0]


def test_precedence_is_document_then_sidecar_then_stream(tmp_path: Path) -> None:
    source = make_subtitled(tmp_path / "clip.mkv", ("subrip", [(0, 100, b"from the stream")]))
    streams = (SubtitleStream(1, "subrip", "eng"),)
    document = tmp_path / "doc.json"
    document.write_text('{"title": "t", "transcript": "from the document"}', encoding="utf-8")

    def find(given: Path | dict[str, object] | None) -> tuple[str, str]:
        transcript = read_text_sources(source, given, streams).transcript
        assert transcript is not None
        return transcript.origin, transcript.segments[0].text

    assert find(None) == ("subtitle_stream", "from the stream")
    (tmp_path / "clip.srt").write_text(SRT, encoding="utf-8")
    assert find(None) == ("sidecar", "Привет, мир")
    assert find({"title": "no transcript"}) == ("sidecar", "Привет, мир")
    assert find(document) == ("document", "from the document")
    assert find({"transcript": [{"start_sec": 0, "end_sec": 1, "text": "x"}]}) == ("document", "x")


def test_an_unreadable_sidecar_gives_way_to_the_stream_with_a_note(tmp_path: Path) -> None:
    source = make_subtitled(tmp_path / "clip.mkv", ("subrip", [(0, 100, b"from the stream")]))
    (tmp_path / "clip.srt").write_bytes(b"nothing")
    found = read_text_sources(source, None, (SubtitleStream(1, "subrip", None),))
    assert found.transcript is not None
    assert found.transcript.origin == "subtitle_stream"
    assert found.notes == ("clip.srt holds no readable cue: not used.",)


def test_among_streams_the_language_of_the_document_is_preferred(tmp_path: Path) -> None:
    source = make_subtitled(
        tmp_path / "clip.mkv",
        ("subrip", [(0, 100, b"english")]),
        ("subrip", [(0, 100, "русский".encode())]),
    )
    streams = (SubtitleStream(1, "subrip", "eng"), SubtitleStream(2, "subrip", "rus"))
    for language, text in (("ru", "русский"), ("en-US", "english"), ("de", "english")):
        found = read_text_sources(source, {"language": language}, streams)
        assert found.transcript is not None
        assert found.transcript.segments[0].text == text
        assert "not read" in found.notes[0]


def test_without_any_text_there_is_none(tmp_path: Path) -> None:
    found = read_text_sources(tmp_path / "clip.mp4", None, ())
    assert found.transcript is None
    assert found.notes == ()


def test_a_side_car_that_comes_later_is_found_however_often_the_folder_was_listed(
    tmp_path: Path,
) -> None:
    source = tmp_path / "clip.mp4"
    source.write_bytes(b"x")
    long_ago = 1_600_000_000
    os.utime(tmp_path, (long_ago, long_ago))
    assert find_sidecars(source) == ()
    assert find_sidecars(source) == ()
    (tmp_path / "clip.srt").write_text("1\n00:00:00,000 --> 00:00:01,000\nHello\n")
    assert [sidecar.path.name for sidecar in find_sidecars(source)] == ["clip.srt"]
    (tmp_path / "clip.en.srt").write_text("1\n00:00:00,000 --> 00:00:01,000\nHello\n")
    assert len(find_sidecars(source)) == 2
