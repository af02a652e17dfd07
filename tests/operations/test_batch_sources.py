"""What a batch's sources mean: files, folders, globs, lists."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from filmcan.errors import BadProfileError, NotFoundError
from filmcan.operations.batch_sources import BatchItem, find_items


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.mp4", "a.MOV", "deep/c.wav", "notes.txt", ".hidden/d.mp4", "deep/.e.mp4"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    return tmp_path


def names(*sources: str) -> list[str]:
    return [item.source.name for item in find_items(sources)]


def test_a_folder_gives_its_media_to_the_bottom_in_order(folder: Path) -> None:
    assert names(str(folder)) == ["a.MOV", "b.mp4", "c.wav"]


def test_a_named_file_is_taken_whatever_it_is_called_and_each_file_once(folder: Path) -> None:
    assert names(str(folder / "notes.txt"), str(folder / "notes.txt")) == ["notes.txt"]
    assert names(str(folder / "absent.mp4")) == ["absent.mp4"]


def test_a_glob_goes_through_folders(folder: Path) -> None:
    assert names(f"{folder}/**/*.wav") == ["c.wav"]
    assert names(f"{folder}/*.mp4") == ["b.mp4"]


def test_names_that_mean_nothing_are_errors(folder: Path) -> None:
    with pytest.raises(NotFoundError, match="no file matches"):
        find_items([f"{folder}/*.avi"])
    (folder / "empty").mkdir()
    with pytest.raises(NotFoundError, match="no media file"):
        find_items([str(folder / "empty")])


ROWS = [
    {"source": "b.mp4", "platform_id": "yt", "video_id": "-x1", "document": "doc.json"},
    {"source": "deep/c.wav", "platform_id": "", "video_id": "", "document": '{"title": "T"}'},
]


def build_wanted(folder: Path) -> list[BatchItem]:
    return [
        BatchItem(folder / "b.mp4", "yt", "-x1", folder / "doc.json"),
        BatchItem(folder / "deep" / "c.wav", None, None, {"title": "T"}),
    ]


def test_lists_of_all_kinds_give_ids_and_documents(folder: Path) -> None:
    csv = folder / "list.csv"
    csv.write_text(
        "source,platform_id,video_id,document\n"
        'b.mp4,yt,-x1,doc.json\ndeep/c.wav,,,"{""title"": ""T""}"\n'
    )
    lines = folder / "list.jsonl"
    rows = [ROWS[0], {"path": "deep/c.wav", "document": {"title": "T"}}]
    lines.write_text("\n\n".join(json.dumps(row) for row in rows))
    parquet = folder / "list.parquet"
    pq.write_table(pa.Table.from_pylist(ROWS), parquet)
    for path in (csv, lines, parquet):
        assert find_items([str(path)]) == build_wanted(folder), path.name


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.csv", b"source\n\xff\n", "not readable as CSV"),
        ("a.csv", b"name\nx.mp4\n", "a.csv row 1"),
        ("a.jsonl", b'{"source": "a.mp4"}\n{"source": }', "a.jsonl line 2"),
        ("a.jsonl", b"[1]", "expected an object"),
        ("a.jsonl", b'{"source": "a.mp4", "video_id": 7}', "expected a text in video_id"),
        ("a.jsonl", b'{"source": "a.mp4", "document": 7}', "expected a path or an object"),
        ("a.jsonl", b'{"source": "a.mp4", "document": "{no"}', "not valid JSON"),
        ("a.parquet", b"no parquet", "not readable as Parquet"),
    ],
)
def test_a_malformed_list_is_refused_with_its_row(
    tmp_path: Path, name: str, content: bytes, told: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadProfileError) as caught:
        find_items([str(tmp_path / name)])
    assert told in str(caught.value)
