"""A folder whose every write is watched and can be made to fail: for proofs of durability.

`WatchedDisk` stands between a writer and the real file system, in this process. It records each
step that changes something below its folder, asks a `Fate` before each, and lets the step happen,
fail with an error, take fewer bytes, or never happen because the process is dead. `power_cut`
replays the record. What was not seen is found out: `check_record` holds the record against the
disk.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Literal, Self

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

StepKind = Literal[
    "open", "read", "create", "write", "flush", "rename", "unlink", "mkdir", "rmdir", "ack"
]
ROOT = 0
"""The node number of the watched folder."""


class StoppedError(BaseException):
    """The process was killed: nothing it does takes effect any more.

    No `Exception`, so that no handler of the code under test survives its own death.
    """


@dataclass(frozen=True, slots=True)
class Step:
    """One thing a writer did, or is about to do.

    Attributes:
        kind: What it is; `ack` marks that the writer reported something as done.
        node: The file or folder it concerns; each has a number of its own, never used twice.
        folder: The folder whose entries it changes.
        name: The entry, relative to `folder`.
        target_folder: Where a rename leads.
        target: The entry a rename makes.
        offset: Where a write starts.
        data: What it writes.
        note: What an `ack` reports.
    """

    kind: StepKind
    node: int = -1
    folder: int = -1
    name: str = ""
    target_folder: int = -1
    target: str = ""
    offset: int = 0
    data: bytes = b""
    note: object = None


Fate = Callable[[Step], BaseException | int | None]
"""What becomes of a step: None lets it happen, an error fails it, a number shortens a write."""


@dataclass(slots=True)
class Tree:
    """What lies on a disk: entries of each folder, bytes of each file, by node number."""

    entries: dict[int, dict[str, int]] = field(default_factory=lambda: {ROOT: {}})
    contents: dict[int, bytes] = field(default_factory=dict)

    def copy(self) -> Tree:
        """Return a tree that can be changed on its own."""
        return Tree({node: dict(names) for node, names in self.entries.items()}, {**self.contents})

    def walk(self, node: int = ROOT, prefix: str = "") -> Iterator[tuple[str, bytes | None]]:
        """Yield every path that can be reached, with its bytes; a folder has None."""
        for name, below in sorted(self.entries.get(node, {}).items()):
            path = f"{prefix}{name}"
            if below in self.entries:
                yield path, None
                yield from self.walk(below, f"{path}/")
            else:
                yield path, self.contents.get(below, b"")


class WatchedDisk:
    """Watches a folder while its block lasts. One writer thread at a time.

    Attributes:
        steps: What happened so far, failed steps left out.
        before: What lay there at the start, taken as durable.
        asked: How many steps were asked for, failed ones among them.
    """

    def __init__(self, folder: Path, fate: Fate | None = None) -> None:
        """Choose the folder, which must exist."""
        self.folder = folder.resolve()
        self.fate = fate
        self.steps: list[Step] = []
        self.before = Tree()
        self.asked = 0
        self.is_stopped = False
        self._nodes: dict[tuple[int, int], int] = {}
        self._next_node = ROOT + 1
        self._real = {name: getattr(os, name) for name in _WATCHED}

    def ack(self, note: object) -> None:
        """Record that the writer has reported something as done."""
        self.steps.append(Step("ack", note=note))

    def restart(self, fate: Fate | None = None) -> None:
        """Let a new process begin after the old one died."""
        self.is_stopped = False
        self.fate = fate

    def check_record(self, whole: Tree) -> None:
        """Compare a tree with the disk: a difference is a step that nobody watched.

        Raises:
            AssertionError: They differ.
        """
        assert dict(whole.walk()) == {
            str(path.relative_to(self.folder)): path.read_bytes() if path.is_file() else None
            for path in self.folder.rglob("*")
        }

    def __enter__(self) -> Self:
        """Start watching."""
        self._learn(self.folder, ROOT)
        for name in _WATCHED:
            setattr(os, name, getattr(self, f"_{name}"))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let go of the system's functions."""
        for name, real in self._real.items():
            setattr(os, name, real)

    def decide(self, step: Step) -> int | None:
        """Return how many bytes a write may take, None for all.

        Raises:
            StoppedError: The process is dead.
            OSError: The step fails.
        """
        if self.is_stopped:
            raise StoppedError
        self.asked += 1
        fate = self.fate(step) if self.fate is not None else None
        if isinstance(fate, StoppedError):
            self.is_stopped = True
        if isinstance(fate, BaseException):
            raise fate
        return fate

    # --- the system's functions -------------------------------------------------------------

    def _open(
        self, path: str | Path, flags: int, mode: int = 0o777, *, dir_fd: int | None = None
    ) -> int:
        place = self._find_place(path, dir_fd)
        if place is None:
            return self._call("open", path, flags, mode, dir_fd=dir_fd)
        creates = bool(flags & os.O_CREAT) and not self._exists(path, dir_fd)
        self.decide(Step("create" if creates else "open", folder=place[0], name=place[1]))
        descriptor = self._call("open", path, flags, mode, dir_fd=dir_fd)
        if creates:
            node = self._number(os.fstat(descriptor))
            self.steps.append(Step("create", node, *place))
        return descriptor

    def _fdopen(self, descriptor: int, mode: str = "r", *rest: object) -> IO[bytes]:
        node = self._find_node(descriptor)
        if node is None or "b" not in mode:
            opened: IO[bytes] = self._real["fdopen"](descriptor, mode, *rest)
            return opened
        raw = _WatchedFile(self, node, descriptor, mode.replace("b", ""))
        if "+" in mode:
            return io.BufferedRandom(raw)
        return io.BufferedWriter(raw) if raw.writable() else io.BufferedReader(raw)

    def _read(self, descriptor: int, size: int) -> bytes:
        node = self._find_node(descriptor)
        if node is not None:
            self.decide(Step("read", node))
        data: bytes = self._real["read"](descriptor, size)
        return data

    def _fsync(self, descriptor: int) -> None:
        node = self._find_node(descriptor)
        if node is not None:
            self.decide(Step("flush", node))
            self.steps.append(Step("flush", node))
            return  # the record stands for the disk; a real flush would only cost time
        self._real["fsync"](descriptor)

    def _replace(
        self,
        source: str | Path,
        target: str | Path,
        *,
        src_dir_fd: int | None = None,
        dst_dir_fd: int | None = None,
    ) -> None:
        places = self._find_place(source, src_dir_fd), self._find_place(target, dst_dir_fd)
        if places[0] is None or places[1] is None:
            assert places == (None, None), "a rename into or out of the watched folder"
            self._real["replace"](source, target, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)
            return
        moved = os.stat(source, dir_fd=src_dir_fd, follow_symlinks=False)
        step = Step("rename", self._nodes[moved.st_dev, moved.st_ino], *places[0], *places[1])
        self.decide(step)
        self._real["replace"](source, target, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)
        self.steps.append(step)

    _rename = _replace

    def _unlink(self, path: str | Path, *, dir_fd: int | None = None) -> None:
        self._remove_entry("unlink", path, dir_fd)

    _remove = _unlink

    def _rmdir(self, path: str | Path, *, dir_fd: int | None = None) -> None:
        self._remove_entry("rmdir", path, dir_fd)

    def _mkdir(self, path: str | Path, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
        place = self._find_place(path, dir_fd)
        if place is not None:
            self.decide(Step("mkdir", folder=place[0], name=place[1]))
        self._real["mkdir"](path, mode, dir_fd=dir_fd)
        if place is not None:
            made = os.stat(path, dir_fd=dir_fd, follow_symlinks=False)
            node = self._number(made)
            self.steps.append(Step("mkdir", node, *place))

    # --- places and nodes -------------------------------------------------------------------

    def _remove_entry(
        self, kind: Literal["unlink", "rmdir"], path: str | Path, dir_fd: int | None
    ) -> None:
        place = self._find_place(path, dir_fd)
        if place is not None:
            self.decide(Step(kind, folder=place[0], name=place[1]))
        self._real[kind](path, dir_fd=dir_fd)
        if place is not None:
            self.steps.append(Step(kind, folder=place[0], name=place[1]))

    def _call(self, name: str, *arguments: object, dir_fd: int | None) -> int:
        result: int = self._real[name](*arguments, dir_fd=dir_fd)
        return result

    def _find_place(self, path: str | Path, dir_fd: int | None) -> tuple[int, str] | None:
        """Return the watched folder and the name in it, None outside."""
        text = os.fspath(path)
        try:
            found = Path(text).parent.stat() if dir_fd is None else os.fstat(dir_fd)
        except FileNotFoundError:
            return None
        folder = self._nodes.get((found.st_dev, found.st_ino))
        return None if folder is None else (folder, Path(text).name)

    def _find_node(self, descriptor: int) -> int | None:
        found = os.fstat(descriptor)
        return self._nodes.get((found.st_dev, found.st_ino))

    def _exists(self, path: str | Path, dir_fd: int | None) -> bool:
        try:
            os.stat(path, dir_fd=dir_fd, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return True

    def _number(self, found: os.stat_result) -> int:
        """Give a new file or folder its number; the system may use the old one's again."""
        node = self._nodes[found.st_dev, found.st_ino] = self._next_node
        self._next_node += 1
        return node

    def _learn(self, folder: Path, node: int) -> None:
        found = folder.stat()
        self._nodes[found.st_dev, found.st_ino] = node
        for path in folder.iterdir():
            below = self._number(path.stat())
            self.before.entries.setdefault(node, {})[path.name] = below
            if path.is_dir():
                self.before.entries[below] = {}
                self._learn(path, below)
            else:
                self.before.contents[below] = path.read_bytes()


class _WatchedFile(io.FileIO):
    """The lowest layer of a file object: every byte passes here."""

    def __init__(self, disk: WatchedDisk, node: int, descriptor: int, mode: str) -> None:
        super().__init__(descriptor, mode)
        self._disk = disk
        self._node = node

    def write(self, data: ReadableBuffer, /) -> int:
        view = memoryview(data).cast("B")
        offset = self.tell()
        taken = self._disk.decide(Step("write", self._node, offset=offset, data=bytes(view)))
        part = view if taken is None else view[:taken]
        count = super().write(part)
        assert count == len(part)
        self._disk.steps.append(Step("write", self._node, offset=offset, data=bytes(part)))
        return count

    def readinto(self, target: WriteableBuffer, /) -> int:
        self._disk.decide(Step("read", self._node))
        return super().readinto(target)

    def readall(self) -> bytes:
        self._disk.decide(Step("read", self._node))
        return super().readall()

    def truncate(self, size: int | None = None, /) -> int:
        raise NotImplementedError("truncation is not modelled")


_WATCHED = (
    "open",
    "read",
    "fdopen",
    "fsync",
    "replace",
    "rename",
    "unlink",
    "remove",
    "mkdir",
    "rmdir",
)
