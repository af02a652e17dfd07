"""Measure the ratios of docs/design.md section 8 here and now, beside numpy doing the same.

    make bench                    everything
    make bench ARGS=storage       the artifacts alone
    make bench ARGS=run           whole runs and sparse passes alone
    make bench ARGS=networks      what components cost beside their networks, and memory, alone
    make bench ARGS=fsck          the check of a large store alone; takes 2 GB of disk
    make bench ARGS=text          text embedding beside a bare loop over its network
    make bench ARGS=index         the index alone

A ratio is how many times faster filmcan is, both sides measured in this process on this machine:
times drift from day to day, ratios hold. The goals are the figures of docs/design.md.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from embedding import measure_text
from fsck import measure_fsck
from index import measure_index
from runs import measure_networks, measure_runs
from storage import measure_storage


def main() -> None:
    """Measure what the arguments name, or everything."""
    groups = {
        "storage": measure_storage,
        "run": measure_runs,
        "networks": measure_networks,
        "fsck": measure_fsck,
        "text": measure_text,
        "index": measure_index,
    }
    chosen = sys.argv[1:] or list(groups)
    if unknown := sorted(set(chosen) - set(groups)):
        raise SystemExit(f"unknown: {', '.join(unknown)}; there are {', '.join(groups)}")
    with tempfile.TemporaryDirectory() as folder:
        for name in chosen:
            groups[name](Path(folder))


if __name__ == "__main__":
    main()
