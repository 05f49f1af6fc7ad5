"""The wheel as a user gets it: built from the sdist, installed where no checkout is, with every data file."""

import os
import shutil
import site
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from places import ROOT
from test_packaging import PACKAGES, tracked

LIMIT_S = 60.0


def call(folder: Path, *command: str | Path) -> str:
    """What a command prints, run in a folder with nothing of the checkout in its environment."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "LC_ALL") if name in os.environ}
    environment = {**kept, "ZENBENCH_HOME": str(folder / "home"), "COLUMNS": "120"}
    done = subprocess.run(
        list(map(str, command)),
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, so that the checkout's own build folder is left alone."""
    copy, out = tmp_path_factory.mktemp("checkout"), tmp_path_factory.mktemp("sdist")
    for path in tracked():
        (copy / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, copy / path)
    build = f"from setuptools.build_meta import build_sdist; build_sdist({str(out)!r})"
    call(copy, sys.executable, "-c", build)
    (found,) = out.iterdir()
    return found


@pytest.fixture(scope="module")
def installed(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel and, of the one that runs the tests, everything but its editable copy."""
    folder = tmp_path_factory.mktemp("environment")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input")
    call(folder, *pip, "wheel", "--no-build-isolation", "--no-deps", "--no-index", "-w", folder, sdist)
    (wheel,) = folder.glob("*.whl")
    call(folder, sys.executable, "-m", "venv", "--without-pip", folder / "venv")
    python = folder / "venv/bin/python"
    call(folder, *pip, "--python", python, "install", "--no-deps", "--no-index", wheel)
    (packages,) = (folder / "venv/lib").glob("python*/site-packages")
    # A line of a .pth file is a folder to search; the .pth files inside it, the editable one, do not count.
    (packages / "dependencies.pth").write_text("".join(f"{path}\n" for path in site.getsitepackages()))
    return folder


def test_the_sdist_holds_all_that_makes_the_wheel_and_says_what_it_is(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {Path(*Path(name).parts[1:]) for name in archive.getnames()}
    shipped = {Path(path) for path in tracked() if path.parts[0] in PACKAGES}
    assert shipped <= names
    assert {Path("README.md"), Path("LICENSE"), Path("pyproject.toml"), Path("py.typed")} <= names


def test_the_wheel_holds_every_file_of_the_packages(installed: Path) -> None:
    (package,) = (installed / "venv/lib").glob("python*/site-packages/zenbench")
    held = {path.relative_to(package) for path in package.rglob("*") if path.is_file()}
    held = {path for path in held if "__pycache__" not in path.parts}
    roots = {"__init__.py", "atomic.py", "errors.py", "home.py", "py.typed", "quantities.py"}
    assert held == {Path(path) for path in tracked() if path.parts[0] in PACKAGES or str(path) in roots}


def test_the_commands_run_where_no_checkout_is(installed: Path) -> None:
    python, zenbench = (installed / "venv/bin" / name for name in ("python", "zenbench"))
    where = call(installed, python, "-c", "import zenbench; print(zenbench.__file__)")
    assert Path(where.strip()).is_relative_to(installed / "venv")
    assert "profile" in call(installed, zenbench, "--help")
    assert all(name in call(installed, zenbench, "devices") for name in ("host", "t4", "pixel2", "simulated"))
    assert "resnet-18" in call(installed, zenbench, "cost", "zoo:resnet-18")
    predicted = call(installed, zenbench, "predict", "zoo:resnet-18", "--device", "t4", "--format", "json")
    assert '"latency_ms"' in predicted


def test_spaces_sources_and_templates_are_found(installed: Path) -> None:
    code = (
        "from zenbench.bench.charts.templates import render\n"
        "from zenbench.latency_tables.modelled.published import PUBLICATIONS, read_source\n"
        "from zenbench.zen.space import spaces\n"
        "assert {'resnet', 'mobilenet'} <= set(spaces())\n"
        "assert read_source(PUBLICATIONS[0].file)\n"
        "import zenbench.bench.report as report, zenbench.bench.charts as charts\n"
        "from importlib.resources import files\n"
        "assert files(report).joinpath('page.html.jinja').is_file()\n"
        "assert files(charts).joinpath('figure.svg.jinja').is_file()\n"
        "print('found')"
    )
    assert call(installed, installed / "venv/bin/python", "-c", code) == "found\n"
