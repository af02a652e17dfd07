"""Reading from a bucket: what one artifact costs in requests, and that no later bytes slip in."""

from __future__ import annotations

import hashlib
import itertools
import threading
from dataclasses import replace

import numpy as np
import pytest

from filmcan.errors import InvalidContentError, NotFoundError, StoreUnavailableError
from filmcan.npz.artifact import Artifact
from filmcan.npz.npy import open_npy, write_npy
from filmcan.npz.reader import open_npz
from filmcan.npz.source import FillingSource
from filmcan.npz.verified import read_hashed
from filmcan.npz.writer import write_npz
from filmcan.store.artifact_files import write_artifacts
from filmcan.store.object_store.backend import ObjectStoreBackend
from filmcan.store.object_store.source import NEAR_BYTES
from filmcan.testing.faulty_proxy import Fault, FaultyProxy, Once, Request
from filmcan.testing.made_stores import PATIENT
from filmcan.testing.object_server import BUCKET, ask
from filmcan.testing.store_suite import publish

PART = 1 << 20
META = {"status": "ok", "producer": "test"}
_prefixes = itertools.count()


@pytest.fixture
def backend(faulty_proxy: FaultyProxy) -> ObjectStoreBackend:
    tuning = replace(PATIENT, part_bytes=PART, parallel=3)
    return ObjectStoreBackend(f"s3://{BUCKET}/source/{next(_prefixes)}", tuning)


@pytest.fixture
def large(backend: ObjectStoreBackend, faulty_proxy: FaultyProxy) -> np.ndarray:
    """An artifact of 5 MiB with small arrays behind its large one; return the large one."""
    array = np.random.default_rng(3).random((5 << 10, 256), np.float32)
    small = {f"small_{number}": np.arange(10) + number for number in range(4)}
    with backend.stage("r/c") as staged:
        write_npz(staged.file, {"large": array, **small}, META)
        staged.publish("r/c/c.npz")
    faulty_proxy.requests.clear()
    return array


def list_ranges(proxy: FaultyProxy) -> list[str]:
    """Return what ranges were asked for since last time; nothing but ranges was."""
    assert {request.method for request in proxy.requests} <= {"GET"}
    ranges = [request.headers["range"].removeprefix("bytes=") for request in proxy.requests]
    proxy.requests.clear()
    return ranges


def test_meta_and_small_arrays_cost_one_suffix_request(
    backend: ObjectStoreBackend, large: np.ndarray, faulty_proxy: FaultyProxy
) -> None:
    artifact = Artifact(open_npz(backend.open("r/c/c.npz")))
    assert artifact.meta == META
    assert artifact.keys() == ("large", "small_0", "small_1", "small_2", "small_3")
    assert artifact["small_2"].tolist() == list(range(2, 12))
    assert list_ranges(faulty_proxy) == [f"-{NEAR_BYTES}"]


def test_a_slice_costs_its_header_and_its_rows_and_neighbours_come_along(
    backend: ObjectStoreBackend, large: np.ndarray, faulty_proxy: FaultyProxy
) -> None:
    npz = open_npz(backend.open("r/c/c.npz"))
    list_ranges(faulty_proxy)
    assert np.array_equal(npz.read("large", slice(2000, 2005)), large[2000:2005])
    header, rows = list_ranges(faulty_proxy)
    assert header == f"0-{NEAR_BYTES - 1}"
    first, last = map(int, rows.split("-"))
    assert last - first == NEAR_BYTES - 1, "a short slice takes what lies behind it along"
    # What lies behind is here already, the header as well.
    assert np.array_equal(npz.read("large", slice(2005, 2050)), large[2005:2050])
    assert np.array_equal(npz.read("large", slice(0, 3)), large[:3])
    assert list_ranges(faulty_proxy) == []
    # A long one is asked for as it is.
    assert np.array_equal(npz.read("large", slice(3000, 3500)), large[3000:3500])
    (only,) = list_ranges(faulty_proxy)
    first, last = map(int, only.split("-"))
    assert last - first + 1 == 500 * 1024
    # Many distant slices do not pile up.
    for start in range(100, 5000, 100):
        npz.read("large", slice(start, start + 1))
    assert len(list_ranges(faulty_proxy)) == 49


def test_a_large_array_comes_in_parts_at_the_same_time(
    backend: ObjectStoreBackend, large: np.ndarray, faulty_proxy: FaultyProxy
) -> None:
    npz = open_npz(backend.open("r/c/c.npz"))
    npz.dtype("large")
    list_ranges(faulty_proxy)
    together = threading.Barrier(3)

    def wait_for_others(request: Request) -> None:
        if len(faulty_proxy.requests) < 3:
            together.wait(timeout=60)

    faulty_proxy.plan = wait_for_others
    assert np.array_equal(npz.read("large"), large)
    ranges = sorted(map(int, (text.split("-")[0] for text in list_ranges(faulty_proxy))))
    assert len(ranges) == 5
    assert np.diff(ranges).tolist() == [PART] * 4


def test_a_sub_artifact_costs_one_request_for_its_shape_and_parts_for_its_data(
    backend: ObjectStoreBackend, faulty_proxy: FaultyProxy
) -> None:
    array = np.arange(3 << 18, dtype=np.float64)  # 6 MiB
    records = write_artifacts(backend, "r", "c", {"x": array, "y": array[:3]}, META, beside=["x"])
    faulty_proxy.requests.clear()
    with open_npy(backend.open(f"r/{records[1].path}")) as npy:
        assert (npy.shape, npy.dtype) == (array.shape, array.dtype)
        assert list_ranges(faulty_proxy) == [f"0-{NEAR_BYTES - 1}"]
        assert np.array_equal(npy.read(slice(100_000, 100_100)), array[100_000:100_100])
        assert len(list_ranges(faulty_proxy)) == 1
        assert np.array_equal(npy.read(), array)
        assert len(list_ranges(faulty_proxy)) == 6
    artifact = Artifact(
        open_npz(backend.open(f"r/{records[0].path}")),
        open_beside=lambda name: backend.open(f"r/c/{name}"),
    )
    assert np.array_equal(artifact["x"], array)
    # NPZ tail; header twice (to look, to check); all bytes hashed, then the array read.
    assert len(list_ranges(faulty_proxy)) == 1 + 2 + 7 + 6


def test_all_bytes_and_their_digest_come_at_once(
    backend: ObjectStoreBackend, large: np.ndarray, faulty_proxy: FaultyProxy
) -> None:
    source = backend.open("r/c/c.npz")
    assert isinstance(source, FillingSource)
    data, digest = read_hashed(source)
    assert hashlib.sha256(data).hexdigest() == digest
    assert len(list_ranges(faulty_proxy)) == 1 + 6


@pytest.mark.parametrize("name", ["file", "file.npy"])
def test_reads_near_the_end_are_as_short_as_those_of_a_file(
    backend: ObjectStoreBackend, name: str
) -> None:
    data = bytes(range(256)) * 1024
    publish(backend, f"a/{name}", data)
    source = backend.open(f"a/{name}")
    assert source.name == name
    for offset, size in (
        (0, 10),
        (len(data) - 5, 10),
        (len(data), 4),
        (len(data) + 7, 4),
        (len(data) + 7, 2 * PART),
        (0, 2 * len(data)),
        (10, NEAR_BYTES),
        (len(data) - NEAR_BYTES - 10, 20),
    ):
        assert bytes(source.read_at(offset, size)) == data[offset : offset + size]
    target = bytearray(20)
    assert source.read_into(len(data) - 8, memoryview(target)) == 8
    assert bytes(target[:8]) == data[-8:]
    assert source.read_into(len(data) + 3, memoryview(target)) == 0


def test_a_read_longer_than_a_part_is_split(
    backend: ObjectStoreBackend, large: np.ndarray, faulty_proxy: FaultyProxy
) -> None:
    source = backend.open("r/c/c.npz")
    list_ranges(faulty_proxy)
    whole = bytes(source.read_at(0, source.size))
    assert len(whole) == source.size
    assert bytes(source.read_at(PART, 2 * PART)) == whole[PART : 3 * PART]
    assert len(list_ranges(faulty_proxy)) == 6 + 2


@pytest.mark.parametrize("name", ["file", "file.npy"])
def test_an_empty_object_has_no_bytes(backend: ObjectStoreBackend, name: str) -> None:
    publish(backend, f"a/{name}", b"")
    source = backend.open(f"a/{name}")
    assert source.size == 0
    assert bytes(source.read_at(0, 10)) == b""


def test_a_server_without_suffix_ranges_is_asked_twice(
    backend: ObjectStoreBackend, large: np.ndarray, faulty_proxy: FaultyProxy
) -> None:
    def refuse(request: Request) -> Fault | None:
        return (
            Fault("answer", 416) if request.headers.get("range", "").startswith("bytes=-") else None
        )

    faulty_proxy.plan = refuse
    assert open_npz(backend.open("r/c/c.npz")).read_meta() == META
    assert [request.method for request in faulty_proxy.requests] == ["GET", "HEAD", "GET"]


def test_a_refused_first_range_is_an_error_where_there_are_bytes(
    backend: ObjectStoreBackend, faulty_proxy: FaultyProxy
) -> None:
    with backend.stage("a") as staged:
        write_npy(staged.file, np.arange(10))
        staged.publish("a/x.npy")
    faulty_proxy.plan = lambda request: Fault("answer", 416) if request.method == "GET" else None
    with pytest.raises(StoreUnavailableError, match="416"):
        backend.open("a/x.npy")


@pytest.mark.parametrize("what", ["replaced", "removed"])
def test_p2_bytes_of_another_object_never_slip_in(
    backend: ObjectStoreBackend, large: np.ndarray, what: str
) -> None:
    npz = open_npz(backend.open("r/c/c.npz"))
    backend.remove("r/c/c.npz")
    if what == "replaced":
        publish(backend, "r/c/c.npz", bytes(6 << 20))
    assert npz.read("small_1").tolist() == list(range(1, 11)), "what came with the first reply"
    with pytest.raises(StoreUnavailableError) as refusal:
        npz.read("large")
    assert refusal.value.code == "changed_meanwhile"


def test_a_bucket_that_keeps_versions_keeps_what_a_reader_has_open(
    backend: ObjectStoreBackend, object_server: str
) -> None:
    bucket = "kept"
    ask(object_server, "PUT", f"/{bucket}")
    ask(
        object_server,
        "PUT",
        f"/{bucket}?versioning=",
        b'<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        b"<Status>Enabled</Status></VersioningConfiguration>",
    )
    versioned = ObjectStoreBackend(f"s3://{bucket}/store", PATIENT)
    publish(versioned, "a/file", b"old" * 40_000)
    source = versioned.open("a/file")
    publish(versioned, "a/file", b"new" * 40_000)
    assert bytes(source.read_at(0, 6)) == b"oldold"
    version = versioned.swap("a/swapped", b"one", expected=None)
    versioned.swap("a/swapped", b"two", expected=version)
    assert versioned.read("a/swapped", limit=10) == b"two"


@pytest.mark.parametrize(
    "fault", [Fault("cut_before"), Fault("cut_after"), Fault("cut_body"), Fault("answer", 503)]
)
def test_a_range_that_did_not_come_is_asked_for_again(
    backend: ObjectStoreBackend, large: np.ndarray, faulty_proxy: FaultyProxy, fault: Fault
) -> None:
    faulty_proxy.plan = Once(fault, lambda request: request.method == "GET", times=3, skip=1)
    npz = open_npz(backend.open("r/c/c.npz"))
    assert np.array_equal(npz.read("large"), large)


def test_a_read_over_its_limit_fetches_nothing(
    backend: ObjectStoreBackend, large: np.ndarray
) -> None:
    with pytest.raises(InvalidContentError) as refusal:
        backend.read("r/c/c.npz", limit=1000)
    assert refusal.value.code == "too_large"
    with pytest.raises(InvalidContentError):
        backend.find_versioned("r/c/c.npz", limit=1000)
    with pytest.raises(NotFoundError):
        backend.open("r/c/none.npy")
