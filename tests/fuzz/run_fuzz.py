"""Fuzz the parsers of hostile bytes with atheris.

    make fuzz                      each target for a minute
    make fuzz MINUTES=10           for ten
    python tests/fuzz/run_fuzz.py --minutes 10 pickle npz

A find is written to `finds/<target>/` with a name of its digest; give it a telling one, and
`test_fuzz.py` holds it for ever. Inputs that reached new code are kept in `--corpus`.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import random
import re
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
FINDS = HERE / "finds"
BAR_SEC = 5
_SAID_EVERY = 200
# libFuzzer's own bar is for what the guard cannot see; interpreter, numpy and its tables included.
BAR_RSS_MB = 1024


def main() -> int:
    """Fuzz in a child for each target, one after another; return 1 when there are finds."""
    arguments = _parse()
    if arguments.child:
        _fuzz(arguments.targets[0], arguments.corpus, arguments.minutes)
    if importlib.util.find_spec("atheris") is None:
        print("atheris is not installed here (it has wheels for Linux): nothing is fuzzed.")
        print("tests/npz/test_mutations.py holds the same parsers against mutations in any case.")
        return 0
    failed = False
    for name in arguments.targets:
        folder = arguments.corpus / name
        folder.mkdir(parents=True, exist_ok=True)
        (FINDS / name).mkdir(parents=True, exist_ok=True)
        start = time.monotonic()
        done = subprocess.run(
            [sys.executable, __file__, "--child", "--minutes", str(arguments.minutes),
             "--corpus", str(arguments.corpus), name],
            capture_output=True, text=True, errors="replace", check=False,
        )  # fmt: skip
        output = done.stdout + done.stderr
        print(_sum_up(name, output, time.monotonic() - start), flush=True)
        if done.returncode:
            failed = True
            print(output[-4_000:], flush=True)
    return int(failed)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=1.0, help="for each target")
    parser.add_argument("--corpus", type=Path, default=HERE.parent.parent / ".fuzz")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    known = ("pickle", "header", "npz", "manifest")
    parser.add_argument("targets", nargs="*", default=None, metavar="|".join(known))
    arguments = parser.parse_args()
    arguments.targets = arguments.targets or list(known)
    if unknown := sorted(set(arguments.targets) - set(known)):
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


def _fuzz(name: str, corpus: Path, minutes: float) -> None:
    """Run one target in this process, which ends with it."""
    import atheris

    sys.path.insert(0, str(HERE))
    sys.path.insert(0, str(HERE.parent.parent / "src"))
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
            f"-max_total_time={max(1, round(minutes * 60))}",
            f"-max_len={target.max_bytes}",
            f"-timeout={BAR_SEC}",
            f"-rss_limit_mb={BAR_RSS_MB}",
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
