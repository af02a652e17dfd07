"""P11: a deleted video is gone whole, whatever crashes, and nobody brings it back."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from filmcan.contract.manifest import MANIFEST_NAME
from filmcan.errors import (
    ConflictError,
    InvalidContentError,
    InvalidIdError,
    NotFoundError,
    StoreUnavailableError,
)
from filmcan.files import Root
from filmcan.store.base import RESERVE, Backend
from filmcan.store.deletion import delete_video, survey_target
from filmcan.store.inspect import inspect_store
from filmcan.store.local import LocalBackend
from filmcan.store.memory import MemoryBackend
from filmcan.store.quarantine import copy_to_quarantine, move_to_quarantine
from filmcan.store.repair import repair_store
from filmcan.store.run import Run
from filmcan.store.store import Store
from filmcan.store.sweep import SweepRules, sweep_store
from filmcan.store.tombstones import (
    Deletion,
    Tombstone,
    build_tombstone_path,
    find_tombstone,
    write_tombstone,
)
from filmcan.store.transaction import RunTransaction
from filmcan.testing.artifacts import build_run_record
from filmcan.testing.made_stores import (
    COMPONENTS,
    CrashError,
    CrashingBackend,
    begin_run,
    clock,
    commit,
    read_all,
    reopen,
    write_run,
)
from filmcan.testing.store_suite import publish

DOOMED = "doomed-7f3a9c"
EVERYTHING_IS_OLD = SweepRules(grace_sec=-1.0)


@pytest.fixture(params=["local", "memory", "s3"])
def backend(request: pytest.FixtureRequest, open_backend: Callable[[str], Backend]) -> Backend:
    return open_backend(request.param)


def fill(backend: Backend) -> dict[str, bytes]:
    """Write a doomed video with everything a video can have, and one beside it; return that."""
    write_run(backend, "other", "r1")
    others = read_all(backend)
    write_run(backend, DOOMED, "r1")
    commit(begin_run(backend, DOOMED, "r2"))
    publish(backend, f"local/{DOOMED}/r1/core_optical_flow/_tmp_1_2_left", b"half " + b"x")
    publish(backend, f"local/{DOOMED}/r2/core_optical_flow/arrays/frames.npy", b"sub-artifact")
    publish(backend, f"local/{DOOMED}/_tmp_stray", DOOMED.encode())
    publish(backend, f"local/{DOOMED}/r1/text_processor/bad", b"kept")
    move_to_quarantine(backend, f"local/{DOOMED}/r1/text_processor/bad", "unlisted")
    publish(backend, f"local/{DOOMED}/loose.json", b"{}")
    move_to_quarantine(backend, f"local/{DOOMED}/loose.json", "forbidden_json")
    copy_to_quarantine(backend, f"local/{DOOMED}/r2/{MANIFEST_NAME}", b"torn", "damaged")
    return others


def names_the_doomed(backend: Backend) -> list[str]:
    return [
        path
        for path, data in read_all(backend).items()
        if DOOMED in path or DOOMED.encode() in data
    ]


def test_p11_every_byte_of_a_deleted_video_is_gone_and_nothing_else(backend: Backend) -> None:
    others = fill(backend)
    receipt = delete_video(backend, "local", DOOMED)
    assert names_the_doomed(backend) == []
    left = read_all(backend)
    assert {path: left[path] for path in others} == others
    assert {path for path in set(left) - set(others) if "tombstones" not in path} <= {
        "_filmcan/quarantine",
        "_filmcan/quarantine/local",
    } | {path for path in left if path.endswith(".lock")}
    assert receipt.target == f"local/{DOOMED}"
    assert [run.video_id for run in Store(backend).runs()] == ["other"]


def test_p11_the_receipt_names_every_file_with_its_size_and_listed_digest(
    backend: Backend,
) -> None:
    fill(backend)
    before = read_all(backend)
    surveyed = survey_target(backend, f"local/{DOOMED}")
    told = []
    receipt = delete_video(backend, "local", DOOMED, on_file=told.append)
    assert list(receipt.files) == told
    assert sorted(file.path for file in receipt.files) == [file.path for file in surveyed.files]
    assert receipt.size_bytes == surveyed.size_bytes
    assert all(len(before[file.path]) == file.size_bytes for file in receipt.files)
    with_digest = [file for file in receipt.files if file.sha256 is not None]
    assert len(with_digest) == (1 + len(COMPONENTS)) + (1 + 1)
    for file in with_digest:
        assert file.sha256 == hashlib.sha256(before[file.path]).hexdigest()


def test_p11_deleting_again_is_harmless(backend: Backend) -> None:
    fill(backend)
    delete_video(backend, "local", DOOMED)
    tombstone = find_tombstone(backend, f"local/{DOOMED}")
    again = delete_video(reopen(backend), "local", DOOMED)
    assert (again.files, again.size_bytes) == ((), 0)
    assert find_tombstone(backend, f"local/{DOOMED}") == tombstone


def test_deleting_what_never_was_leaves_no_trace(backend: Backend) -> None:
    write_run(backend)
    assert delete_video(backend, "local", "never").files == ()
    assert delete_video(backend, "nowhere", "never").files == ()
    assert find_tombstone(backend, "local/never") == Tombstone()


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("kind", ["memory", "local"])
def test_p11_a_deletion_that_crashes_at_any_step_is_finished_by_asking_again(
    kind: str, before: bool, tmp_path: Path
) -> None:
    template = MemoryBackend()
    others = fill(template)
    at_step, is_alive = 0, False
    while not is_alive:
        backend: Backend = (
            MemoryBackend() if kind == "memory" else LocalBackend(tmp_path / str(at_step))
        )
        plant(backend, read_all(template))
        crashing = CrashingBackend(backend, at_step, before=before)
        try:
            delete_video(crashing, "local", DOOMED)
            is_alive = True
        except CrashError:
            began = find_tombstone(backend, f"local/{DOOMED}").video is not None
            seen = {run.video_id for run in Store(reopen(backend)).runs()}
            assert seen == ({"other"} if began else {"other", DOOMED})
            for run in Store(backend).runs():
                check_complete(run)
            # Both ways out of it, in turn, as a second process would take them.
            if began and at_step % 2:
                sweep_store(reopen(backend), EVERYTHING_IS_OLD, dry_run=False)
            else:
                delete_video(reopen(backend), "local", DOOMED)
        assert names_the_doomed(backend) == [], at_step
        assert {path: read_all(backend)[path] for path in others} == others
        assert not find_tombstone(backend, f"local/{DOOMED}").has_pending
        begin_run(backend, DOOMED, "r1")
        at_step += 1
    assert at_step > 20


def plant(backend: Backend, files: dict[str, bytes]) -> None:
    """Put files into a store as they are, without the cost of durable writes."""
    for path, data in files.items():
        if isinstance(backend, LocalBackend):
            place = Path(backend.url) / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)
        else:
            publish(backend, path, data)


def check_complete(run: Run) -> None:
    """P1: all that a listed run lists is there, with its recorded size and hash."""
    for component in run.components.values():
        for artifact in component.artifacts:
            data = run.backend.read(f"{run.path}/{artifact.path}", limit=1 << 30)
            assert len(data) == artifact.size_bytes
            assert hashlib.sha256(data).hexdigest() == artifact.sha256


def test_p11_what_repair_kept_goes_with_a_video_of_any_id(backend: Backend) -> None:
    write_run(backend, "secret.json")
    publish(backend, "local/secret.json/notes.json", b"{}")
    (done,) = repair_store(backend, inspect_store(backend, with_data=False).findings, clock)
    assert done.is_done
    delete_video(backend, "local", "secret.json")
    left = read_all(backend)
    assert not any("secret" in path or b"secret" in data for path, data in left.items())


def test_p11_a_full_disk_keeps_nobody_from_deleting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Full but for the room that is kept: no tombstone can be written before that is given up."""
    root = tmp_path / "store"
    write_run(LocalBackend(root))
    write_run(LocalBackend(root), "v2")
    real = Root.replace_file

    def refuse(self: Root, parts: tuple[str, ...], data: bytes) -> None:
        if (root / RESERVE).exists():
            raise OSError(errno.ENOSPC, "No space left on device")
        real(self, parts, data)

    monkeypatch.setattr(Root, "replace_file", refuse)
    delete_video(LocalBackend(root), "local", "v1")
    assert [run.video_id for run in Store(LocalBackend(root)).runs()] == ["v2"]
    monkeypatch.undo()
    write_run(LocalBackend(root), "v3")
    assert (root / RESERVE).stat().st_size >= 1 << 16


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_p11_a_deletion_that_cannot_be_written_down_removes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    backend = LocalBackend(tmp_path / "store")
    write_run(backend)
    before = read_all(backend)

    def refuse(*_arguments: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(Root, "replace_file", refuse)
    with pytest.raises(StoreUnavailableError):
        delete_video(backend, "local", "v1")
    left = read_all(backend)
    assert {path for path in before if path not in left} <= {RESERVE}
    assert (RESERVE in left) == (code == errno.EIO)


def test_where_no_room_can_be_kept_a_run_is_written_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.urandom

    def refuse(size: int) -> bytes:
        if size >= 1 << 16:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(size)

    monkeypatch.setattr(os, "urandom", refuse)
    backend = LocalBackend(tmp_path / "store")
    write_run(backend)
    assert not (tmp_path / "store" / RESERVE).exists()
    assert len(Store(backend).runs()) == 1


def test_p11_only_the_named_run_goes(backend: Backend) -> None:
    fill(backend)
    receipt = delete_video(backend, "local", DOOMED, "r1")
    assert receipt.target == f"local/{DOOMED}/r1"
    assert [run.path for run in Store(backend).runs()] == [f"local/{DOOMED}/r2", "local/other/r1"]
    left = [path for path in read_all(backend) if f"{DOOMED}/r1" in path]
    assert left == []
    assert any(f"quarantine/local/{DOOMED}/r2/" in path for path in read_all(backend))
    assert delete_video(backend, "local", DOOMED, "r1").files == ()


def test_p11_a_writer_that_began_before_cannot_commit_after(backend: Backend) -> None:
    writer = begin_run(backend, DOOMED)
    commit(writer)
    delete_video(backend, "local", DOOMED)
    for act in (
        lambda: commit(writer, "tempo_extractor"),
        lambda: writer.finish(source={}, peak_rss_bytes=None),
        writer.read,
    ):
        with pytest.raises(NotFoundError):
            act()
    assert names_the_doomed(backend) == []


def test_p11_a_writer_that_began_before_cannot_commit_into_the_run_begun_anew(
    backend: Backend,
) -> None:
    writer = begin_run(backend, DOOMED)
    delete_video(backend, "local", DOOMED)
    anew = begin_run(backend, DOOMED)
    path = commit(anew)
    with pytest.raises(ConflictError) as refusal:
        commit(writer, "tempo_extractor")
    assert refusal.value.code == "deleted"
    assert backend.list_folder(f"{anew.run_path}/tempo_extractor").files == {}
    # the same bytes as those that the new run lists: they must stay
    with pytest.raises(ConflictError):
        commit(writer)
    assert backend.read(f"{anew.run_path}/{path}", limit=1 << 20)
    assert [item.name for item in anew.read().components] == ["core_optical_flow"]


def test_p11_a_run_that_begins_after_a_deletion_lives_until_the_next(backend: Backend) -> None:
    write_run(backend, DOOMED)
    delete_video(backend, "local", DOOMED)
    first = find_tombstone(backend, f"local/{DOOMED}").video
    path = write_run(backend, DOOMED)
    run = Store(backend).run("local", DOOMED, "r1")
    check_complete(run)
    assert first is not None
    assert run.manifest.run.extra == {"deletions_before": [first.token]}
    joined = RunTransaction.join(backend, build_run_record(video_id=DOOMED), clock)
    commit(joined)
    delete_video(backend, "local", DOOMED, "r1")
    assert backend.list_folder(path).files == {}
    write_run(backend, DOOMED)
    assert Store(backend).latest("local", DOOMED).path == path
    delete_video(backend, "local", DOOMED)
    assert Store(backend).runs("local", DOOMED) == []


def test_p11_no_run_begins_or_joins_while_a_deletion_is_under_way(backend: Backend) -> None:
    write_run(backend, DOOMED)
    write_run(backend, DOOMED, "r2")
    pending = Tombstone().with_deletion("r1", Deletion("a" * 16))
    tombstone = write_tombstone(backend, f"local/{DOOMED}", pending)
    for act in (RunTransaction.create, RunTransaction.join, RunTransaction.create_or_join):
        with pytest.raises(ConflictError) as refusal:
            act(backend, build_run_record(video_id=DOOMED), clock)
        assert refusal.value.code == "being_deleted"
    RunTransaction.join(backend, build_run_record(video_id=DOOMED, run_id="r2"), clock)
    write_tombstone(backend, f"local/{DOOMED}", tombstone.with_deletion(None, Deletion("b" * 16)))
    with pytest.raises(ConflictError):
        begin_run(backend, DOOMED, "r3")
    with pytest.raises(ConflictError, match="whole video"):
        delete_video(backend, "local", DOOMED, "r2")
    delete_video(backend, "local", DOOMED)
    begin_run(backend, DOOMED, "r3")


def test_p11_a_manifest_put_back_after_a_deletion_stays_dead(backend: Backend) -> None:
    path = write_run(backend, DOOMED)
    manifest = backend.read(f"{path}/{MANIFEST_NAME}", limit=1 << 20)
    delete_video(backend, "local", DOOMED)
    publish(backend, f"{path}/{MANIFEST_NAME}", manifest)
    store = Store(backend)
    assert store.runs() == []
    with pytest.raises(NotFoundError, match="deleted"):
        store.run("local", DOOMED, "r1")
    with pytest.raises(ConflictError):
        RunTransaction.join(backend, build_run_record(video_id=DOOMED), clock)
    (finding,) = inspect_store(backend, with_data=False).findings
    assert finding.issue.code == "deletion_unfinished"
    sweep = sweep_store(backend, SweepRules(), dry_run=False)
    assert [(item.kind, item.path) for item in sweep.removals] == [("deletion", path)]
    assert names_the_doomed(backend) == []


def test_p11_a_damaged_manifest_does_not_keep_a_video_alive(backend: Backend) -> None:
    path = write_run(backend, DOOMED)
    publish(backend, f"{path}/{MANIFEST_NAME}", b"\0" * 10)
    receipt = delete_video(backend, "local", DOOMED)
    assert len(receipt.files) == 1 + len(COMPONENTS)
    assert receipt.files[0].sha256 == hashlib.sha256(b"\0" * 10).hexdigest()
    assert names_the_doomed(backend) == []


def test_p11_a_damaged_tombstone_lets_nobody_in_until_the_whole_video_is_deleted(
    backend: Backend,
) -> None:
    write_run(backend, DOOMED)
    path = build_tombstone_path(f"local/{DOOMED}")
    publish(backend, path, b"torn")
    for act in (
        lambda: begin_run(backend, DOOMED, "r2"),
        lambda: Store(backend).run("local", DOOMED, "r1"),
        lambda: delete_video(backend, "local", DOOMED, "r1"),
        lambda: sweep_store(backend, EVERYTHING_IS_OLD, dry_run=False),
    ):
        with pytest.raises(InvalidContentError) as refusal:
            act()
        assert refusal.value.code == "tombstone_damaged"
    assert Store(backend).runs() == []
    codes = [finding.issue.code for finding in inspect_store(backend, with_data=False).findings]
    assert codes == ["tombstone_damaged"]
    delete_video(backend, "local", DOOMED)
    assert names_the_doomed(backend) == []
    publish(backend, path, b"torn again")
    assert delete_video(backend, "local", DOOMED).files == ()
    begin_run(backend, DOOMED, "r2")


def test_c2_a_folder_without_the_marker_is_never_deleted_from(tmp_path: Path) -> None:
    folder = tmp_path / "local" / "v1" / "r1"
    folder.mkdir(parents=True)
    (folder / "thesis.txt").write_text("unsaved")
    for text in (None, "filmcan store 2\n"):
        if text is not None:
            (tmp_path / "_filmcan").mkdir()
            (tmp_path / "_filmcan" / "format").write_text(text)
        for act in (
            lambda: delete_video(LocalBackend(tmp_path), "local", "v1"),
            lambda: survey_target(LocalBackend(tmp_path), "local/v1"),
            lambda: sweep_store(LocalBackend(tmp_path), EVERYTHING_IS_OLD, dry_run=False),
        ):
            with pytest.raises(StoreUnavailableError) as refusal:
                act()
            assert refusal.value.code in ("no_marker", "unknown_format")
    assert (folder / "thesis.txt").read_text() == "unsaved"


@pytest.mark.parametrize(
    ("platform_id", "video_id", "run_id"),
    [("..", "v1", None), ("local", "../other", None), ("local", "v1", ".."), ("", "v1", None)],
)
def test_p10_an_id_that_leads_elsewhere_deletes_nothing(
    backend: Backend, platform_id: str, video_id: str, run_id: str | None
) -> None:
    write_run(backend)
    before = read_all(backend)
    with pytest.raises(InvalidIdError):
        delete_video(backend, platform_id, video_id, run_id)
    assert read_all(backend) == before


class TestLinks:
    """Deleting never descends through a link: its target stays, the link itself goes."""

    @pytest.fixture
    def outside(self, tmp_path: Path) -> Path:
        folder = tmp_path / "outside"
        (folder / "r1").mkdir(parents=True)
        (folder / "r1" / "manifest.json").write_text("kept")
        (folder / "file").write_text("kept")
        return folder

    @pytest.fixture
    def local(self, tmp_path: Path) -> LocalBackend:
        return LocalBackend(tmp_path / "store")

    def check_kept(self, outside: Path) -> None:
        assert (outside / "r1" / "manifest.json").read_text() == "kept"
        assert (outside / "file").read_text() == "kept"

    def test_p10_links_at_any_depth(self, local: LocalBackend, outside: Path) -> None:
        path = Path(local.url) / write_run(local, DOOMED)
        (path.parent / "r9").symlink_to(outside / "r1")
        (path / "linked").symlink_to(outside)
        (path / "core_optical_flow" / "leak").symlink_to(outside / "file")
        receipt = delete_video(local, "local", DOOMED)
        links = [file.path for file in receipt.files if not file.size_bytes]
        assert len(links) == 3
        self.check_kept(outside)
        assert names_the_doomed(local) == []

    def test_p10_the_video_itself_is_a_link(self, local: LocalBackend, outside: Path) -> None:
        write_run(local)
        (Path(local.url) / "local" / DOOMED).symlink_to(outside)
        with pytest.raises(InvalidContentError):
            survey_target(local, f"local/{DOOMED}")
        with pytest.raises(InvalidContentError):
            delete_video(local, "local", DOOMED)
        self.check_kept(outside)

    def test_p10_a_run_is_a_link(self, local: LocalBackend, outside: Path) -> None:
        path = Path(local.url) / write_run(local, DOOMED)
        (path.parent / "r9").symlink_to(outside / "r1")
        receipt = delete_video(local, "local", DOOMED, "r9")
        assert [file.path for file in receipt.files] == [f"local/{DOOMED}/r9"]
        self.check_kept(outside)
        assert len(Store(local).runs()) == 1

    def test_a_manifest_that_is_a_link_or_a_folder_goes(
        self, local: LocalBackend, outside: Path
    ) -> None:
        root = Path(local.url)
        for run_id in ("r1", "r2"):
            (root / write_run(local, DOOMED, run_id) / "manifest.json").unlink()
        (root / "local" / DOOMED / "r1" / "manifest.json").symlink_to(outside / "file")
        (root / "local" / DOOMED / "r2" / "manifest.json").mkdir()
        delete_video(local, "local", DOOMED)
        self.check_kept(outside)
        assert names_the_doomed(local) == []

    def test_a_folder_that_becomes_a_link_meanwhile_is_looked_at_again(
        self, local: LocalBackend, outside: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = Path(local.url) / write_run(local, DOOMED)
        real, swapped = LocalBackend.list_folder, []

        def swap_first(self: LocalBackend, folder: str) -> object:
            if folder.endswith("core_optical_flow") and not swapped:
                swapped.append(folder)
                (path / "core_optical_flow").rename(outside / "moved")
                (path / "core_optical_flow").symlink_to(outside)
            return real(self, folder)

        monkeypatch.setattr(LocalBackend, "list_folder", swap_first)
        delete_video(local, "local", DOOMED)
        self.check_kept(outside)
        assert list((outside / "moved").iterdir())
        assert names_the_doomed(local) == []

    def test_a_folder_that_is_swapped_for_ever_is_a_typed_error(
        self, local: LocalBackend, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write_run(local, DOOMED)

        def refuse(self: LocalBackend, folder: str) -> None:
            raise InvalidContentError("not a regular file", code="not_regular")

        monkeypatch.setattr(LocalBackend, "remove_folder", refuse)
        with pytest.raises(InvalidContentError):
            delete_video(local, "local", DOOMED)
        monkeypatch.undo()
        assert find_tombstone(local, f"local/{DOOMED}").has_pending
        delete_video(local, "local", DOOMED)
        assert names_the_doomed(local) == []


def test_a_sweep_and_a_deletion_may_both_mark_it_done(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_run(backend, DOOMED)
    real = type(backend).swap
    path = build_tombstone_path(f"local/{DOOMED}")

    def outrun(self: Backend, place: str, data: bytes, *, expected: str | None) -> str:
        if place == path and b"done" in data:
            real(self, place, data, expected=expected)
            raise ConflictError("the file changed since it was read")
        return real(self, place, data, expected=expected)

    monkeypatch.setattr(type(backend), "swap", outrun)
    assert delete_video(backend, "local", DOOMED).files
    monkeypatch.undo()

    def refuse(self: Backend, place: str, data: bytes, *, expected: str | None) -> str:
        if place == path and b"done" in data:
            raise ConflictError("the file changed since it was read")
        return real(self, place, data, expected=expected)

    write_run(backend, DOOMED)
    monkeypatch.setattr(type(backend), "swap", refuse)
    with pytest.raises(ConflictError):
        delete_video(backend, "local", DOOMED)


def test_a_tombstone_remembers_the_last_thousand_runs() -> None:
    tombstone = Tombstone()
    for number in range(1005):
        tombstone = tombstone.with_deletion(f"r{number}", Deletion(f"{number:016x}", is_done=True))
    assert len(tombstone.runs) == 1000
    assert tombstone.find_deletion("r4") is None
    assert tombstone.find_deletion("r5") is not None
    whole = tombstone.with_deletion(None, Deletion("f" * 16))
    assert (len(whole.runs), whole.list_tokens("r7")) == (0, ("f" * 16,))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "filmcan tombstone 2\n",
        "filmcan tombstone 1",
        "filmcan tombstone 1\nvideo 0123456789abcdef\n",
        "filmcan tombstone 1\nvideo 0123456789abcdef perhaps\n",
        "filmcan tombstone 1\nvideo 0123456789abcdef done\nvideo 0123456789abcdef done\n",
        "filmcan tombstone 1\n\n",
        "filmcan tombstone 1\nvideo 0123456789ABCDEF done\n\xff",
    ],
)
def test_a_tombstone_is_parsed_strictly(backend: Backend, text: str) -> None:
    publish(backend, build_tombstone_path("local/v1"), text.encode("latin-1"))
    with pytest.raises(InvalidContentError) as refusal:
        find_tombstone(backend, "local/v1")
    assert refusal.value.code == "tombstone_damaged"


@pytest.mark.parametrize("recorded", [None, "x", [1, ["a" * 16]], ["c" * 16]])
def test_p11_a_run_that_records_no_such_deletion_is_dead(recorded: object) -> None:
    from dataclasses import replace

    tombstone = Tombstone().with_deletion(None, Deletion("a" * 16, is_done=True))
    run = replace(build_run_record(), extra={"deletions_before": recorded})
    assert tombstone.is_dead(run)
    assert not tombstone.is_dead(replace(run, extra={"deletions_before": [7, "a" * 16]}))
