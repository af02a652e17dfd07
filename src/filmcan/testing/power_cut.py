"""What a disk may hold after a power cut, computed from a record of what a writer did.

The model is the harshest that POSIX allows: a file's bytes are safe once the file was flushed, an
entry once its folder was. Of all else any part may be there, in any order: entries without the
bytes, bytes torn or zero, the later write without the earlier.
Source: SQLite's test6.c; Pillai et al., "All File Systems Are Not Created Equal" (OSDI 2014).
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from filmcan.testing.fault_files import Step, Tree

ENUMERATED = 5
"""Up to this many pending steps all outcomes are tried; beyond, some are drawn."""

_DRAWN = 12
_PERMUTED = 4

_Edit = tuple[int, str, int | None]


@dataclass(slots=True)
class _Pending:
    """What is not yet safe: changed entries, oldest first, and written bytes by node."""

    entries: list[tuple[_Edit, ...]] = field(default_factory=list)
    writes: dict[int, list[Step]] = field(default_factory=dict)

    def count(self) -> int:
        return len(self.entries) + sum(map(len, self.writes.values()))


class Disk:
    """What is safe and what is pending, step by step."""

    def __init__(self, before: Tree) -> None:
        """Start with what lay there, all of it safe."""
        self.safe = before.copy()
        self._folders = set(before.entries)
        self._pending = _Pending()

    def apply(self, step: Step) -> None:
        """Take one more step into account."""
        pending = self._pending
        if step.kind == "flush":
            self._flush(step.node)
        elif step.kind == "write":
            pending.writes.setdefault(step.node, []).append(step)
        elif step.kind in ("create", "mkdir"):
            if step.kind == "mkdir":
                self._folders.add(step.node)
            pending.entries.append(((step.folder, step.name, step.node),))
        elif step.kind == "rename":
            pending.entries.append(
                (
                    (step.folder, step.name, None),
                    (step.target_folder, step.target, step.node),
                )
            )
        elif step.kind in ("unlink", "rmdir"):
            pending.entries.append(((step.folder, step.name, None),))

    def build_safe(self) -> Tree:
        """Return the tree in which nothing pending is left."""
        return self._build((), {})

    def build_extremes(self) -> list[Tree]:
        """Return the trees with no pending entry, each one alone, and all; no pending bytes."""
        entries = self._pending.entries
        alone = [self._build((edits,), {}) for edits in entries]
        return [self.build_safe(), *alone, self._build(entries, {})]

    def build_whole(self) -> Tree:
        """Return the tree as a reader sees it who suffers no power cut."""
        contents = {
            node: _write(self.safe.contents.get(node, b""), writes)
            for node, writes in self._pending.writes.items()
        }
        return self._build(self._pending.entries, contents)

    def draw_states(self, draw: random.Random) -> Iterator[Tree]:
        """Yield trees that a power cut may leave: all of them when few steps are pending."""
        pending = self._pending
        if pending.count() <= ENUMERATED:
            nodes = list(pending.writes)
            variants = [self._vary(node, draw) for node in nodes]
            for chosen in _subsets(pending.entries):
                for order in _orders(chosen):
                    for contents in itertools.product(*variants):
                        yield self._build(order, dict(zip(nodes, contents, strict=True)))
            return
        yield from self.build_extremes()
        for _ in range(_DRAWN):
            kept = [item for item in pending.entries if draw.random() < 0.5]
            if draw.random() < 0.5:
                draw.shuffle(kept)
            drawn = {node: draw.choice(self._vary(node, draw)) for node in pending.writes}
            yield self._build(kept, drawn)

    def _flush(self, node: int) -> None:
        pending = self._pending
        if node in self._folders:
            left = []
            for edits in pending.entries:
                for folder, name, target in edits:
                    if folder == node:
                        self._set(self.safe, folder, name, target)
                rest = tuple(edit for edit in edits if edit[0] != node)
                if rest:
                    left.append(rest)
            pending.entries = left
        else:
            writes = pending.writes.pop(node, [])
            self.safe.contents[node] = _write(self.safe.contents.get(node, b""), writes)

    def _vary(self, node: int, draw: random.Random) -> list[bytes]:
        """Return what a file may hold whose bytes were not flushed."""
        safe = self.safe.contents.get(node, b"")
        writes = self._pending.writes[node]
        whole = _write(safe, writes)
        kept = [step for step in writes if draw.random() < 0.5]
        torn = draw.randrange(len(whole) + 1)
        found = [safe, whole, whole[:torn], bytes(len(whole)), _write(safe, kept)]
        found.append(whole[:torn] + bytes(len(whole) - torn))
        return list(dict.fromkeys(found))

    def _build(self, entries: Iterable[tuple[_Edit, ...]], contents: dict[int, bytes]) -> Tree:
        tree = self.safe.copy()
        for node in self._folders:
            tree.entries.setdefault(node, {})
        for edits in entries:
            for folder, name, target in edits:
                self._set(tree, folder, name, target)
        tree.contents.update(contents)
        return tree

    def _set(self, tree: Tree, folder: int, name: str, node: int | None) -> None:
        names = tree.entries.setdefault(folder, {})
        if node is None:
            names.pop(name, None)
        else:
            if node in self._folders:
                tree.entries.setdefault(node, {})
            names[name] = node


def write_tree(tree: Tree, folder: Path) -> None:
    """Lay a tree down in an empty folder."""
    for path, data in tree.walk():
        if data is None:
            (folder / path).mkdir()
        else:
            (folder / path).write_bytes(data)


def _write(data: bytes, writes: Iterable[Step]) -> bytes:
    content = bytearray(data)
    for step in writes:
        if len(content) < step.offset:
            content.extend(bytes(step.offset - len(content)))
        content[step.offset : step.offset + len(step.data)] = step.data
    return bytes(content)


def _subsets(
    items: Sequence[tuple[_Edit, ...]],
) -> Iterator[tuple[tuple[_Edit, ...], ...]]:
    for size in range(len(items) + 1):
        yield from itertools.combinations(items, size)


def _orders(
    items: tuple[tuple[_Edit, ...], ...],
) -> Iterator[tuple[tuple[_Edit, ...], ...]]:
    """Yield the orders that matter: edits of different entries commute."""
    names = [edit[:2] for edits in items for edit in edits]
    if len(set(names)) == len(names):
        yield items
    elif len(items) <= _PERMUTED:
        yield from itertools.permutations(items)
    else:
        yield items
        yield items[::-1]
