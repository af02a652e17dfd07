from __future__ import annotations

import ast
from pathlib import Path

import grimp
import pytest

FORBIDDEN_NAMES = {"utils", "util", "common", "helpers", "helper", "manager", "misc", "base2"}
MOST_LINES = 400


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("filmcan", cache_dir=None)


def test_no_module_is_longer_than_400_lines(package: Path, repository: Path) -> None:
    paths = [*package.rglob("*.py"), *(repository / "tests").rglob("*.py")]
    lengths = {path: len(path.read_text().splitlines()) for path in paths}
    assert lengths
    in_package = {path: count for path, count in lengths.items() if package in path.parents}
    assert {str(path): count for path, count in in_package.items() if count > MOST_LINES} == {}


def test_no_module_has_a_name_that_says_nothing(graph: grimp.ImportGraph) -> None:
    words = {module: set(module.rpartition(".")[2].split("_")) for module in graph.modules}
    assert len(words) > 20
    assert [module for module, said in words.items() if said & FORBIDDEN_NAMES] == []


def _component_folders(graph: grimp.ImportGraph) -> set[str]:
    """Return the packages that hold one component each."""
    return {
        module.rpartition(".")[0]
        for module in graph.modules
        if module.startswith("filmcan.components.") and module.endswith(".component")
    }


def test_no_component_imports_another_components_code(graph: grimp.ImportGraph) -> None:
    folders = _component_folders(graph)
    assert folders
    crossing = [
        f"{importer} -> {imported}"
        for folder in folders
        for importer in (folder, *graph.find_descendants(folder))
        for imported in graph.find_modules_directly_imported_by(importer)
        for other in folders - {folder}
        if imported == other or imported.startswith(f"{other}.")
    ]
    assert crossing == []


def test_every_component_of_the_catalog_has_its_folder_named_as_itself(
    graph: grimp.ImportGraph,
) -> None:
    from filmcan.components.catalog import COMPONENT_NAMES, get_component_class

    names = {folder.rpartition(".")[2] for folder in _component_folders(graph)}
    assert names == set(COMPONENT_NAMES)
    for name in COMPONENT_NAMES:
        component = get_component_class(name)
        assert component.name == name
        assert component.__module__.split(".")[-2:] == [name, "component"]


def test_data_folders_hold_no_code(package: Path) -> None:
    for name in ("schemas", "profiles"):
        assert (package / name).is_dir()
        assert list((package / name).rglob("*.py")) == []


def _reads_clock(call: ast.Call) -> bool:
    """Tell whether a call asks what time it is."""
    text = ast.unparse(call.func)
    return text.endswith((".now", ".utcnow", ".today")) or text in ("time.time", "time.time_ns")


@pytest.mark.parametrize("layer", ["contract", "components", "render"])
def test_a_pure_layer_asks_no_clock(package: Path, layer: str) -> None:
    paths = list((package / layer).rglob("*.py"))
    assert paths
    asking = [
        f"{path.name}:{node.lineno}"
        for path in paths
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and _reads_clock(node)
    ]
    assert asking == []
