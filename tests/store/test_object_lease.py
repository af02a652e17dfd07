"""B6: leases make collisions rare; whoever comes back too late is fenced by swaps."""

from __future__ import annotations

import itertools
import threading
from dataclasses import replace

import pytest

from filmcan.errors import ConflictError, StoreUnavailableError
from filmcan.store.manifests import read_manifest
from filmcan.store.object_store.backend import ObjectStoreBackend
from filmcan.store.object_store.lease import build_claim, build_lease_path
from filmcan.testing.faulty_proxy import Fault, FaultyProxy, Request
from filmcan.testing.made_stores import PATIENT, begin_run, commit, open_bucket, reopen
from filmcan.testing.object_server import BUCKET

NAME = "local/v1"
PATH = build_lease_path(NAME)
PATIENCE_SEC = 60.0
_prefixes = itertools.count()


@pytest.fixture
def backend(faulty_proxy: FaultyProxy) -> ObjectStoreBackend:
    return open_bucket(f"lease/{next(_prefixes)}")


def read(backend: ObjectStoreBackend) -> bytes:
    return backend.read(PATH, limit=1000)


def test_a_lease_is_held_while_the_block_runs_and_free_afterwards(
    backend: ObjectStoreBackend, faulty_proxy: FaultyProxy
) -> None:
    with backend.exclusive(NAME):
        assert read(backend).startswith(b"filmcan lease 1\nheld ")
    assert read(backend) == b"filmcan lease 1\nfree\n"
    faulty_proxy.requests.clear()
    with backend.exclusive(NAME):
        pass
    # Whoever held it last takes it by one request, and frees it by one.
    assert [request.method for request in faulty_proxy.requests] == ["PUT", "PUT"]
    other = reopen(backend)
    with other.exclusive(NAME):
        pass
    with backend.exclusive(NAME):
        assert b"held" in read(backend)


@pytest.mark.parametrize("left", [build_claim(0.05), b"not a lease"])
def test_a_lease_whose_holder_died_is_taken_over(backend: ObjectStoreBackend, left: bytes) -> None:
    backend.swap(PATH, left, expected=None)
    heir = ObjectStoreBackend(backend.url, replace(PATIENT, lease_sec=0.05))
    with heir.exclusive(NAME):
        assert read(backend) != left


def test_a_lease_that_is_renewed_is_not_taken_over(backend: ObjectStoreBackend) -> None:
    """The waiter sees many more looks than the term, yet waits for the holder."""
    order: list[str] = []
    holder = ObjectStoreBackend(backend.url, replace(PATIENT, lease_sec=0.6))
    renewed = threading.Event()

    def wait_for_it() -> None:
        with backend.exclusive(NAME):
            order.append("waiter")

    with holder.exclusive(NAME):
        first = read(backend)
        waiter = threading.Thread(target=wait_for_it)
        waiter.start()
        for _ in range(3):
            while read(backend) == first:
                renewed.wait(0.02)
            first = read(backend)
        order.append("holder")
    waiter.join(PATIENCE_SEC)
    assert order == ["holder", "waiter"]


def test_a_renewal_that_cannot_be_made_is_made_later(
    backend: ObjectStoreBackend, faulty_proxy: FaultyProxy
) -> None:
    holder = ObjectStoreBackend(backend.url, replace(PATIENT, tries=1, lease_sec=0.15))
    refused, went_on = threading.Event(), threading.Event()

    def refuse_one(request: Request) -> Fault | None:
        if request.method != "PUT" or not request.path.endswith(".exclusive.lock"):
            return None
        if not refused.is_set():
            refused.set()
            return Fault("answer", 503)
        went_on.set()
        return None

    with holder.exclusive(NAME):
        faulty_proxy.plan = refuse_one
        assert went_on.wait(PATIENCE_SEC)
    assert refused.is_set()


def test_a_lease_that_was_taken_over_is_not_freed_by_its_former_holder(
    backend: ObjectStoreBackend,
) -> None:
    holder = ObjectStoreBackend(backend.url, replace(PATIENT, lease_sec=0.15))
    taken = build_claim(500.0)
    with holder.exclusive(NAME):
        while True:  # until no renewal comes between
            found = backend.find_versioned(PATH, limit=1000)
            assert found is not None
            try:
                backend.swap(PATH, taken, expected=found.version)
            except ConflictError:
                continue
            break
        assert read(backend) == taken
        threads = [item for item in threading.enumerate() if item.name == "filmcan-lease"]
        for thread in threads:  # the renewal finds out, and ends
            thread.join(PATIENCE_SEC)
            assert not thread.is_alive()
    assert read(backend) == taken


def test_a_lease_that_cannot_be_freed_runs_out_by_itself(
    backend: ObjectStoreBackend, faulty_proxy: FaultyProxy
) -> None:
    with backend.exclusive(NAME):
        faulty_proxy.plan = lambda request: (
            Fault("answer", 403) if request.method == "PUT" else None
        )
    assert b"held" in read(backend)


def test_p6_a_writer_that_lost_its_lease_is_fenced_by_its_swap(
    backend: ObjectStoreBackend,
) -> None:
    """It wakes up within its block and goes on; the manifest is what stops it."""
    slow = begin_run(backend)
    fast = reopen(backend)
    manifest_path = f"{slow.run_path}/manifest.json"
    with backend.exclusive(NAME):
        seen = backend.find_versioned(manifest_path, limit=1 << 20)
        assert seen is not None
        lease = fast.find_versioned(PATH, limit=1000)
        assert lease is not None
        fast.swap(PATH, build_claim(30.0), expected=lease.version)  # as after the term
        current = fast.find_versioned(manifest_path, limit=1 << 20)
        assert current is not None
        fast.swap(manifest_path, current.data + b" ", expected=current.version)
        with pytest.raises(ConflictError):
            backend.swap(manifest_path, seen.data, expected=seen.version)
    lease = fast.find_versioned(PATH, limit=1000)
    assert lease is not None
    assert b"held" in lease.data
    fast.swap(PATH, b"filmcan lease 1\nfree\n", expected=lease.version)
    commit(slow)
    assert read_manifest(backend, slow.run_path).run.revision == 2


def test_a_store_that_cannot_be_reached_gives_no_lease(
    backend: ObjectStoreBackend, faulty_proxy: FaultyProxy
) -> None:
    faulty_proxy.plan = lambda request: Fault("answer", 403)
    with pytest.raises(StoreUnavailableError), backend.exclusive(NAME):
        pass
    assert BUCKET in faulty_proxy.requests[0].path
