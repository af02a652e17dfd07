"""P1, P9: fsck finds all that is wrong; repair quarantines or rebuilds, and never deletes."""

from __future__ import annotations

import operator
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from filmcan.contract.manifest import MANIFEST_NAME, parse_manifest
from filmcan.errors import (
    InvalidArtifactError,
    InvalidContentError,
    InvalidManifestError,
    NotFoundError,
    StoreUnavailableError,
)
from filmcan.npz.reader import open_npz
from filmcan.npz.source import ByteSource
from filmcan.store import inspect, inspect_run
from filmcan.store.base import FORMAT_MARKER, HOUSEKEEPING, Backend
from filmcan.store.deletion import delete_video
from filmcan.store.inspect import inspect_store
from filmcan.store.local import LocalBackend
from filmcan.store.memory import MemoryBackend
from filmcan.store.quarantine import QUARANTINE
from filmcan.store.rebuild import NOTE, build_manifest
from filmcan.store.repair import Repair, repair_store
from filmcan.store.store import Store
from filmcan.store.sweep import SweepRules, sweep_store
from filmcan.store.tombstones import build_tombstone_path
from filmcan.store.transaction import RunTransaction
from filmcan.testing.artifacts import COMPONENT, build_product, build_run_record
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

_LIMIT = 1 << 30


def codes(backend: Backend, *, with_data: bool = False) -> list[str]:
    before = read_all(backend)
    found = inspect_store(backend, with_data=with_data)
    assert read_all(backend) == before
    return [finding.issue.code for finding in found.findings]


def repair(backend: Backend, *, with_data: bool = False) -> list[Repair]:
    """Repair, and hold it to its word: no byte that was there is gone."""
    before = read_all(backend)
    repairs = repair_store(backend, inspect_store(backend, with_data=with_data).findings, clock)
    left = list(read_all(backend).values())
    for path, data in before.items():
        assert data in left, path
    assert not any(
        path.endswith(".json") and not path.endswith(f"/{MANIFEST_NAME}")
        for path in read_all(backend)
    )
    return repairs


def find_artifact(backend: Backend, name: str = COMPONENT, video_id: str = "v1") -> str:
    record = Store(backend).run("local", video_id, "r1").components[name].artifacts[0]
    return f"local/{video_id}/r1/{record.path}"


def flip(backend: Backend, path: str, at: int) -> None:
    data = bytearray(backend.read(path, limit=_LIMIT))
    data[at] ^= 1
    publish(backend, path, bytes(data))


def test_a_sound_store_has_no_findings(backend: Backend) -> None:
    write_run(backend)
    commit(begin_run(backend, "v2", "unfinished"))
    found = inspect_store(backend, with_data=True)
    assert (found.findings, found.runs, found.artifacts) == ([], 2, 1 + len(COMPONENTS))
    listed = [
        artifact.size_bytes
        for run in Store(backend).runs()
        for component in run.components.values()
        for artifact in component.artifacts
    ]
    assert found.read_bytes == sum(listed)
    assert inspect_store(backend, with_data=False).read_bytes == 0


def test_an_empty_folder_is_no_store(backend: Backend) -> None:
    assert codes(backend) == ["no_marker"]
    with pytest.raises(StoreUnavailableError):
        repair_store(backend, [], clock)
    publish(backend, "_filmcan/format", b"filmcan store 9\n")
    assert codes(backend) == ["unknown_format"]


def test_p9_any_flipped_byte_of_an_artifact_is_found_by_rehashing(backend: Backend) -> None:
    write_run(backend)
    path = find_artifact(backend)
    whole = backend.read(path, limit=_LIMIT)
    for at in range(3, len(whole), 797):
        flip(backend, path, at)
        assert codes(backend, with_data=True) == ["hash_mismatch"], at
        publish(backend, path, whole)
    assert codes(backend, with_data=True) == []


@pytest.mark.parametrize("at", [0, 30, -1])
def test_p9_a_container_damaged_before_it_was_listed_is_found_by_reading_it(
    backend: Backend, at: int
) -> None:
    """The hash is right then: what fsck does not open is for whoever reads or validates."""
    writer = begin_run(backend)
    place = f"{writer.run_path}/{commit(writer)}"
    flip(backend, place, at)
    relist(backend, place)
    with pytest.raises(InvalidArtifactError), open_npz(backend.open(place)) as npz:
        npz.check()
    assert codes(backend, with_data=True) == (["zip_end_record"] if at == -1 else [])


def test_an_error_ends_the_look_at_many_runs_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = MemoryBackend()
    for number in range(20):
        write_run(backend, f"v{number}")

    def refuse(_path: str) -> ByteSource:
        raise StoreUnavailableError("gone")

    monkeypatch.setattr(backend, "open", refuse)
    with pytest.raises(StoreUnavailableError, match="gone"):
        inspect_store(backend, with_data=True)


def relist(backend: Backend, place: str) -> None:
    """Let the manifest say the digest that a file has now."""
    import hashlib

    data = backend.read(place, limit=_LIMIT)
    run_path = "/".join(place.split("/")[:3])
    manifest = parse_manifest(backend.read(f"{run_path}/{MANIFEST_NAME}", limit=_LIMIT))
    components = tuple(
        replace(
            item,
            artifacts=tuple(
                replace(artifact, size_bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
                if f"{run_path}/{artifact.path}" == place
                else artifact
                for artifact in item.artifacts
            ),
        )
        for item in manifest.components
    )
    changed = replace(manifest, components=components)
    publish(backend, f"{run_path}/{MANIFEST_NAME}", changed.to_bytes())


def test_p1_what_is_listed_and_not_there_is_found(backend: Backend) -> None:
    write_run(backend)
    backend.remove(find_artifact(backend))
    assert codes(backend) == ["artifact_missing"]


def test_p1_a_size_that_differs_is_found_without_reading(backend: Backend) -> None:
    write_run(backend)
    path = find_artifact(backend)
    publish(backend, path, backend.read(path, limit=_LIMIT)[:-1])
    assert codes(backend) == ["size_mismatch"]


def test_meta_that_cannot_be_read_is_found_without_rehashing(backend: Backend) -> None:
    write_run(backend)
    path = find_artifact(backend)
    publish(backend, path, b"\0" * len(backend.read(path, limit=_LIMIT)))
    (code,) = codes(backend)
    assert code != "hash_mismatch"
    (done,) = repair(backend)
    assert done.is_done


def test_meta_that_disagrees_with_its_manifest_is_found(backend: Backend) -> None:
    run = write_run(backend)
    path = f"{run}/{MANIFEST_NAME}"
    text = backend.read(path, limit=_LIMIT).replace(b'"video_too_short"', b'"no_text_available"')
    publish(backend, path, text)
    found = inspect_store(backend, with_data=False).findings
    assert [finding.issue.code for finding in found] == ["manifest_disagrees"]
    assert "empty_reason" in found[0].issue.message
    assert found[0].remedy is None


@pytest.mark.parametrize(
    ("path", "code"),
    [
        (f"local/v1/r1/{COMPONENT}/{COMPONENT}.0123456789ab.npz", "unlisted_file"),
        (f"local/v1/r1/{COMPONENT}/_tmp_1_2_x", "leftover_temporary"),
        ("local/v1/_tmp_1_2_x.json", "leftover_temporary"),
        ("_filmcan/_tmp_1_2_x", "leftover_temporary"),
        ("local/v1/r1/debug.json", "forbidden_json"),
        ("local/v1/DEBUG.JSON", "forbidden_json"),
        ("local/debug.json", "forbidden_json"),
        ("manifest.json", "forbidden_json"),
        ("_filmcan/index.json", "forbidden_json"),
        ("local/v1/.hidden/x", "strange_folder"),
        (".git/config/x/y", "strange_folder"),
        ("local/v1/r2/log.txt", "manifest_missing"),
        ("local/v1/r2/core_clip/core_clip.0123456789ab.npz", "manifest_missing"),
    ],
)
def test_what_lies_besides_is_found(backend: Backend, path: str, code: str) -> None:
    write_run(backend)
    publish(backend, path, b"x")
    assert codes(backend) == [code]


def test_other_files_above_the_runs_are_nobodys_business(backend: Backend) -> None:
    write_run(backend)
    for path in ("README", "local/notes.txt", "local/v1/notes.txt"):
        publish(backend, path, b"x")
    assert codes(backend) == []


def test_a_forbidden_json_is_quarantined_under_another_name(backend: Backend) -> None:
    write_run(backend)
    for path in ("debug.json", "local/v1/r1/debug.json", "local/v1/debug.json", "local/a.json"):
        publish(backend, path, b"{}")
    repairs = repair(backend)
    assert [item.is_done for item in repairs] == [True] * 4
    assert codes(backend) == []
    assert inspect_store(backend, with_data=False).quarantined == 4
    notes = [data for path, data in read_all(backend).items() if path.endswith("note.txt")]
    assert any(b"was: local/v1/r1/debug.json\nwhy: forbidden_json" in note for note in notes)


def test_p9_an_artifact_with_other_bytes_is_unlisted_and_kept_in_quarantine(
    backend: Backend,
) -> None:
    run = write_run(backend)
    path = find_artifact(backend)
    flip(backend, path, 500)
    bad = backend.read(path, limit=_LIMIT)
    (done,) = repair(backend, with_data=True)
    assert done.is_done
    assert codes(backend, with_data=True) == []
    record = Store(backend).run("local", "v1", "r1").components[COMPONENT]
    assert (record.status, record.artifacts) == ("error", ())
    assert "fsck" in str(record.error)
    assert Store(backend).run("local", "v1", "r1").status == "ok"
    kept = [path for path in read_all(backend) if path.startswith(f"{QUARANTINE}/{run}/")]
    assert sum(path.endswith(".kept") for path in kept) == 2
    assert bad in read_all(backend).values()
    # the component can be run again into the same run
    joined = RunTransaction.join(backend, build_run_record(), clock)
    commit(joined)
    assert codes(backend, with_data=True) == []


@pytest.mark.parametrize("damage", ["sha256", "size_bytes"])
@pytest.mark.parametrize("kind", ["npz", "npy"])
def test_p9_where_the_manifest_is_the_damaged_side_it_is_mended(
    backend: Backend, damage: str, kind: str
) -> None:
    writer = RunTransaction.create(backend, build_run_record(), clock, 1)
    writer.commit(build_product(build_run_record()))
    manifest = writer.read()
    (record,) = manifest.components
    wrong = [
        replace(item, size_bytes=item.size_bytes + 1)
        if damage == "size_bytes"
        else replace(item, sha256=item.sha256[:-1] + ("0" if item.sha256[-1] != "0" else "1"))
        for item in record.artifacts
    ]
    listed = tuple(
        bad if item.kind == kind else item
        for item, bad in zip(record.artifacts, wrong, strict=True)
    )
    path = f"{writer.run_path}/{MANIFEST_NAME}"
    torn = manifest.with_component(replace(record, artifacts=listed)).to_bytes()
    publish(backend, path, torn)
    assert codes(backend, with_data=True)
    done, *later = repair(backend, with_data=True)
    assert done.is_done
    assert "as its name says" in done.message
    assert not any(item.is_done for item in later)
    assert codes(backend, with_data=True) == []
    (found,) = writer.read().components
    assert found.status == record.status
    by_path = operator.attrgetter("path")
    assert sorted(found.artifacts, key=by_path) == sorted(record.artifacts, key=by_path)
    assert torn in read_all(backend).values()


def test_p9_a_file_whose_name_says_nothing_of_its_bytes_proves_nothing(backend: Backend) -> None:
    writer = begin_run(backend)
    place = commit(writer)
    named = f"{COMPONENT}/embeddings.npz"
    backend.move(f"{writer.run_path}/{place}", f"{writer.run_path}/{named}")
    manifest = writer.read()
    (record,) = manifest.components
    (artifact,) = record.artifacts
    wrong = replace(artifact, path=named, size_bytes=artifact.size_bytes + 1)
    torn = manifest.with_component(replace(record, artifacts=(wrong,)))
    publish(backend, f"{writer.run_path}/{MANIFEST_NAME}", torn.to_bytes())
    (done,) = repair(backend)
    assert done.is_done
    assert writer.read().components[0].status == "error"


def test_a_missing_artifact_is_unlisted(backend: Backend) -> None:
    write_run(backend)
    for name in COMPONENTS:
        backend.remove(find_artifact(backend, name))
    assert [item.is_done for item in repair(backend)] == [True] * len(COMPONENTS)
    run = Store(backend).run("local", "v1", "r1")
    assert {record.status for record in run.components.values()} == {"error"}
    assert run.status == "error"
    assert codes(backend) == []


def test_repair_leaves_alone_what_is_as_it_was_committed(backend: Backend) -> None:
    writer = begin_run(backend)
    place = f"{writer.run_path}/{commit(writer)}"
    publish(backend, place, b"PK\3\4 no container, but committed so")
    relist(backend, place)
    (left,) = repair(backend)
    assert not left.is_done
    assert "committed" in left.message


def test_repair_looks_again_before_it_acts(backend: Backend) -> None:
    write_run(backend)
    path, other = find_artifact(backend), find_artifact(backend, "tempo_extractor")
    whole = {place: backend.read(place, limit=_LIMIT) for place in (path, other)}
    flip(backend, path, 500)
    flip(backend, other, 500)
    publish(backend, "debug.json", b"{}")
    backend.move("local/v1/r1/manifest.json", "local/v1/r1/elsewhere")
    publish(backend, "local/v1/r1/manifest.json", b"torn")
    stale = inspect_store(backend, with_data=True).findings
    backend.remove("local/v1/r1/manifest.json")
    backend.move("local/v1/r1/elsewhere", "local/v1/r1/manifest.json")
    stale += inspect_store(backend, with_data=True).findings
    for place, data in whole.items():
        publish(backend, place, data)
    joined = RunTransaction.join(backend, build_run_record(), clock)
    commit(joined, "tempo_extractor", reason="dependency_missing")
    backend.remove("debug.json")
    before = read_all(backend)
    repairs = repair_store(backend, stale, clock)
    assert [item.is_done for item in repairs] == [False] * len(repairs)
    assert {item.code for item in repairs} == {
        "forbidden_json",
        "hash_mismatch",
        "invalid_manifest",
    }
    after = read_all(backend)
    assert {path: after[path] for path in before} == before
    delete_video(backend, "local", "v1")
    assert not any(item.is_done for item in repair_store(backend, stale, clock))


def lose(backend: Backend) -> None:
    backend.remove(f"local/v1/r1/{MANIFEST_NAME}")


def tear(backend: Backend) -> None:
    path = f"local/v1/r1/{MANIFEST_NAME}"
    publish(backend, path, backend.read(path, limit=_LIMIT)[:100])


@pytest.mark.parametrize("damage", [lose, tear])
def test_p7_a_lost_or_damaged_manifest_is_rebuilt_from_its_artifacts(
    backend: Backend, damage: Callable[[Backend], None]
) -> None:
    write_run(backend)
    before = Store(backend).run("local", "v1", "r1").manifest
    damage(backend)
    torn = read_all(backend).get(f"local/v1/r1/{MANIFEST_NAME}")
    assert codes(backend) == ["manifest_missing" if torn is None else "invalid_manifest"]
    (done,) = repair(backend)
    assert done.is_done
    after = Store(backend).run("local", "v1", "r1").manifest
    kept = [
        data
        for path, data in read_all(backend).items()
        if path.startswith(QUARANTINE) and path.endswith("manifest.json.kept")
    ]
    assert kept == ([] if torn is None else [torn])
    assert after.run.config_hash == before.run.config_hash
    assert after.run.created_at == before.run.created_at
    assert (after.run.finished_at, after.run.status, after.run.source) == (None, None, {})
    assert set(after.run.planned_components) == set(COMPONENTS)
    for record in before.components:
        rebuilt = after.find_component(record.name)
        assert rebuilt is not None
        assert rebuilt.artifacts == record.artifacts
        assert (rebuilt.kind, rebuilt.status) == (record.kind, record.status)
        assert rebuilt.empty_reason == record.empty_reason
        assert rebuilt.model_signature == record.model_signature
        assert (rebuilt.started_at, rebuilt.duration_ms, rebuilt.notes) == (None, None, NOTE)
    assert codes(backend, with_data=True) == []
    joined = RunTransaction.join(backend, build_run_record(), clock)
    assert joined.finish(source={}, peak_rss_bytes=None).run.status == "ok"


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("damage", [lose, tear])
def test_p7_a_repair_that_crashes_at_any_step_can_be_made_again(
    backend: Backend, damage: Callable[[Backend], None], before: bool
) -> None:
    write_run(backend)
    at_step, is_alive = 0, False
    while not is_alive:
        damage(backend)
        was = read_all(backend).get(f"local/v1/r1/{MANIFEST_NAME}")
        crashing = CrashingBackend(backend, at_step, before=before)
        findings = inspect_store(backend, with_data=False).findings
        try:
            repair_store(crashing, findings, clock)
            is_alive = True
        except CrashError:
            found = read_all(backend).get(f"local/v1/r1/{MANIFEST_NAME}")
            assert found == was or parse_manifest(found or b"").components
            repair(reopen(backend))
        assert codes(backend, with_data=True) in ([], ["leftover_temporary"])
        assert len(Store(backend).run("local", "v1", "r1").components) == len(COMPONENTS)
        at_step += 1
    assert at_step >= (1 if damage is lose else 3)


def test_p7_nothing_is_rebuilt_where_nothing_can_be_proved(backend: Backend) -> None:
    begin_run(backend)
    tear(backend)
    torn = backend.read(f"local/v1/r1/{MANIFEST_NAME}", limit=_LIMIT)
    (left,) = repair(backend)
    assert not left.is_done
    assert backend.read(f"local/v1/r1/{MANIFEST_NAME}", limit=_LIMIT) == torn
    with pytest.raises(InvalidManifestError):
        RunTransaction.join(backend, build_run_record(), clock)
    with pytest.raises(NotFoundError):
        build_manifest(backend, "local/v1/r1", clock)


def test_only_valid_artifacts_in_their_own_place_count(backend: Backend) -> None:
    write_run(backend)
    write_run(backend, "v2")
    flip(backend, find_artifact(backend, "tempo_extractor"), 500)
    record = Store(backend).run("local", "v2", "r1").components["loudness_extractor"]
    foreign = backend.read(f"local/v2/r1/{record.artifacts[0].path}", limit=_LIMIT)
    for path in backend.list_folder("local/v1/r1/loudness_extractor").files:
        publish(backend, f"local/v1/r1/loudness_extractor/{path}", foreign)
    publish(backend, "local/v1/r1/.hidden/x.npz", b"x")
    publish(backend, "local/v1/r1/core_clip/notes.txt", b"x")
    lose(backend)
    assert [item.is_done for item in repair(backend)] == [True]
    run = Store(backend).run("local", "v1", "r1")
    assert list(run.components) == [COMPONENT]


def test_an_artifact_that_goes_while_it_is_read_counts_for_nothing(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_run(backend)
    real = type(backend).open

    def refuse(self: Backend, path: str) -> object:
        if COMPONENT in path:
            raise NotFoundError("there is no such file in the store", where=path)
        return real(self, path)

    monkeypatch.setattr(type(backend), "open", refuse)
    manifest = build_manifest(backend, "local/v1/r1", clock)
    assert {item.name for item in manifest.components} == set(COMPONENTS) - {COMPONENT}


def test_artifacts_made_with_different_settings_are_not_put_together(backend: Backend) -> None:
    writer = begin_run(backend)
    commit(writer)
    commit(writer, "tempo_extractor", config_hash="1" * 64)
    lose(backend)
    (left,) = repair(backend)
    assert not left.is_done
    assert "config_hash" in left.message
    with pytest.raises(InvalidContentError):
        build_manifest(backend, "local/v1/r1", clock)


def test_of_several_artifacts_of_a_component_the_latest_made_counts(backend: Backend) -> None:
    writer = begin_run(backend)
    first = commit(writer, created_at="2026-01-01T00:00:00.000Z")
    old = backend.read(f"local/v1/r1/{first}", limit=_LIMIT)
    second = commit(writer, created_at="2026-01-02T00:00:00.000Z")
    publish(backend, f"local/v1/r1/{first}", old)
    lose(backend)
    manifest = build_manifest(backend, "local/v1/r1", clock)
    assert manifest.components[0].artifacts[0].path == second
    assert manifest.run.created_at == "2026-01-02T00:00:00.000Z"


def test_c9_sub_artifacts_are_judged_rebuilt_and_quarantined_with_their_npz(
    backend: Backend,
) -> None:
    record = build_run_record()
    writer = RunTransaction.create(backend, record, clock, 1)
    product = build_product(record)
    writer.commit(product)
    manifest = writer.read()
    files = manifest.components[0].artifacts
    beside = [item for item in files if item.kind == "npy"]
    assert beside
    assert codes(backend) == codes(backend, with_data=True) == []
    lose(backend)
    assert [item.is_done for item in repair(backend)] == [True]
    rebuilt = Store(backend).run("local", "v1", "r1").manifest.components[0].artifacts
    assert sorted(item.path for item in rebuilt) == sorted(item.path for item in files)
    flip(backend, f"local/v1/r1/{beside[0].path}", -1)
    assert codes(backend) == []
    assert codes(backend, with_data=True) == ["hash_mismatch"]
    repair(backend, with_data=True)
    assert codes(backend, with_data=True) == []
    assert backend.list_folder(f"local/v1/r1/{COMPONENT}").files == {}


@pytest.mark.parametrize("step", ["manifest", "artifacts", "all"])
def test_p11_a_deletion_under_way_is_no_damage(
    backend: Backend, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """The tombstones are read first, and the run is looked at when it is half gone, or gone."""
    run = write_run(backend)
    write_run(backend, "v2")
    kept = {path: data for path, data in read_all(backend).items() if path.startswith(run)}
    real = inspect_run.read_facts

    def delete_first(looked: Backend, run_path: str) -> object:
        if run_path == run:
            delete_video(backend, "local", "v1")
            for path, data in kept.items():
                if step == "manifest" and data and not path.endswith(MANIFEST_NAME):
                    publish(backend, path, data)
            if step == "artifacts":
                publish(backend, f"{run}/left.bin", b"x")
        return real(looked, run_path)

    monkeypatch.setattr(inspect_run, "read_facts", delete_first)
    found = inspect_store(backend, with_data=False)
    assert [item.issue.level for item in found.findings if item.issue.level == "error"] == []
    assert found.runs == (1 if step == "all" else 2)


def test_p11_fsck_never_brings_back_what_was_deleted(backend: Backend) -> None:
    run = write_run(backend)
    files = {path: data for path, data in read_all(backend).items() if path.startswith("local/")}
    delete_video(backend, "local", "v1")
    for path, data in files.items():
        if data and not path.endswith(MANIFEST_NAME):
            publish(backend, path, data)
    assert codes(backend) == ["manifest_missing"]
    assert repair(backend) == []
    publish(backend, f"{run}/{MANIFEST_NAME}", b"torn")
    (left,) = repair(backend)
    assert not left.is_done
    assert "deleted" in left.message
    backend.remove(f"{run}/{MANIFEST_NAME}")
    sweep_store(backend, SweepRules(grace_sec=-1.0), dry_run=False)
    assert backend.list_folder("local/v1").folders == ()


def test_a_manifest_from_another_place_is_left_for_a_person(backend: Backend) -> None:
    backend.move(write_run(backend), "local/v1/r7")
    assert codes(backend) == ["place"]
    assert repair(backend) == []


def test_an_artifact_that_goes_while_it_is_judged_is_a_finding(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_run(backend)
    real = type(backend).open

    def refuse(self: Backend, path: str) -> object:
        if COMPONENT in path:
            raise NotFoundError("there is no such file in the store", where=path)
        return real(self, path)

    monkeypatch.setattr(type(backend), "open", refuse)
    assert codes(backend) == ["not_found"]


def refuse(*places: str) -> Callable[[Callable[..., object]], Callable[..., object]]:
    """Return what makes a method of a backend fail at these places, as a bad disk does."""

    def wrap(real: Callable[..., object]) -> Callable[..., object]:
        def call(self: Backend, path: str, *arguments: object, **options: object) -> object:
            if path in places:
                raise StoreUnavailableError("the disk says no", where=path)
            return real(self, path, *arguments, **options)

        return call

    return wrap


class TestUnreadable:
    """A disk that refuses some of its files is looked at whole; the rest is judged."""

    @pytest.fixture
    def local(self, tmp_path: Path) -> LocalBackend:
        backend = LocalBackend(tmp_path / "store")
        write_run(backend)
        write_run(backend, "v2")
        flip(backend, find_artifact(backend, video_id="v2"), 500)
        return backend

    @pytest.mark.parametrize("method", ["open", "read", "list_folder", "find_versioned"])
    def test_the_rest_is_judged(
        self, local: LocalBackend, monkeypatch: pytest.MonkeyPatch, method: str
    ) -> None:
        artifact = find_artifact(local)
        place = {
            "open": artifact,
            "read": f"local/v1/r1/{MANIFEST_NAME}",
            "list_folder": f"local/v1/r1/{COMPONENT}",
            "find_versioned": build_tombstone_path("local/v1"),
        }[method]
        monkeypatch.setattr(LocalBackend, method, refuse(place)(getattr(LocalBackend, method)))
        found = inspect_store(local, with_data=True)
        told = {(item.issue.code, item.issue.where) for item in found.findings}
        damaged = find_artifact(local, video_id="v2")
        assert told == {("unreadable", place), ("hash_mismatch", damaged)}
        (done,) = repair_store(local, found.findings, clock)
        assert (done.is_done, done.where) == (True, damaged)

    def test_an_artifact_that_fails_while_it_is_read_is_unreadable(
        self, local: LocalBackend, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(_source: object) -> str:
            raise StoreUnavailableError("cannot read: Input/output error")

        monkeypatch.setattr(inspect_run, "hash_source", fail)
        codes = [item.issue.code for item in inspect_store(local, with_data=True).findings]
        assert codes == ["unreadable"] * 2 * len(COMPONENTS)

    def test_a_repair_that_the_disk_refuses_does_not_end_the_others(
        self, local: LocalBackend, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for path in ("local/v1/debug.json", "local/v2/debug.json"):
            publish(local, path, b"{}")
        found = inspect_store(local, with_data=False).findings
        monkeypatch.setattr(LocalBackend, "move", refuse("local/v1/debug.json")(LocalBackend.move))
        repairs = repair_store(local, found, clock)
        assert [item.is_done for item in repairs] == [False, True]
        assert "the disk says no" in repairs[0].message

    def test_a_server_that_does_not_answer_ends_the_repair(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        backend = MemoryBackend()
        write_run(backend)
        publish(backend, "debug.json", b"{}")
        found = inspect_store(backend, with_data=False).findings
        monkeypatch.setattr(MemoryBackend, "move", refuse("debug.json")(MemoryBackend.move))
        with pytest.raises(StoreUnavailableError):
            repair_store(backend, found, clock)


class TestLinks:
    """A link is never followed, and repair moves the link itself."""

    @pytest.fixture
    def local(self, tmp_path: Path) -> LocalBackend:
        backend = LocalBackend(tmp_path / "store")
        write_run(backend)
        (tmp_path / "outside").mkdir()
        (tmp_path / "outside" / "file").write_text("kept")
        return backend

    def test_p10_links_and_pipes_are_found_and_moved_away(
        self, local: LocalBackend, tmp_path: Path
    ) -> None:
        root = Path(local.url)
        outside = tmp_path / "outside"
        (root / "linked").symlink_to(outside)
        (root / "local" / "v2").symlink_to(outside)
        (root / "local" / "v1" / "r2").symlink_to(outside)
        (root / "local" / "v1" / "r1" / "deep").symlink_to(outside / "file")
        (root / "_filmcan" / "linked").symlink_to(outside)
        os.mkfifo(root / "local" / "v1" / "r1" / COMPONENT / "pipe")
        assert codes(local) == ["not_regular"] * 6
        repairs = repair_store(local, inspect_store(local, with_data=False).findings, clock)
        assert [item.is_done for item in repairs] == [True] * 6
        assert codes(local) == []
        assert [path.name for path in outside.iterdir()] == ["file"]
        assert (outside / "file").read_text() == "kept"

    def test_what_took_the_name_of_a_link_meanwhile_stays(
        self, local: LocalBackend, tmp_path: Path
    ) -> None:
        place = Path(local.url, "local", "v2")
        place.symlink_to(tmp_path / "outside")
        publish(local, "local/a.json", b"{}")
        found = inspect_store(local, with_data=False).findings
        place.unlink()
        write_run(local, "v2")
        local.remove("local/a.json")
        assert [item.is_done for item in repair_store(local, found, clock)] == [False, False]
        assert [run.video_id for run in Store(local).runs()] == ["v1", "v2"]

    def test_names_that_are_no_utf8_and_names_as_long_as_can_be_are_moved_away(
        self, local: LocalBackend
    ) -> None:
        names = (os.fsdecode(b"\xff\xfe.json"), "\u00e4" * 125 + ".json", "a" * 250 + ".json")
        try:
            for name in names:
                Path(local.url, "local", name).write_text("{}")
                Path(local.url, "local", "v1", "r1", name).write_text("{}")
        except OSError:
            pytest.skip("this file system takes UTF-8 names only")
        found = inspect_store(local, with_data=False).findings
        assert [item.issue.code for item in found] == ["forbidden_json"] * 6
        assert all(item.is_done for item in repair_store(local, found, clock))
        assert codes(local) == []

    @pytest.mark.parametrize("kind", ["fifo", "link"])
    def test_housekeeping_that_is_not_what_it_should_be_is_a_finding(
        self, local: LocalBackend, tmp_path: Path, kind: str
    ) -> None:
        root = Path(local.url)
        if kind == "fifo":
            (root / FORMAT_MARKER).unlink()
            os.mkfifo(root / FORMAT_MARKER)
        else:
            (root / HOUSEKEEPING).rename(tmp_path / "moved")
            (root / HOUSEKEEPING).symlink_to(tmp_path / "moved")
        found = inspect_store(local, with_data=False)
        assert found.runs == 1
        assert {item.issue.code for item in found.findings} == {"not_regular"}

    @pytest.mark.parametrize("kind", ["link", "folder"])
    def test_a_manifest_that_is_no_file_is_moved_away_and_rebuilt(
        self, local: LocalBackend, tmp_path: Path, kind: str
    ) -> None:
        path = Path(local.url) / "local" / "v1" / "r1" / MANIFEST_NAME
        path.unlink()
        if kind == "link":
            path.symlink_to(tmp_path / "outside" / "file")
        else:
            path.mkdir()
        assert codes(local) == ["not_regular"]
        (done,) = repair_store(local, inspect_store(local, with_data=False).findings, clock)
        assert done.is_done
        assert codes(local) == []
        assert path.is_file()
        assert not path.is_symlink()

    def test_p10_an_artifact_that_is_a_link_is_not_read(
        self, local: LocalBackend, tmp_path: Path
    ) -> None:
        path = Path(local.url) / find_artifact(local)
        path.rename(tmp_path / "outside" / "artifact")
        path.symlink_to(tmp_path / "outside" / "artifact")
        assert codes(local, with_data=True) == ["artifact_missing", "not_regular"]
        repairs = repair_store(local, inspect_store(local, with_data=False).findings, clock)
        assert [item.is_done for item in repairs] == [True, False]
        assert codes(local) == []
        assert (tmp_path / "outside" / "artifact").is_file()


def test_progress_names_each_run(backend: Backend) -> None:
    for number in range(2):
        write_run(backend, f"v{number}")
    told: list[tuple[float, str]] = []
    inspect_store(
        backend, with_data=False, on_progress=lambda share, place: told.append((share, place))
    )
    assert told == [(0.0, "local/v0/r1"), (0.5, "local/v1/r1")]


def test_a_swapped_file_over_the_limit_is_refused(backend: Backend) -> None:
    backend.swap("a/b", b"12345", expected=None)
    with pytest.raises(InvalidContentError) as caught:
        backend.find_versioned("a/b", limit=4)
    assert caught.value.code == "too_large"


@pytest.mark.usefixtures("processes_at_once")
@pytest.mark.parametrize("with_data", [False, True])
def test_many_processes_find_what_one_finds(
    with_data: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspect, "_CHUNK_WITH_DATA" if with_data else "_CHUNK", 2)
    local = LocalBackend(tmp_path / "store")
    for number in range(5):
        write_run(local, f"v{number}")
    lost = next(Path(local.url, "local", "v1").rglob("*.npz"))
    lost.unlink()
    changed = next(Path(local.url, "local", "v3").rglob("*.npz"))
    data = bytearray(changed.read_bytes())
    data[200] ^= 1
    changed.write_bytes(data)
    told: list[str] = []
    one = inspect_store(local, with_data=with_data)
    many = inspect_store(
        local, with_data=with_data, workers=2, on_progress=lambda _, place: told.append(place)
    )
    assert many == one
    assert len(one.findings) == (2 if with_data else 1)
    assert told == [f"local/v{number}/r1" for number in range(5)]
