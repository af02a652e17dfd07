"""Hostile files: every one is a typed error, nothing runs, nothing grows (threats B1-B3)."""

from __future__ import annotations

import copyreg
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from filmcan.errors import InvalidArtifactError
from filmcan.npz.reader import open_npz
from filmcan.npz.writer import write_npz
from filmcan.testing.hostile_case import MARKER, HostileCase
from filmcan.testing.hostile_members import make_bomb, make_largest
from filmcan.testing.hostile_npz import CASES
from filmcan.testing.hostile_zip import make_zip64
from filmcan.testing.made_npz import make_meta_npz, make_npy, make_npz, wrap_pickle

Reader = Callable[[bytes], object]


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_p8_b1_b2_b3_a_hostile_file_is_refused_and_does_nothing(
    case: HostileCase, read_everything: Reader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidArtifactError) as caught:
        read_everything(case.build())
    assert caught.value.code == case.code
    assert caught.value.where.startswith("hostile.npz")
    assert len(str(caught.value)) < 600
    assert not (tmp_path / MARKER).exists()


def test_the_corpus_covers_every_bullet_at_least_twice() -> None:
    bullets = """
        b1_call b1_name b1_ext b1_persistent b1_side b1_early b1_second b1_state b1_memo
        b1_length b1_depth b1_shared b1_cycle b1_integer b1_keys b1_encode b1_shape b1_member
        b1_meta b1_json b2_dtype b2_shape b2_size b2_header b2_member b3_end b3_zip64 b3_local
        b3_layout b3_method b3_encrypted b3_name b3_extra b3_twins b3_bomb b3_inflate b3_descriptor
        b3_crc
    """
    thin = [
        bullet for bullet in bullets.split() if sum(name.startswith(bullet) for name in CASES) < 2
    ]
    assert thin == []


def test_p8_b1_a_warm_extension_cache_is_never_asked(read_everything: Reader) -> None:
    """CPython resolves EXT opcodes from a cache that no find_class sees."""
    copyreg.add_extension("os", "system", 4_711)
    copyreg._extension_cache[4_711] = os.system  # type: ignore[attr-defined] - warm it
    try:
        payload = b"\x83\x67\x12(X\x04\x00\x00\x00truetR"
        with pytest.raises(InvalidArtifactError, match="EXT2"):
            read_everything(make_meta_npz(wrap_pickle(payload)))
    finally:
        copyreg.remove_extension("os", "system", 4_711)


def test_b3_an_honest_zip64_archive_is_read() -> None:
    with open_npz(make_zip64()) as npz:
        npz.check()
        assert npz.keys() == ("a", "b")


_CHILD = """
import json, resource, sys, time
from pathlib import Path
from filmcan.errors import InvalidArtifactError
from filmcan.npz.reader import open_npz

def read(data):
    with open_npz(data) as npz:
        npz.check()
        [npz.read(key) for key in npz]
        npz.read_meta_object()
        npz.read_meta()

folder = Path(sys.argv[1])
names = sys.argv[3].split(",")
contents = {name: (folder / name).read_bytes() for name in names}
read((folder / "benign").read_bytes())   # whatever is loaded lazily is loaded now
pages = int(Path("/proc/self/statm").read_text().split()[0])
limit = pages * resource.getpagesize() + int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
events, found = [], {}
armed = False
def hook(event, arguments):
    if armed and event.split(".")[0] in {"import", "open", "exec", "compile", "subprocess", "os",
                                         "pickle", "marshal", "socket", "ctypes", "code"}:
        events.append(event)
sys.addaudithook(hook)
armed = True
import colorsys  # the hook works
armed = False
assert "import" in events
events.clear()
for name, data in contents.items():
    started = time.process_time()
    armed = True
    try:
        read(data)
    except InvalidArtifactError as error:
        code = error.code
    except BaseException as error:
        code = repr(error)
    else:
        code = "accepted"
    armed = False
    found[name] = [code, round(time.process_time() - started, 2)]
print(json.dumps([found, sorted(set(events))]))
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")
def test_p8_b1_the_whole_corpus_stays_within_512_mib_and_5_s_and_imports_nothing(
    tmp_path: Path, typical_arrays: dict[str, Any], typical_meta: dict[str, Any]
) -> None:
    with (tmp_path / "benign").open("x+b") as file:
        write_npz(file, typical_arrays, typical_meta)
    for name, case in CASES.items():
        (tmp_path / name).write_bytes(case.build())
    found = subprocess.run(
        [sys.executable, "-c", _CHILD, str(tmp_path), str(512 << 20), ",".join(CASES)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    results, events = json.loads(found.stdout)
    assert {name: code for name, (code, _) in results.items()} == {
        name: case.code for name, case in CASES.items()
    }
    assert max(seconds for _, seconds in results.values()) < 5
    assert events == []
    assert not (tmp_path / MARKER).exists()


_KEEPER = """
import itertools, json, resource, sys, time
from pathlib import Path
from filmcan.errors import InvalidArtifactError
from filmcan.npz.reader import open_npz
from filmcan.npz.validate import validate_npz

path, benign = Path(sys.argv[1]), Path(sys.argv[2])
validate_npz(benign, [], allow_unknown_schema=True)   # whatever is loaded lazily is loaded now
pages = int(Path("/proc/self/statm").read_text().split()[0])
limit = pages * resource.getpagesize() + (512 << 20)
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
kept = []
def keep(read, *arguments):
    try:
        kept.append(read(*arguments))
    except InvalidArtifactError as error:
        return error.code

started = [time.process_time()]
with open_npz(path) as npz:
    checked = keep(npz.check)
    started.append(time.process_time())
    for key in npz:
        keep(npz.read, key)
    keep(npz.read_meta)
kept.clear()
started.append(time.process_time())
issues = sorted({issue.code for issue in validate_npz(path, [], allow_unknown_schema=True)})
started.append(time.process_time())
print(json.dumps([checked, issues, max(b - a for a, b in itertools.pairwise(started))]))
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")
@pytest.mark.parametrize(
    ("build", "checked", "issues", "bar_sec"),
    [
        (make_bomb, "limit_exceeded", ["limit_exceeded", "meta_missing"], 5),
        (make_largest, None, ["meta_disagrees", "schema_unknown"], 15),  # 4 s on an idle core
    ],
    ids=["bomb", "largest"],
)
def test_p8_b1_b3_a_small_file_fits_into_512_mib_whatever_is_in_it(
    tmp_path: Path,
    build: Callable[[], bytes],
    checked: str | None,
    issues: list[str],
    bar_sec: float,
) -> None:
    """A bomb, and a file that takes all that the limits allow, with every array of it kept."""
    (tmp_path / "benign").write_bytes(make_npz({"meta": make_npy(np.array({}, object))}))
    path = tmp_path / "hostile.npz"
    path.write_bytes(build())
    assert path.stat().st_size < 1 << 20
    found = subprocess.run(
        [sys.executable, "-c", _KEEPER, str(path), str(tmp_path / "benign")],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    *said, seconds = json.loads(found.stdout)
    assert said == [checked, issues]
    assert seconds < bar_sec


def test_refusing_leaves_no_open_file_behind(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(b"PK\x03\x04" + bytes(100))
    before = psutil.Process().num_fds()
    for _ in range(20):
        with pytest.raises(InvalidArtifactError, match=r"a\.npz"):
            open_npz(path)
    assert psutil.Process().num_fds() == before


def test_b2_numpy_itself_accepts_what_the_strict_reader_refuses() -> None:
    """The refusals are decisions, not mistakes: numpy reads this header, its text evaluated."""
    data = CASES["b2_dtype_void"].build()
    with np.load(io.BytesIO(data)) as npz:
        assert npz["a"].dtype.kind == "V"
