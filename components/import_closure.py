"""Which of our sources a module needs, found without running any of them."""

import ast
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path


def import_closure(root: Path, modules: Sequence[str], packages: Collection[str]) -> Mapping[str, Path]:
    """Follow the imports of some modules through the sources below a root.

    Imports inside functions count, imports for type checkers only do not; what is not ours (the standard library,
    installed packages) is left out, even if it lies below the root: pip installs us beside it. A package's
    ``__init__.py`` comes with any of its modules. A package that imports its public names when they are first used (it
    has a ``__getattr__``) shows type checkers where they are: there those are followed that somebody imports.

    Parameters
    ----------
    root
        Folder that is on the import path at run time.
    modules
        Dotted names to start from.
    packages
        Names at the root that are ours.

    Returns
    -------
    Mapping[str, Path]
        Path from the root (``functions/matcher.py``) → file, sorted.

    Raises
    ------
    FileNotFoundError
        One of the given modules does not exist below the root.
    """
    found: dict[str, Path] = {}
    for module in modules:
        if _file_of(root, module) is None:
            raise FileNotFoundError(f"module {module} does not exist below {root}")
    seen: set[str] = set()
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        if name in seen or name.partition(".")[0] not in packages:
            continue
        seen.add(name)
        parent, _, last = name.rpartition(".")
        if parent:
            waiting.append(parent)
        file = _file_of(root, name)
        if file is not None:
            found[file.relative_to(root).as_posix()] = file
            waiting.extend(_source_imports(file.read_bytes()))
        elif (package := _file_of(root, parent) if parent else None) is not None:
            waiting.extend(_lazy_imports(_body(package.read_bytes()), last))
    return dict(sorted(found.items()))


# Twenty functions share most of their sources: parsing each once halves the time of a deployment's program.
@cache
def _body(source: bytes) -> Sequence[ast.stmt]:
    return ast.parse(source).body


@cache
def _source_imports(source: bytes) -> tuple[str, ...]:
    return tuple(_imports(_body(source)))


def _file_of(root: Path, module: str) -> Path | None:
    path = root.joinpath(*module.split("."))
    for file in (path / "__init__.py", path.with_suffix(".py")):
        if file.is_file():
            return file
    return None


def _imports(body: Sequence[ast.AST]) -> Iterator[str]:
    """Names that may be modules; of ``from a import b`` both ``a`` and ``a.b``. The house has no relative imports."""
    for node in body:
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=str(module), names=names):
                yield module
                yield from (f"{module}.{alias.name}" for alias in names)
            case ast.If(test=ast.Name(id="TYPE_CHECKING"), orelse=otherwise):
                yield from _imports(otherwise)
            case _:
                yield from _imports(list(ast.iter_child_nodes(node)))


def _lazy_imports(body: Sequence[ast.stmt], name: str) -> Iterator[str]:
    """The modules in which a package with a ``__getattr__`` finds one of its names."""
    if not any(isinstance(node, ast.FunctionDef) and node.name == "__getattr__" for node in body):
        return
    for node in body:
        match node:
            case ast.If(test=ast.Name(id="TYPE_CHECKING"), body=shown):
                yield from (
                    str(statement.module)
                    for statement in shown
                    if isinstance(statement, ast.ImportFrom) and name in {alias.name for alias in statement.names}
                )
            case _:
                pass
