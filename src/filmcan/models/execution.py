"""Where and how networks run: device and threads, from the profile's `execution` section."""

from __future__ import annotations

from dataclasses import dataclass

CPU = "cpu"
AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Execution:
    """How to run a network; never what it computes.

    Attributes:
        device: `auto` (an accelerator when there is one, else the CPU), `cpu`, or an accelerator
            by name, such as `cuda`. One that is not there falls back to the CPU, and says so.
        threads: Threads of one network on the CPU. Components run side by side, so one each is
            fastest in all but the loneliest run.
        batch_size: Pictures given to a network at once, where it takes several.
    """

    device: str = AUTO
    threads: int = 1
    batch_size: int = 8
