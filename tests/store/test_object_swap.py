"""P6, B6: conditional writes over a network that loses, repeats and refuses."""

from __future__ import annotations

import itertools

import pytest

from filmcan.errors import ConflictError, InvalidContentError, StoreUnavailableError
from filmcan.store.object_store.backend import ObjectStoreBackend
from filmcan.store.object_store.swap import REMEMBERED_WRITES
from filmcan.testing.faulty_proxy import Fault, FaultyProxy, Once, Request, never
from filmcan.testing.made_stores import PATIENT, open_bucket, reopen
from filmcan.testing.object_server import BUCKET, ask

PATH = "p/v/r/manifest.json"
_prefixes = itertools.count()


@pytest.fixture
def backend(faulty_proxy: FaultyProxy) -> ObjectStoreBackend:
    """A store that has been written to: its server has passed the test."""
    backend = open_bucket(f"swap/{next(_prefixes)}")
    backend.swap("p/before", b"x", expected=None)
    faulty_proxy.requests.clear()
    return backend


def is_swap(request: Request) -> bool:
    return request.is_conditional and request.path.endswith(PATH)


def read(backend: ObjectStoreBackend) -> bytes:
    return backend.read(PATH, limit=1000)


@pytest.mark.parametrize(
    "fault",
    [
        Fault("cut_after"),
        Fault("cut_body"),
        Fault("repeat"),
        Fault("answer_after", 500),
        Fault("answer_after", 503),
        Fault("answer_after", 409),
        Fault("answer_after", 412),
        Fault("cut_before"),
        Fault("answer", 500),
        Fault("answer", 503),
        Fault("answer", 429),
        Fault("answer", 409),
        Fault("answer", 412),
        Fault("answer", 404),
    ],
    ids=lambda fault: f"{fault.kind}{fault.status or ''}",
)
def test_p14_a_swap_does_what_it_says_whatever_becomes_of_its_first_request(
    backend: ObjectStoreBackend, faulty_proxy: FaultyProxy, fault: Fault
) -> None:
    """Done once and reported as done: also where the reply was lost and where nothing was done."""
    named = version = None
    for number in range(2):
        faulty_proxy.plan = strike = Once(fault, is_swap)
        named = version
        version = backend.swap(PATH, b"%d" % number, expected=named)
        assert strike.has_struck
        assert read(backend) == b"%d" % number
        # The version that was returned is the present one: it can be built on.
        found = backend.find_versioned(PATH, limit=1000)
        assert found is not None
        assert found.version == version
    with pytest.raises(ConflictError):
        reopen(backend).swap(PATH, b"late", expected=named)


def test_a_retry_in_the_dark_would_conflict_with_itself(
    backend: ObjectStoreBackend, faulty_proxy: FaultyProxy
) -> None:
    """What the client library would do: asked once by us, each request is looked into."""
    faulty_proxy.plan = Once(Fault("cut_after"), is_swap)
    backend.swap(PATH, b"one", expected=None)
    made = [(request.method, request.is_conditional) for request in faulty_proxy.requests]
    assert made == [("PUT", True), ("HEAD", False)]


def test_a_lost_reply_is_resolved_also_when_others_have_built_on_the_write(
    backend: ObjectStoreBackend, faulty_proxy: FaultyProxy
) -> None:
    others = reopen(backend)
    others.swap("p/warm", b"x", expected=None)
    built: list[str] = []

    def build_on_it(request: Request) -> Fault | None:
        """Cut the reply; before anyone looks, let others replace what was written."""
        if is_swap(request) and not built:
            built.append("cut")
            return Fault("cut_after")
        if request.method == "HEAD" and built == ["cut"]:
            built.append("built")
            for number in range(REMEMBERED_WRITES - 1):
                found = others.find_versioned(PATH, limit=1000)
                assert found is not None
                others.swap(PATH, b"other %d" % number, expected=found.version)
        return None

    faulty_proxy.plan = build_on_it
    version = backend.swap(PATH, b"mine", expected=None)
    assert built == ["cut", "built"]
    assert read(backend) == b"other %d" % (REMEMBERED_WRITES - 2)
    # It was written; but it is not what is there now, so nothing can be built on it.
    with pytest.raises(ConflictError):
        backend.swap(PATH, b"mine again", expected=version)


def test_a_race_that_was_lost_is_a_conflict_also_when_the_reply_was_lost(
    backend: ObjectStoreBackend, faulty_proxy: FaultyProxy
) -> None:
    version = backend.swap(PATH, b"one", expected=None)
    reopen(backend).swap(PATH, b"two", expected=version)
    faulty_proxy.plan = Once(Fault("cut_after"), is_swap)
    with pytest.raises(ConflictError, match="changed since it was read"):
        backend.swap(PATH, b"mine", expected=version)
    assert read(backend) == b"two"


def test_two_writers_of_the_same_bytes_are_told_apart(backend: ObjectStoreBackend) -> None:
    """Equal content is no proof: each write has an id of its own."""
    version = backend.swap(PATH, b"0", expected=None)
    backend.swap(PATH, b"1", expected=version)
    with pytest.raises(ConflictError):
        reopen(backend).swap(PATH, b"1", expected=version)


def test_replacing_what_was_deleted_is_a_conflict(backend: ObjectStoreBackend) -> None:
    """404 on If-Match."""
    version = backend.swap(PATH, b"one", expected=None)
    backend.remove(PATH)
    with pytest.raises(ConflictError):
        backend.swap(PATH, b"two", expected=version)


@pytest.mark.parametrize("status", [409, 412, 503])
def test_a_server_that_refuses_again_and_again_is_unavailable(
    backend: ObjectStoreBackend, faulty_proxy: FaultyProxy, status: int
) -> None:
    faulty_proxy.plan = lambda request: Fault("answer", status) if is_swap(request) else None
    with pytest.raises(StoreUnavailableError) as refusal:
        backend.swap(PATH, b"one", expected=None)
    assert str(status) in refusal.value.message
    assert sum(map(is_swap, faulty_proxy.requests)) == PATIENT.tries
    faulty_proxy.plan = never
    assert backend.find_versioned(PATH, limit=10) is None


def test_a_denied_swap_is_not_tried_again(
    backend: ObjectStoreBackend, faulty_proxy: FaultyProxy
) -> None:
    faulty_proxy.plan = lambda request: Fault("answer", 403) if is_swap(request) else None
    with pytest.raises(StoreUnavailableError) as refusal:
        backend.swap(PATH, b"one", expected=None)
    assert refusal.value.code == "store_denied"
    assert len(faulty_proxy.requests) == 1


# --- what a server must be able to do ----------------------------------------------------------


@pytest.mark.parametrize(
    "ignored", [{"if-none-match"}, {"if-match"}, {"if-match", "if-none-match"}]
)
@pytest.mark.parametrize("is_new", [True, False])
def test_p6_a_server_that_ignores_conditions_is_refused_for_writing(
    faulty_proxy: FaultyProxy, ignored: set[str], *, is_new: bool
) -> None:
    backend = open_bucket(f"swap/{next(_prefixes)}")
    if not is_new:
        backend.swap("p/before", b"x", expected=None)
    faulty_proxy.plan = lambda request: (
        Fault("strip") if not ignored.isdisjoint(request.headers) else None
    )
    for write in (
        lambda store: store.swap(PATH, b"x", expected=None),
        lambda store: store.stage("p/v/r"),
        lambda store: store.exclusive("p/v"),
    ):
        with pytest.raises(StoreUnavailableError) as refusal:
            write(reopen(backend))
        assert refusal.value.code == "no_conditions"
    listing = backend.list_folder("")
    assert listing.folders == (("_filmcan",) if is_new else ("_filmcan", "p"))
    assert backend.read("_filmcan/format", limit=100) == b"filmcan store 1\n"


def test_a_server_is_tested_once_and_a_test_without_an_answer_is_made_again(
    faulty_proxy: FaultyProxy,
) -> None:
    backend = open_bucket(f"swap/{next(_prefixes)}")
    faulty_proxy.plan = Once(
        Fault("answer", 503), lambda request: request.is_conditional, times=2, skip=1
    )
    backend.swap(PATH, b"one", expected=None)
    tests = [request for request in faulty_proxy.requests if request.is_conditional]
    assert len(tests) == 1 + 2 + 2 + 1
    faulty_proxy.requests.clear()
    backend.swap(f"{PATH}2", b"one", expected=None)
    assert len(faulty_proxy.requests) == 1


def test_a_server_that_never_answers_the_test_is_unavailable(faulty_proxy: FaultyProxy) -> None:
    backend = open_bucket(f"swap/{next(_prefixes)}")
    faulty_proxy.plan = Once(
        Fault("answer", 503), lambda request: request.is_conditional, times=1000, skip=1
    )
    with pytest.raises(StoreUnavailableError, match="503"):
        backend.swap(PATH, b"one", expected=None)


def test_a_marker_that_other_tools_copied_is_taken_over(
    faulty_proxy: FaultyProxy, object_server: str
) -> None:
    """A store that was uploaded from a disk has no ids of writes."""
    prefix = f"swap/{next(_prefixes)}"
    ask(object_server, "PUT", f"/{BUCKET}/{prefix}/_filmcan/format", b"filmcan store 1\n")
    backend = open_bucket(prefix)
    backend.swap(PATH, b"one", expected=None)
    assert read(backend) == b"one"


def test_a_server_that_drops_metadata_is_refused(
    faulty_proxy: FaultyProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    from filmcan.store.object_store import client

    monkeypatch.setattr(client, "_build_attributes", lambda writes: {})
    with pytest.raises(StoreUnavailableError) as refusal:
        open_bucket(f"swap/{next(_prefixes)}").swap(PATH, b"one", expected=None)
    assert refusal.value.code == "no_metadata"


def test_a_store_of_another_format_is_not_written(
    faulty_proxy: FaultyProxy, object_server: str
) -> None:
    prefix = f"swap/{next(_prefixes)}"
    ask(object_server, "PUT", f"/{BUCKET}/{prefix}/_filmcan/format", b"filmcan store 2\n")
    with pytest.raises(StoreUnavailableError) as refusal:
        open_bucket(prefix).stage("a")
    assert refusal.value.code == "unknown_format"


def test_of_two_who_make_a_store_at_once_both_may_write(faulty_proxy: FaultyProxy) -> None:
    prefix = f"swap/{next(_prefixes)}"
    other: list[str] = []

    def be_faster(request: Request) -> None:
        if request.is_conditional and not other:
            other.append(request.path)
            open_bucket(prefix).swap(PATH, b"other", expected=None)

    faulty_proxy.plan = be_faster
    open_bucket(prefix).swap(f"{PATH}2", b"one", expected=None)
    assert other == [f"/{BUCKET}/{prefix}/_filmcan/format"]


# --- addresses -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "s3://",
        "s3:///prefix",
        "s3://key:secret@bucket/prefix",
        "s3://bucket/prefix?token=secret",
        "s3://bucket/prefix#secret",
    ],
)
def test_b7_an_address_that_may_hold_a_secret_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(StoreUnavailableError) as refusal:
        ObjectStoreBackend(url)
    assert refusal.value.code == "bad_url"
    assert "secret" not in str(refusal.value)


def test_p10_a_prefix_that_leads_elsewhere_is_refused() -> None:
    with pytest.raises(InvalidContentError):
        ObjectStoreBackend("s3://bucket/a/../b")


def test_an_option_that_is_wrong_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CONDITIONAL_PUT", "whatever")
    with pytest.raises(StoreUnavailableError, match="cannot be opened"):
        ObjectStoreBackend("s3://bucket/prefix")
