"""The four packages depend on each other one way only, and the light ones load nothing heavy."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from places import ROOT

COMMON = ("__init__", "__version__", "errors", "quantities", "atomic", "home")
ALLOWED = {
    "zen": ("zen", *COMMON),
    "devices": ("devices", *COMMON),
    "latency_tables": ("latency_tables", "zen", "devices.base", *COMMON),
    "bench": ("bench", "latency_tables", "zen", "devices", *COMMON),
    **dict.fromkeys(COMMON, COMMON),
}
LIGHT = (
    "zen.graph",
    "zen.blocks",
    "zen.network",
    "zen.cost",
    "zen.space",
    "zen.random_networks",
    "zen.outline",
    "zen.search.block_cache",
    "zen.search.evaluator",
    "zen.search.task",
    "zen.search.algorithm",
    "zen.search.mutation",
    "zen.search.crossover",
    "zen.search.population",
    "zen.search.front",
    "zen.search.island",
    "zen.search.start",
    "zen.search",
    "zen.search.run",
    "zen.search.workers.local",
    "zen.search.workers.pool",
    "zen.search.workers.processes",
    "zen.search.workers.ray",
    "zen.search.budget",
    "zen.proxies.base",
    "zen.proxies.closed_form",
)
HEAVY = ("torch", "onnx", "onnxruntime", "ai_edge_litert", "pandas", "sklearn", "ray")


def source_files() -> dict[str, Path]:
    """Dotted name below the root package -> file, for every module that is shipped."""
    found = {path.stem: path for path in ROOT.glob("*.py")}
    for package in ("zen", "devices", "latency_tables", "bench"):
        for path in (ROOT / package).rglob("*.py"):
            found[".".join(path.relative_to(ROOT).with_suffix("").parts)] = path
    return found


def imported(name: str, source: str) -> Iterator[str]:
    """Every name that a module imports, anywhere in it; ours start with `zenbench`."""
    package = ["zenbench", *name.split(".")[:-1]]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            prefix = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{prefix}.{alias.name}" for alias in node.names)


def broken(name: str, source: str) -> list[str]:
    """What a module imports of ours and must not."""
    allowed = ALLOWED[name.split(".", maxsplit=1)[0]]
    ours = [target.split(".", 1)[1] for target in imported(name, source) if target.startswith("zenbench.")]
    return [target for target in ours if not any(f"{target}.".startswith(f"{root}.") for root in allowed)]


@pytest.mark.parametrize("name", source_files())
def test_modules_import_only_what_they_may(name: str) -> None:
    assert broken(name, source_files()[name].read_text("utf-8")) == []


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("zen.cost", "from ..devices.base import Device"),
        ("zen.search.run", "from ... import bench"),
        ("zen.proxies.base", "from ...latency_tables import table"),
        ("devices.adb.phone", "def f():\n    import zenbench.zen.network"),
        ("latency_tables.table", "from ..devices.host import onnxruntime"),
        ("latency_tables.table", "from zenbench.devices.registry import find"),
        ("quantities", "from .zen import network"),
        ("errors", "from zenbench import bench"),
    ],
)
def test_the_rule_sees_a_breach(name: str, source: str) -> None:
    assert len(broken(name, source)) == 1


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("zen.proxies.base", "from ...errors import UserError\nfrom ..graph import Graph"),
        ("latency_tables.table", "from ..devices import base\nfrom ..devices.base import Setting"),
        ("bench.cli.main", "from ... import __version__\nfrom ...zen import search"),
        ("devices.adb.phone", "import zenbenchmark.other\nimport json"),
    ],
)
def test_the_rule_lets_the_rest_pass(name: str, source: str) -> None:
    assert broken(name, source) == []


@pytest.mark.parametrize("name", [name for name in source_files() if name in LIGHT])
def test_light_modules_never_name_a_heavy_library(name: str) -> None:
    roots = {target.split(".", 1)[0] for target in imported(name, source_files()[name].read_text("utf-8"))}
    assert roots.isdisjoint(HEAVY)


def test_importing_the_network_side_loads_no_heavy_library() -> None:
    modules = ["", ".zen.network", ".zen.cost", ".zen.families", ".zen.proxies", ".zen.proxies.closed_form"]
    imports = ", ".join(f"zenbench{module}" for module in modules)
    code = f"import sys, {imports}\nprint(*sorted(set(sys.modules) & set({HEAVY!r})))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == ""
