"""One class name, one meaning, over the whole tree."""

import ast
from collections import defaultdict
from collections.abc import Mapping

from test_import_rule import source_files


def defined_twice(sources: Mapping[str, str]) -> dict[str, list[str]]:
    """Public class names that several modules define, with these modules."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for module, source in sources.items():
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found[node.name].append(module)
    return {name: modules for name, modules in found.items() if len(modules) > 1}


def test_no_public_class_name_means_two_things() -> None:
    assert defined_twice({name: path.read_text("utf-8") for name, path in source_files().items()}) == {}


def test_a_name_that_is_defined_twice_is_seen() -> None:
    sources = {"a": "class Card: ...\nclass _Own: ...", "b": "class Card: ...", "c": "class _Own: ..."}
    assert defined_twice(sources) == {"Card": ["a", "b"]}
