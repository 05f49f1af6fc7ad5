"""The four packages and the stations of bench import one way only; light modules load nothing heavy."""

import ast
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping
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
STATIONS = (
    ("cli", "__init__"),
    ("doctor",),
    ("report",),
    ("charts",),
    ("profiling", "comparing", "refining"),
    ("tables",),
    ("measuring", "searching", "training"),
    ("evaluating",),
    ("latency_files",),
    ("networks",),
    ("csv_file",),
    ("export",),
    ("data_sets",),
)
"""What lies in bench, from the command line down: each imports itself and what stands in later rows."""
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


def modules_of(name: str, source: str, known: Collection[str]) -> set[str]:
    """Modules of ours that a module imports from, by dotted names below the root package."""
    found = set()
    for target in imported(name, source):
        path = target.removeprefix("zenbench").removeprefix(".")
        if target.split(".", 1)[0] != "zenbench":
            continue
        # `from .package import name`: a module of that name, else the module or package that defines it.
        parents = (path, path.rpartition(".")[0])
        spelled = [f"{one}{end}" for one in parents for end in ("", ".__init__") if f"{one}{end}" in known]
        found.update(spelled[:1])
    return found


def station_of(name: str) -> int:
    """The row of STATIONS that a module of bench stands in."""
    place = name.split(".")[1]
    return next(number for number, row in enumerate(STATIONS) if place in row)


def climbs(name: str, source: str, known: Collection[str]) -> list[str]:
    """What a module of bench imports from its own row or from rows above it, its own station aside."""
    return [
        target
        for target in sorted(modules_of(name, source, known))
        if target.startswith("bench.")
        and target.split(".")[1] != name.split(".")[1]
        and station_of(target) <= station_of(name)
    ]


def cycles(sources: Mapping[str, str]) -> list[list[str]]:
    """Groups of modules that import each other, directly or through others."""
    graph = {name: modules_of(name, source, sources) - {name} for name, source in sources.items()}
    reached: dict[str, set[str]] = {}
    for start in graph:
        seen, waiting = set[str](), [start]
        while waiting:
            for target in graph[waiting.pop()] - seen:
                seen.add(target)
                waiting.append(target)
        reached[start] = seen
    groups = {
        tuple(sorted(other for other in reached[name] if name in reached[other]))
        for name in graph
        if name in reached[name]
    }
    return [list(group) for group in sorted(groups)]


BENCH = [name for name in source_files() if name.startswith("bench.")]


@pytest.mark.parametrize("name", BENCH)
def test_stations_of_bench_import_only_those_below_them(name: str) -> None:
    files = source_files()
    assert climbs(name, files[name].read_text("utf-8"), files) == []


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("bench.tables.prediction", "from ..charts import search"),
        ("bench.measuring.meter", "def f():\n    from ..searching.results import Results"),
        ("bench.export.onnx", "from ..measuring.subjects import Subject"),
        ("bench.networks.reading", "from zenbench.bench.cli.main import main"),
    ],
)
def test_the_order_of_stations_sees_a_breach(name: str, source: str) -> None:
    assert len(climbs(name, source, source_files())) == 1


def test_no_modules_import_each_other() -> None:
    assert cycles({name: path.read_text("utf-8") for name, path in source_files().items()}) == []


def test_cycles_are_seen_through_functions_packages_and_other_modules() -> None:
    sources = {
        "zen.a": "from .b import x",
        "zen.b": "if TYPE_CHECKING:\n    from . import c",
        "zen.c": "def f():\n    from .a import y",
        "zen.d": "from .p import z",
        "zen.p.__init__": "from ..d import w",
        "zen.e": "from .a import x",
    }
    assert cycles(sources) == [["zen.a", "zen.b", "zen.c"], ["zen.d", "zen.p.__init__"]]


@pytest.mark.parametrize("name", [name for name in source_files() if name in LIGHT])
def test_light_modules_never_name_a_heavy_library(name: str) -> None:
    roots = {target.split(".", 1)[0] for target in imported(name, source_files()[name].read_text("utf-8"))}
    assert roots.isdisjoint(HEAVY)


NETWORK_SIDE = ("zen.network", "zen.cost", "zen.families", "zen.proxies", "zen.proxies.closed_form")
COMMANDS = tuple(name for name in BENCH if name.startswith("bench.cli."))


@pytest.mark.parametrize("modules", [NETWORK_SIDE, COMMANDS], ids=["network side", "commands"])
def test_heavy_libraries_wait_until_they_are_used(modules: tuple[str, ...]) -> None:
    imports = ", ".join(f"zenbench.{module.removesuffix('.__init__')}" for module in modules)
    code = f"import sys, {imports}\nprint(*sorted(set(sys.modules) & set({HEAVY!r})))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == ""
