"""What is shipped is what lies in the tree: packages, data files, and folders that can be overlooked."""

import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path, PurePath
from typing import Any

from places import ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PACKAGES = ("zen", "devices", "latency_tables", "bench")
MOST_ENTRIES = 24
"""A folder with more is no longer read at a glance."""


def tracked() -> list[PurePath]:
    """Every file of the repository, those not yet committed included."""
    listed = subprocess.run(
        [str(shutil.which("git")), "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [PurePath(line) for line in listed.stdout.splitlines() if (ROOT / line).exists()]


def settings() -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]
    return found


def dotted(folder: PurePath) -> str:
    return ".".join(["zenbench", *folder.parts])


def test_the_list_of_packages_is_that_of_the_folders() -> None:
    folders = {path.parent for path in tracked() if path.name == "__init__.py" and path.parts[0] in PACKAGES}
    assert sorted(settings()["packages"]) == sorted(["zenbench", *map(dotted, folders)])


def test_every_data_file_in_a_package_is_shipped() -> None:
    packages = set(settings()["packages"])
    patterns: dict[str, list[str]] = settings()["package-data"]
    shipped = {
        path
        for package, globs in patterns.items()
        for pattern in globs
        for path in (ROOT / Path(*package.split(".")[1:])).glob(pattern)
    }
    data = {
        ROOT / path for path in tracked() if path.parts[0] in PACKAGES and path.suffix not in (".py", ".pyc")
    }
    assert data <= shipped
    assert all(dotted(path.parent.relative_to(ROOT)) for path in shipped) and set(patterns) <= packages


def crowded(paths: list[PurePath]) -> dict[str, int]:
    """Folders that hold more entries than anybody takes in, with their number."""
    entries: defaultdict[PurePath, set[str]] = defaultdict(set)
    for path in paths:
        for place, name in zip(path.parents, path.parts[::-1], strict=False):
            entries[place].add(name)
    return {str(place): len(names) for place, names in entries.items() if len(names) > MOST_ENTRIES}


def test_no_folder_is_crowded() -> None:
    assert crowded(tracked()) == {}


def test_a_crowded_folder_is_seen() -> None:
    files = [PurePath("a", "b", f"{number}.py") for number in range(MOST_ENTRIES + 1)]
    assert crowded(files) == {"a/b": 25}
    assert crowded(files[1:]) == {}
