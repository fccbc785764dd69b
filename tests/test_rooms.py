"""The rooms of each package: a stranger finds a module by the names of its folders."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from tests.sources import PACKAGES, find_sources

LARGEST_ROOM = 14
"""Modules in one folder, so that they are read at a glance."""

OF_ONE_KIND = {"cli/commands", "engines", "catalogue/families", "ports"}
"""Folders with one module a command, a family or a port: they may grow, and need no map."""

LONGEST_MODULE = 400
"""Lines of a module, its docstrings among them."""

LONGEST_FUNCTION = 60
"""Lines of a function, its docstring among them."""

GENERATED = {"types.py", "methods.py", "async_methods.py"}


def rooms() -> Iterator[tuple[str, Path]]:
    """Give the folders of all packages that hold modules, with their names in the package."""
    for root in sorted(PACKAGES.glob("*/src/*")):
        for init in sorted(root.rglob("__init__.py")):
            yield init.parent.relative_to(root).as_posix(), init.parent


def modules_of(room: Path) -> list[str]:
    """Return the names of the modules and rooms in a room."""
    modules = [path.stem for path in room.glob("*.py") if not path.stem.startswith("__")]
    return modules + [path.parent.name for path in room.glob("*/__init__.py")]


def test_each_room_maps_what_is_in_it() -> None:
    """Its docstring has a line for every module: nobody opens ten files to find one."""
    missing = [
        f"{room.relative_to(PACKAGES)}: {module}"
        for name, room in rooms()
        if name not in OF_ONE_KIND and "migrations" not in name
        for module in modules_of(room)
        if f"``{module}``" not in (ast.get_docstring(find_sources()[room / "__init__.py"]) or "")
    ]
    assert missing == []


def test_no_room_is_a_heap() -> None:
    """What is not of one kind is divided before it has more modules than a reader can hold."""
    heaps = {
        str(room.relative_to(PACKAGES)): len(list(room.glob("*.py"))) - 1
        for name, room in rooms()
        if name not in OF_ONE_KIND
    }
    assert {room: count for room, count in heaps.items() if count > LARGEST_ROOM} == {}


def test_modules_and_functions_are_short() -> None:
    """One that grows beyond is divided: a module is read as a whole, a function at a glance."""
    long = []
    for path, tree in find_sources().items():
        name = path.relative_to(PACKAGES).as_posix()
        if path.name in GENERATED:
            continue
        found = {"the module": len(path.read_text("utf-8").splitlines()) - LONGEST_MODULE}
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                found[node.name] = lines - LONGEST_FUNCTION
        long += [f"{name}: {what} by {more} lines" for what, more in found.items() if more > 0]
    assert long == []


def test_no_public_class_name_is_used_twice() -> None:
    """One name means one thing in all packages."""
    found = defaultdict(list)
    for path, tree in find_sources().items():
        if path.name in GENERATED:
            continue
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found[node.name].append(str(path.relative_to(PACKAGES)))
    assert {name: paths for name, paths in found.items() if len(paths) > 1} == {}
