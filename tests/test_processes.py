"""What is known of processes: their names are their own, and the dead are told from the living."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from filmcan import processes
from filmcan.processes import has_ended, name_process, read_memory_bytes, read_rss_bytes

on_linux = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")


@on_linux
def test_this_process_lives_and_one_that_ended_is_known_to_have() -> None:
    assert name_process() == name_process()
    assert not has_ended(name_process())
    code = "from filmcan.processes import name_process; print(name_process())"
    name = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()
    assert has_ended(name)


@on_linux
def test_a_process_that_took_over_a_dead_ones_number_is_another_one() -> None:
    *place, pid, started = name_process().split(" ")
    assert has_ended(" ".join([*place, pid, str(int(started) - 1)]))


def test_what_is_not_known_of_another_machine_is_not_claimed() -> None:
    assert not has_ended(f"another-boot 4026531836 {os.getpid()} 1")
    assert not has_ended("unknown 0123456789abcdef")
    assert not has_ended("")


def test_without_proc_a_process_has_a_name_of_its_own_and_nobody_is_called_dead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = name_process()
    monkeypatch.setattr(processes, "_PROC", tmp_path)
    assert name_process() != name_process()
    assert not has_ended(name)
    assert read_rss_bytes(os.getpid()) is None
    processes.prefer_to_be_killed()


@on_linux
def test_memory_is_measured() -> None:
    used, there = read_rss_bytes(os.getpid()), read_memory_bytes()
    assert used is not None
    assert there is not None
    assert 1 << 20 < used < there
