#!/usr/bin/env python3
"""Remove one safeguard at a time and demand that a test turns red (threats.md T11).

Two kinds of mutants: those found in the source by rule (every flush, every lock, every limit that
is enforced), so that a new safeguard is covered the day it is written, and those listed in
`mutations.toml`. Each is applied to a copy of the source in a temporary folder; the tests named for
its file run there until the first failure.

    tools/mutation_check.py                 all mutants (or: make mutants)
    tools/mutation_check.py --only fsync    those whose name contains the word
    tools/mutation_check.py --list          their names

Exit code 1: a mutant survived, or a listed one no longer applies. 2: the tests fail unmutated.
"""

from __future__ import annotations

import argparse
import ast
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
PLAN = Path(__file__).with_name("mutations.toml")
COPIED = ("src", "tests", "pyproject.toml")
PYTEST = (
    "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--no-header",
    "-m", "not slow and not network", "--hypothesis-seed=1",
)  # fmt: skip
TIMEOUT_SEC = 600
TESTS_FAILED = 1


@dataclass(frozen=True, slots=True)
class Mutant:
    """One safeguard removed.

    Attributes:
        name: What is removed, and where.
        path: The source file, relative to the repository.
        old: Its text, as it stands there.
        new: What replaces it.
        start: Where in the file; None: at the one place where `old` stands.
    """

    name: str
    path: str
    old: str
    new: str
    start: int | None = None

    def apply(self, source: str) -> str | None:
        """Return the mutated source, None when the text is not there, or not once."""
        if self.start is not None:
            if not source.startswith(self.old, self.start):
                return None
            return source[: self.start] + self.new + source[self.start + len(self.old) :]
        return source.replace(self.old, self.new) if source.count(self.old) == 1 else None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the tests said of one mutant."""

    mutant: Mutant
    verdict: str
    seconds: float
    detail: str = ""

    @property
    def is_fine(self) -> bool:
        """True when a test turned red."""
        return self.verdict in ("killed", "hangs")


# --- which mutants -----------------------------------------------------------------------------


def list_mutants(plan: dict[str, object]) -> list[Mutant]:
    """Return the mutants found by rule, then the listed ones."""
    found: list[Mutant] = []
    for rule in _tables(plan, "rule"):
        for path in sorted(REPOSITORY.glob(str(rule["files"]))):
            found += _find_by_rule(rule, path)
    for listed in _tables(plan, "mutant"):
        file, old, new = (str(listed[key]) for key in ("file", "old", "new"))
        found.append(Mutant(f"{_shorten(file)}: {listed['name']}", file, old, new))
    return found


def _tables(plan: dict[str, object], key: str) -> list[dict[str, object]]:
    tables = plan.get(key, [])
    assert isinstance(tables, list)
    return tables


def _find_by_rule(rule: dict[str, object], path: Path) -> Iterator[Mutant]:
    """Yield one mutant for each place of a file where the rule finds its safeguard."""
    source = path.read_text(encoding="utf-8")
    relative = path.relative_to(REPOSITORY).as_posix()
    names, but = rule["calls"], rule.get("but", [])
    assert isinstance(names, list)
    assert isinstance(but, list)
    seen: dict[str, int] = {}
    for node, function in _walk(ast.parse(source)):
        target = _find_target(str(rule["kind"]), node, names)
        if target is None:
            continue
        start, end = _find_span(source, target)
        label = f"{rule['name']} in {function}"
        seen[label] = seen.get(label, 0) + 1
        name = f"{_shorten(relative)}: {label}"
        if seen[label] > 1:
            name = f"{name} ({seen[label]})"
        if not any(fnmatch(name, str(pattern)) for pattern in but):
            yield Mutant(name, relative, source[start:end], str(rule["new"]), start)


def _walk(tree: ast.AST, function: str = "") -> Iterator[tuple[ast.AST, str]]:
    """Yield nodes in the order in which they stand, each with the function it stands in."""
    for node in ast.iter_child_nodes(tree):
        yield node, function
        yield from _walk(node, node.name if isinstance(node, ast.FunctionDef) else function)


def _find_target(kind: str, node: ast.AST, names: list[str]) -> ast.AST | None:
    """Return what to replace: a statement that calls, a raised call, or a lock that is entered."""
    if kind == "statement" and isinstance(node, ast.Expr) and _calls(node.value, names):
        return node
    if kind == "raise" and isinstance(node, ast.Raise) and _calls(node.exc, names):
        return node
    if kind == "with" and isinstance(node, ast.withitem) and _calls(node.context_expr, names):
        return node.context_expr
    return None


def _calls(node: ast.AST | None, names: list[str]) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in names


def _find_span(source: str, node: ast.AST) -> tuple[int, int]:
    """Return where a node stands; `ast` counts columns in UTF-8 bytes."""
    assert isinstance(node, ast.stmt | ast.expr)
    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    lines = source.splitlines(keepends=True)

    def place(line: int, column: int) -> int:
        before = sum(map(len, lines[: line - 1]))
        return before + len(lines[line - 1].encode()[:column].decode())

    return place(node.lineno, node.col_offset), place(node.end_lineno, node.end_col_offset)


def _shorten(path: str) -> str:
    return path.removeprefix("src/filmcan/")


# --- running the tests -------------------------------------------------------------------------


class Workshop:
    """A copy of the source in which one mutant at a time lives."""

    def __init__(self, folder: Path, plan: dict[str, object]) -> None:
        """Copy what the tests need."""
        self.folder = folder
        self._tests = _tables(plan, "tests")
        for name in COPIED:
            source = REPOSITORY / name
            if source.is_dir():
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(source, folder / name, ignore=ignored)
            else:
                shutil.copy(source, folder / name)

    def try_mutant(self, mutant: Mutant) -> Outcome:
        """Run the tests of a mutant's file with the mutant in place."""
        path = self.folder / mutant.path
        source = path.read_text(encoding="utf-8")
        mutated = mutant.apply(source)
        if mutated is None:
            return Outcome(mutant, "does not apply", 0.0, f"{source.count(mutant.old)} places")
        path.write_text(mutated, encoding="utf-8")
        started = time.monotonic()
        try:
            verdict, detail = self.judge(self.find_tests(mutant.path))
        finally:
            path.write_text(source, encoding="utf-8")
        return Outcome(mutant, verdict, time.monotonic() - started, detail)

    def find_tests(self, path: str) -> list[str]:
        """Return the tests that look after a file; the first entry that fits counts."""
        for entry in self._tests:
            if fnmatch(path, str(entry["files"])):
                run = entry["run"]
                assert isinstance(run, list)
                return [str(item) for item in run]
        raise SystemExit(f"mutations.toml names no tests for {path}")

    def judge(self, tests: list[str]) -> tuple[str, str]:
        """Run tests and return what they say: killed by which, survived, or neither."""
        environment = {
            **os.environ,
            "PYTHONPATH": str(self.folder / "src"),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        scratch = self.folder / "scratch"
        shutil.rmtree(scratch, ignore_errors=True)
        try:
            done = subprocess.run(  # noqa: S603 - this interpreter, our own tests
                [sys.executable, *PYTEST, f"--basetemp={scratch}", *tests],
                cwd=self.folder, env=environment, timeout=TIMEOUT_SEC,
                capture_output=True, text=True, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return "hangs", f"no answer within {TIMEOUT_SEC} s"
        failed = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
        first = failed[0].split(" - ")[0] if failed else done.stdout.strip()[-300:]
        if done.returncode == 0:
            return "survived", ""
        if done.returncode == TESTS_FAILED:
            return "killed", first.removeprefix("FAILED ")[:160]
        return "broken", first


def check_unmutated(shop: Workshop, mutants: list[Mutant]) -> list[str]:
    """Return what fails without any mutant: nothing is proved by tests that are red anyway."""
    sets = {tuple(shop.find_tests(mutant.path)) for mutant in mutants}
    faults = []
    for tests in sorted(sets):
        verdict, detail = shop.judge(list(tests))
        if verdict != "survived":
            faults.append(f"{' '.join(tests)}: {verdict} {detail}")
    return faults


def run_all(mutants: list[Mutant], plan: dict[str, object], jobs: int) -> Iterator[Outcome]:
    """Yield the outcomes as they come."""
    waiting: queue.SimpleQueue[Mutant] = queue.SimpleQueue()
    outcomes: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
    for mutant in mutants:
        waiting.put(mutant)

    def work() -> None:
        with tempfile.TemporaryDirectory(prefix="mutation_check_") as folder:
            shop = Workshop(Path(folder), plan)
            while True:
                try:
                    mutant = waiting.get_nowait()
                except queue.Empty:
                    return
                outcomes.put(shop.try_mutant(mutant))

    workers = [threading.Thread(target=work, daemon=True) for _ in range(jobs)]
    for worker in workers:
        worker.start()
    for _ in mutants:
        yield outcomes.get()
    for worker in workers:
        worker.join()  # each removes its copy


def main() -> int:
    """Do what the module's docstring says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--only", default="", help="mutants whose name contains this")
    parser.add_argument("--list", action="store_true", help="name the mutants and end")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--skip-unmutated", action="store_true", help="trust that tests are green")
    options = parser.parse_args()
    plan = tomllib.loads(PLAN.read_text(encoding="utf-8"))
    mutants = [mutant for mutant in list_mutants(plan) if options.only in mutant.name]
    if options.list:
        print("\n".join(mutant.name for mutant in mutants))
        return 0
    if not options.skip_unmutated:
        with tempfile.TemporaryDirectory(prefix="mutation_check_") as folder:
            faults = check_unmutated(Workshop(Path(folder), plan), mutants)
        if faults:
            print("The tests fail without any mutant:", *faults, sep="\n  ")
            return 2
    bad = 0
    for outcome in run_all(mutants, plan, max(1, options.jobs)):
        bad += not outcome.is_fine
        line = f"{outcome.verdict:9} {outcome.seconds:6.1f} s  {outcome.mutant.name}"
        print(f"{line}  [{outcome.detail}]" if outcome.detail else line, flush=True)
    print(f"{len(mutants) - bad} of {len(mutants)} mutants turned a test red")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
