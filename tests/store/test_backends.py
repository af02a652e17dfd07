"""Every backend keeps the rules of `store.base.Backend`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from filmcan.errors import InvalidContentError, StoreUnavailableError
from filmcan.store.base import Backend
from filmcan.store.local import LocalBackend
from filmcan.store.memory import MemoryBackend
from filmcan.testing.store_suite import StoreSuite, publish


class TestMemoryBackend(StoreSuite):
    @pytest.fixture
    def backend(self) -> Backend:
        return MemoryBackend()

    def reopen(self, backend: Backend) -> Backend:
        return backend


class TestLocalBackend(StoreSuite):
    @pytest.fixture
    def backend(self, tmp_path: Path) -> Backend:
        return LocalBackend(tmp_path / "deep" / "store")

    def reopen(self, backend: Backend) -> Backend:
        return LocalBackend(Path(backend.url))

    def test_a_lock_that_cannot_be_taken_is_not_blamed_on_what_it_guards(
        self, backend: Backend, tmp_path: Path
    ) -> None:
        publish(backend, "local/v1/r1/x", b"x")
        locks = Path(backend.url, "_filmcan", "locks")
        locks.rename(tmp_path / "moved")
        locks.symlink_to(tmp_path / "moved")
        with pytest.raises(InvalidContentError) as refusal, backend.exclusive("local/v1"):
            pass
        assert refusal.value.where == "_filmcan/locks"

    def test_a_link_in_the_way_is_never_followed(self, backend: Backend, tmp_path: Path) -> None:
        secret = tmp_path / "secret"
        secret.mkdir()
        (secret / "file").write_bytes(b"secret")
        publish(backend, "a/file", b"x")
        root = Path(backend.url)
        (root / "linked").symlink_to(secret)
        (root / "a" / "leak").symlink_to(secret / "file")
        for path in ("linked/file", "a/leak"):
            with pytest.raises(InvalidContentError) as refusal:
                backend.read(path, limit=100)
            assert refusal.value.code == "not_regular"
        with pytest.raises(InvalidContentError):
            publish(backend, "linked/new", b"x")
        assert sorted(path.name for path in secret.iterdir()) == ["file"]
        assert backend.list_folder("a").strange == ("leak",)

    def test_removing_a_link_leaves_its_target(self, backend: Backend, tmp_path: Path) -> None:
        target = tmp_path / "target"
        target.write_bytes(b"kept")
        publish(backend, "a/file", b"x")
        (Path(backend.url) / "a" / "link").symlink_to(target)
        backend.remove("a/link")
        assert target.read_bytes() == b"kept"
        assert backend.list_folder("a").strange == ()

    def test_p10_a_link_is_moved_and_locked_around_but_never_followed(
        self, backend: Backend, tmp_path: Path
    ) -> None:
        target = tmp_path / "target"
        target.mkdir()
        publish(backend, "a/file", b"x")
        root = Path(backend.url)
        (root / "link").symlink_to(target)
        with pytest.raises(InvalidContentError):
            backend.remove_folder("link")
        with pytest.raises(InvalidContentError):
            backend.move("a/file", "link/file")
        backend.move("link", "kept/link")
        assert (root / "kept" / "link").is_symlink()
        (root / "_filmcan" / "locks").rename(root / "_filmcan" / "aside")
        (root / "_filmcan" / "locks").symlink_to(target)
        with pytest.raises(InvalidContentError), self.reopen(backend).exclusive("a"):
            pass
        with pytest.raises(InvalidContentError):
            backend.swap("a/swapped", b"x", expected=None)
        assert list(target.iterdir()) == []

    def test_a_fifo_does_not_hang_a_reader(self, backend: Backend) -> None:
        publish(backend, "a/file", b"x")
        os.mkfifo(Path(backend.url) / "a" / "pipe")
        with pytest.raises(InvalidContentError):
            backend.read("a/pipe", limit=100)

    def test_a_full_disk_is_a_typed_error_and_nothing_changes(
        self, backend: Backend, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        version = backend.swap("r/manifest.json", b"one", expected=None)

        def refuse(descriptor: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", refuse)
        with pytest.raises(StoreUnavailableError) as refusal:
            backend.swap("r/manifest.json", b"two", expected=version)
        assert refusal.value.code == "store_full"
        with pytest.raises(StoreUnavailableError):
            publish(backend, "r/file", b"x")
        monkeypatch.undo()
        assert backend.read("r/manifest.json", limit=100) == b"one"
        assert list(backend.list_folder("r").files) == ["manifest.json"]

    def test_p3_a_swap_flushes_the_file_and_every_new_folder(
        self, backend: Backend, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        publish(backend, "warm/file", b"x")
        flushed: list[str] = []
        real = os.fsync

        def spy(descriptor: int) -> None:
            flushed.append(
                str(Path(f"/proc/self/fd/{descriptor}").readlink()).removeprefix(backend.url)
            )
            real(descriptor)

        monkeypatch.setattr(os, "fsync", spy)
        backend.swap("p/v/r/manifest.json", b"one", expected=None)
        assert flushed[:3] == ["", "/p", "/p/v"]
        assert "_tmp_" in flushed[3]
        assert flushed[4:] == ["/p/v/r"]

    def test_a_store_of_another_format_is_not_written(self, tmp_path: Path) -> None:
        (tmp_path / "_filmcan").mkdir()
        (tmp_path / "_filmcan" / "format").write_bytes(b"filmcan store 2\n")
        with pytest.raises(StoreUnavailableError) as refusal:
            publish(LocalBackend(tmp_path), "a/file", b"x")
        assert refusal.value.code == "unknown_format"

    def test_a_root_that_is_a_link_is_resolved_once(self, tmp_path: Path) -> None:
        (tmp_path / "real").mkdir()
        (tmp_path / "root").symlink_to(tmp_path / "real")
        backend = LocalBackend(tmp_path / "root")
        publish(backend, "a/file", b"x")
        (tmp_path / "root").unlink()
        assert backend.read("a/file", limit=10) == b"x"

    def test_a_root_that_is_a_file_is_no_store(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"")
        with pytest.raises(StoreUnavailableError, match="not a folder"):
            publish(LocalBackend(tmp_path / "file"), "a/file", b"x")
