"""The rules of `store.base.Backend` as tests. A backend's test module subclasses `StoreSuite`.

A subclass supplies the fixture `backend`, a fresh and empty store, and `reopen`, another handle
on the same bytes as a second process would get.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from filmcan.errors import ConflictError, InvalidContentError, NotFoundError

if TYPE_CHECKING:
    from filmcan.store.base import Backend

_LIMIT = 1 << 20


class StoreSuite:
    """What every backend keeps."""

    @pytest.fixture
    def backend(self) -> Backend:
        """Return a fresh store."""
        raise NotImplementedError

    def reopen(self, backend: Backend) -> Backend:
        """Return another handle on the same store."""
        raise NotImplementedError

    def test_a_published_file_reads_back_through_another_handle(self, backend: Backend) -> None:
        publish(backend, "a/b/c/file.npz", b"bytes")
        again = self.reopen(backend)
        assert again.read("a/b/c/file.npz", limit=_LIMIT) == b"bytes"
        source = again.open("a/b/c/file.npz")
        assert source.size == len(b"bytes")
        assert bytes(source.read_at(1, 3)) == b"yte"

    def test_a_staged_file_is_invisible_until_it_is_published(self, backend: Backend) -> None:
        with backend.stage("a/b") as staged:
            staged.file.write(b"half")
            with pytest.raises(NotFoundError):
                backend.read("a/b/file", limit=_LIMIT)
            assert "file" not in backend.list_folder("a/b").files

    def test_a_staged_file_that_is_given_up_leaves_nothing(self, backend: Backend) -> None:
        with backend.stage("a/b") as staged:
            staged.file.write(b"half")
        with pytest.raises(RuntimeError, match="broke"), backend.stage("a/b") as staged:  # noqa: PT012
            staged.file.write(b"half")
            raise RuntimeError("broke")
        assert backend.list_folder("a/b").files == {}

    def test_publishing_again_replaces_the_file_but_not_under_an_open_reader(
        self, backend: Backend
    ) -> None:
        publish(backend, "a/file", b"old")
        source = backend.open("a/file")
        publish(backend, "a/file", b"newer")
        assert bytes(source.read_at(0, 10)) == b"old"
        assert backend.read("a/file", limit=_LIMIT) == b"newer"

    def test_an_absent_file_is_not_found_everywhere(self, backend: Backend) -> None:
        with pytest.raises(NotFoundError):
            backend.read("no/such", limit=_LIMIT)
        with pytest.raises(NotFoundError):
            backend.open("no/such")
        assert backend.find_versioned("no/such", limit=_LIMIT) is None
        assert backend.list_folder("no").files == {}
        backend.remove("no/such")

    def test_a_removed_file_is_gone(self, backend: Backend) -> None:
        publish(backend, "a/file", b"x")
        backend.remove("a/file")
        assert backend.list_folder("a").files == {}
        with pytest.raises(NotFoundError):
            backend.read("a/file", limit=_LIMIT)

    def test_a_listing_names_folders_and_sized_files_in_order(self, backend: Backend) -> None:
        publish(backend, "v/b/file", b"1")
        publish(backend, "v/a/file", b"12")
        publish(backend, "v/z.txt", b"123")
        publish(backend, "v/c.txt", b"1234")
        listing = backend.list_folder("v")
        assert listing.folders == ("a", "b")
        assert list(listing.files.items()) == [("c.txt", 4), ("z.txt", 3)]
        assert "v" in backend.list_folder("").folders

    def test_a_read_over_its_limit_is_refused(self, backend: Backend) -> None:
        publish(backend, "a/file", b"x" * 100)
        with pytest.raises(InvalidContentError) as refusal:
            backend.read("a/file", limit=99)
        assert refusal.value.code == "too_large"
        assert backend.read("a/file", limit=100) == b"x" * 100

    def test_a_swap_creates_only_where_nothing_is(self, backend: Backend) -> None:
        first = backend.swap("r/manifest.json", b"one", expected=None)
        with pytest.raises(ConflictError):
            backend.swap("r/manifest.json", b"two", expected=None)
        found = self.reopen(backend).find_versioned("r/manifest.json", limit=_LIMIT)
        assert found is not None
        assert (found.data, found.version) == (b"one", first)

    def test_a_swap_replaces_only_the_version_it_names(self, backend: Backend) -> None:
        first = backend.swap("r/manifest.json", b"one", expected=None)
        second = backend.swap("r/manifest.json", b"two", expected=first)
        assert second != first
        with pytest.raises(ConflictError):
            backend.swap("r/manifest.json", b"three", expected=first)
        with pytest.raises(ConflictError):
            backend.swap("r/other.json", b"three", expected=first)
        assert backend.read("r/manifest.json", limit=_LIMIT) == b"two"

    def test_of_many_racing_swaps_none_is_lost(self, backend: Backend) -> None:
        backend.swap("r/count", b"0", expected=None)
        handles = [self.reopen(backend) for _ in range(4)]

        def count_up(handle: Backend) -> None:
            done = 0
            while done < 10:
                found = handle.find_versioned("r/count", limit=_LIMIT)
                assert found is not None
                try:
                    handle.swap("r/count", b"%d" % (int(found.data) + 1), expected=found.version)
                except ConflictError:
                    continue
                done += 1

        threads = [threading.Thread(target=count_up, args=(handle,)) for handle in handles]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert backend.read("r/count", limit=_LIMIT) == b"40"

    @pytest.mark.parametrize("path", ["../out", "a/../../out", "a//b", "./a", "a/."])
    def test_p10_no_path_leads_out_of_the_store(self, backend: Backend, path: str) -> None:
        with pytest.raises((InvalidContentError, NotFoundError)):
            backend.read(path, limit=_LIMIT)

    def test_a_listing_says_when_files_changed_by_the_clock_of_the_store(
        self, backend: Backend
    ) -> None:
        publish(backend, "a/first", b"x")
        between = backend.read_clock()
        publish(backend, "a/second", b"x")
        after = backend.read_clock()
        modified = backend.list_folder("a").modified
        assert modified["first"] <= between <= modified["second"] <= after
        assert after - modified["first"] < 60

    def test_a_store_that_was_never_written_to_has_no_clock(self, backend: Backend) -> None:
        with pytest.raises(NotFoundError):
            backend.read_clock()

    def test_reading_the_clock_leaves_nothing_behind(self, backend: Backend) -> None:
        publish(backend, "a/file", b"x")
        before = backend.list_folder("_filmcan").files
        backend.read_clock()
        assert backend.list_folder("_filmcan").files == before

    def test_only_an_empty_folder_is_removed(self, backend: Backend) -> None:
        publish(backend, "a/b/file", b"x")
        backend.remove_folder("a/b")
        backend.remove_folder("a/none")
        backend.remove_folder("none/none")
        assert backend.read("a/b/file", limit=_LIMIT) == b"x"
        backend.remove("a/b/file")
        backend.remove_folder("a/b")
        assert backend.list_folder("a").folders == ()

    def test_a_moved_file_has_its_new_name_only(self, backend: Backend) -> None:
        publish(backend, "a/file", b"x")
        backend.move("a/file", "new/place/file.kept")
        assert backend.read("new/place/file.kept", limit=_LIMIT) == b"x"
        assert backend.list_folder("a").files == {}
        assert backend.find_versioned("new/place/file.kept", limit=_LIMIT) is not None

    def test_a_moved_folder_takes_all_in_it_along(self, backend: Backend) -> None:
        publish(backend, "a/b/one", b"1")
        publish(backend, "a/b/c/two", b"2")
        backend.move("a/b", "z/b")
        assert backend.read("z/b/one", limit=_LIMIT) == b"1"
        assert backend.read("z/b/c/two", limit=_LIMIT) == b"2"
        assert backend.list_folder("a").folders == ()

    def test_a_move_never_replaces_anything(self, backend: Backend) -> None:
        publish(backend, "a/file", b"x")
        publish(backend, "b/file", b"y")
        with pytest.raises(ConflictError):
            backend.move("a/file", "b/file")
        with pytest.raises(NotFoundError):
            backend.move("a/none", "b/none")
        assert backend.read("a/file", limit=_LIMIT) == b"x"
        assert backend.read("b/file", limit=_LIMIT) == b"y"

    def test_of_those_who_ask_for_one_name_only_one_runs(self, backend: Backend) -> None:
        handles = [self.reopen(backend) for _ in range(4)]
        inside: list[int] = []
        most: list[int] = []

        def work(handle: Backend) -> None:
            for _ in range(20):
                with handle.exclusive("p/v"):
                    inside.append(1)
                    most.append(len(inside))
                    inside.pop()

        threads = [threading.Thread(target=work, args=(handle,)) for handle in handles]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert most == [1] * 80

    def test_an_exclusive_block_ends_with_its_error(self, backend: Backend) -> None:
        with pytest.raises(RuntimeError, match="broke"), backend.exclusive("p/v"):
            raise RuntimeError("broke")
        with backend.exclusive("p/v"):
            publish(backend, "a/file", b"x")

    def test_the_first_write_marks_the_store(self, backend: Backend) -> None:
        publish(backend, "a/file", b"x")
        assert backend.read("_filmcan/format", limit=_LIMIT) == b"filmcan store 1\n"


def publish(backend: Backend, path: str, data: bytes) -> None:
    """Store a small immutable file."""
    with backend.stage(path.rpartition("/")[0]) as staged:
        staged.file.write(data)
        staged.publish(path)
