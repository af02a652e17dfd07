"""Fuzz the parsers of hostile bytes with atheris.

    make fuzz                      each target for a minute
    make fuzz MINUTES=10           for ten
    python tests/fuzz/run_fuzz.py --minutes 10 pickle npz

Whatever stops a target is tried again in a fresh process, without atheris. If that fails too, it
is a find: its traceback is printed, and the input stays in `finds/<target>/` with a name of its
digest; give it a telling one, and `test_fuzz.py` holds it for ever. If it passes, a loaded machine
stopped the target, and the target goes on. Inputs that reached new code are kept in `--corpus`.
"""

from __future__ import annotations

import argparse
import base64
import faulthandler
import hashlib
import importlib.util
import random
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
FINDS = HERE / "finds"
FUZZ_TARGETS = ("pickle", "header", "npz", "manifest")
_STUCK_SEC = 60
"""libFuzzer's bar, by the clock and so for a loaded machine; the guard measures processor time."""

_REPLAY_CPU_SEC = 30
"""What one input may take in a fresh process, the start of it and numpy's answer included."""

_BAR_RSS_MB = 1024
"""libFuzzer's own, for what the guard cannot see; interpreter, numpy and its tables included."""

_SAID_EVERY = 200
_MAX_STOPS = 3
_PRINTED_CHARS = 6_000


def main() -> int:
    """Fuzz in a child for each target, one after another; return 1 when there are finds."""
    arguments = _parse()
    if arguments.replay:
        return _replay(arguments.targets[0], arguments.replay)
    if arguments.child:
        _fuzz(arguments.targets[0], arguments.corpus, arguments.minutes * 60)
    if importlib.util.find_spec("atheris") is None:
        print("atheris is not installed here (it has wheels for Linux): nothing is fuzzed.")
        print("tests/npz/test_mutations.py holds the same parsers against mutations in any case.")
        return 0
    sound = [_hold(name, arguments.corpus, arguments.minutes * 60) for name in arguments.targets]
    return int(not all(sound))


def _hold(name: str, corpus: Path, seconds: float) -> bool:
    """Fuzz one target until its time is over; return False when it has a find."""
    (corpus / name).mkdir(parents=True, exist_ok=True)
    (FINDS / name).mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + seconds
    for _ in range(_MAX_STOPS):
        before = set((FINDS / name).iterdir())
        start = time.monotonic()
        done = _start(name, "--child", "--corpus", str(corpus), "--minutes", str(seconds / 60))
        output = done.stdout + done.stderr
        print(_sum_up(name, output, time.monotonic() - start), flush=True)
        if not done.returncode:
            return True
        stopped_by = sorted(set((FINDS / name).iterdir()) - before)
        if not stopped_by:  # it died outside of any input
            print(_shorten(output), flush=True)
            return False
        finds = [find for find in stopped_by if not _passes(name, find)]
        if finds:
            print("=== what libFuzzer said\n" + _shorten(output), flush=True)
            return False
        seconds = max(1.0, end - time.monotonic())
    print(f"{name} was stopped {_MAX_STOPS} times by what no single input explains", flush=True)
    print(_shorten(output), flush=True)
    return False


def _passes(name: str, find: Path) -> bool:
    """Try an input in a fresh process; say what happens, and forget an input that passes."""
    done = _start(name, "--replay", str(find))
    if not done.returncode:
        print(f"not a find, it passes in a fresh process: {find.name}", flush=True)
        find.unlink()
        return True
    data = find.read_bytes()
    print(f"=== FIND {find} ({len(data)} bytes), exit code {done.returncode}")
    print(f"base64: {base64.b64encode(data[:4096]).decode()}{' ...' * (len(data) > 4096)}")
    print(_shorten(done.stdout + done.stderr), flush=True)
    return False


def _start(name: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, __file__, *options, name],
        capture_output=True, text=True, errors="replace", check=False,
    )  # fmt: skip


def _shorten(output: str) -> str:
    """Return the two ends of what may be long: the traceback is at one of them."""
    if len(output) <= _PRINTED_CHARS:
        return output
    half = _PRINTED_CHARS // 2
    return f"{output[:half]}\n[...]\n{output[-half:]}"


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=1.0, help="for each target")
    parser.add_argument("--corpus", type=Path, default=HERE.parent.parent / ".fuzz")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--replay", type=Path, metavar="FILE", help="try one input and say what")
    parser.add_argument("targets", nargs="*", default=None, metavar="|".join(FUZZ_TARGETS))
    arguments = parser.parse_args()
    arguments.targets = arguments.targets or list(FUZZ_TARGETS)
    if unknown := sorted(set(arguments.targets) - set(FUZZ_TARGETS)):
        parser.error(f"unknown: {', '.join(unknown)}")
    return arguments


def _sum_up(name: str, output: str, took_sec: float) -> str:
    runs = re.findall(r"stat::number_of_executed_units:\s*(\d+)", output)
    covered = re.findall(r"cov: (\d+) ft: (\d+) corp: (\d+)", output)
    accepted = re.findall(r"accepted (\d+), numpy asked (\d+)", output)
    rss = re.findall(r"stat::peak_rss_mb:\s*(\d+)", output)
    edges, features, kept = covered[-1] if covered else ("?", "?", "?")
    took_in, asked = accepted[-1] if accepted else ("?", "?")
    return (
        f"{name:<9} {took_sec:5.0f} s  {runs[-1] if runs else '?':>9} runs  {edges:>5} edges  "
        f"{features:>6} features  {kept:>5} kept  {took_in:>8} accepted  {asked:>7} against numpy  "
        f"peak {rss[-1] if rss else '?'} MB"
    )


def _replay(name: str, path: Path) -> int:
    """Hold one input to its oracle in this process; a hang is ended by the processor time."""
    sys.path[:0] = [str(HERE), str(HERE.parent.parent / "src")]
    import fuzz_targets

    faulthandler.enable()
    faulthandler.register(signal.SIGXCPU, chain=True)
    resource.setrlimit(resource.RLIMIT_CPU, (_REPLAY_CPU_SEC, _REPLAY_CPU_SEC + 5))
    try:
        accepted = fuzz_targets.TARGETS[name].run(path.read_bytes())
    finally:
        fuzz_targets.close_referee()
    print("accepted" if accepted else "refused, typed")
    return 0


def _fuzz(name: str, corpus: Path, seconds: float) -> None:
    """Run one target in this process, which ends with it."""
    import atheris

    sys.path[:0] = [str(HERE), str(HERE.parent.parent / "src")]
    with atheris.instrument_imports(include=["filmcan"]):
        import fuzz_targets

    target = fuzz_targets.TARGETS[name]
    folder = corpus / name
    for seed in target.seeds():
        if len(seed) <= target.max_bytes:
            (folder / hashlib.sha1(seed, usedforsecurity=False).hexdigest()).write_bytes(seed)
        target.run(seed)  # also warms what is imported at first use
    runs = accepted = 0

    def hold(data: bytes) -> None:
        nonlocal runs, accepted
        runs += 1
        accepted += target.run(data)
        if runs % _SAID_EVERY == 0:  # libFuzzer ends the process without saying goodbye
            asked, refused = fuzz_targets.count_questions()
            print(f"accepted {accepted}, numpy asked {asked}, refused {refused}", flush=True)

    def reshape(data: bytes, size: int, seed: int) -> bytes:
        return target.reshape(data, size, atheris.Mutate, random.Random(seed))  # noqa: S311

    atheris.Setup(
        [
            sys.argv[0],
            str(folder),
            f"-max_total_time={max(1, round(seconds))}",
            f"-max_len={target.max_bytes}",
            f"-timeout={_STUCK_SEC}",
            f"-rss_limit_mb={_BAR_RSS_MB}",
            f"-artifact_prefix={FINDS / name}/",
            "-print_final_stats=1",
            "-verbosity=1",
        ],
        hold,
        custom_mutator=reshape,
        internal_libfuzzer=True,
    )
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
