"""The fuzzing modules lie beside these tests and are run as scripts, too."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
