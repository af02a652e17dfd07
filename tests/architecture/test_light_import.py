from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = (
    "ai_edge_litert", "av", "cv2", "fastapi", "numpy", "obstore", "onnxruntime", "pandas",
    "pyarrow", "ray", "scipy", "sqlalchemy", "tokenizers", "torch",
)  # fmt: skip

REPORT = f"\nimport sys; print(*sorted(set({HEAVY!r}) & set(sys.modules)))"


def _run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code + REPORT], capture_output=True, text=True, check=True
    )


@pytest.mark.parametrize(
    "code",
    [
        "import filmcan",
        "import filmcan; dir(filmcan); filmcan.FilmcanError",
        "import filmcan.cli.app",
        "from filmcan.models.catalog import load_catalog; load_catalog()",
    ],
)
def test_nothing_heavy_is_loaded_by(code: str) -> None:
    assert _run(code).stdout.split() == []


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["schema", "--help"]])
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    done = _run(f"from filmcan.cli.main import invoke; assert invoke({arguments!r}) == 0")
    assert "Usage: filmcan" in done.stdout
    assert done.stdout.splitlines()[-1] == ""


def test_the_probe_itself_sees_a_heavy_import() -> None:
    assert _run("import numpy").stdout.split() == ["numpy"]
