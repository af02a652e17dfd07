"""`.npy` sub-artifacts: very large arrays beside their NPZ (C9.4).

One plain array per file, as numpy writes it; never objects. A file has no CRC: the manifest's
sha256 covers it. Whole reads, rows and maps are those of a stored member.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import numpy as np

from filmcan.npz.limits import DEFAULT_LIMITS, ReadLimits
from filmcan.npz.npy_header import PREFIX_BYTES, NpyHeader, find_header_end, parse_header
from filmcan.npz.place import Place
from filmcan.npz.refusal import located, over_limit
from filmcan.npz.source import Buffer, ByteSource, FileSource, open_source, read_exactly
from filmcan.npz.stored_array import map_stored, read_stored, read_stored_rows
from filmcan.npz.writer import OVERLAP_FROM_BYTES, Written, plan_array, write_all
