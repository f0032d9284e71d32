"""The arrows between the folders go one way, so that a Lambda never loads Pulumi and a deploy never loads boto3."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

AWS_SDK = {"boto3", "botocore"}
PULUMI = {"pulumi", "pulumi_aws"}
OURS = {"market", "patterns", "functions", "components", "local", "cli"}

FORBIDDEN = {
    "market": AWS_SDK | PULUMI | (OURS - {"market"}) | {"aws_lambda_powertools"},
    "patterns": PULUMI | (OURS - {"patterns"}),
    "functions": PULUMI | (OURS - {"functions", "patterns", "market"}),
    "components": AWS_SDK | (OURS - {"components"}) | {"aws_lambda_powertools"},
    "local": OURS - {"local"},
    "cli": PULUMI | (OURS - {"cli", "local", "market"}),
}

# What a Lambda finds beside our archive: the standard library, the SDK of the runtime, the Powertools layer.
LAMBDA_THIRD_PARTY = AWS_SDK | {"aws_lambda_powertools"}
PURE_EFFECTS = {
    "os",
    "io",
    "socket",
    "subprocess",
    "time",
    "random",
    "secrets",
    "threading",
    "asyncio",
    "urllib",
    "http",
}


def imports_of(source: str) -> Iterator[str]:
    """Yield the top-level name of every module that a source text imports, wherever in the text it does.

    Imports under `if TYPE_CHECKING:` are left out: nothing is loaded by them.
    """
    tree = ast.parse(source)
    unloaded = {
        id(child)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        for statement in node.body
        for child in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if id(node) in unloaded:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


def broken_arrows(sources: dict[str, str], forbidden: set[str]) -> list[str]:
    return [
        f"{path} imports {name}" for path, text in sources.items() for name in imports_of(text) if name in forbidden
    ]


def sources_of(folder: str) -> dict[str, str]:
    found = {str(path.relative_to(ROOT)): path.read_text() for path in sorted((ROOT / folder).rglob("*.py"))}
    assert found, f"{folder}/ holds no Python file"
    return found


@pytest.mark.parametrize("folder", sorted(FORBIDDEN))
def test_a_folder_imports_only_what_its_arrow_allows(folder: str) -> None:
    assert broken_arrows(sources_of(folder), FORBIDDEN[folder]) == []


@pytest.mark.parametrize("folder", ["patterns", "functions"])
def test_a_lambda_needs_nothing_beyond_its_runtime_and_the_powertools_layer(folder: str) -> None:
    allowed = set(sys.stdlib_module_names) | LAMBDA_THIRD_PARTY | {"market", "patterns", "functions"}
    strangers = [
        f"{p} imports {n}" for p, text in sources_of(folder).items() for n in imports_of(text) if n not in allowed
    ]
    assert strangers == []


def test_the_domain_has_no_effects() -> None:
    assert broken_arrows(sources_of("market"), PURE_EFFECTS) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("import boto3", ["x.py imports boto3"]),
        ("def late():\n    from botocore.config import Config", ["x.py imports botocore"]),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import boto3", []),
        ("import boto3_like", []),
    ],
)
def test_the_check_itself_sees_late_imports_and_forgives_type_checking(text: str, found: list[str]) -> None:
    assert broken_arrows({"x.py": text}, AWS_SDK) == found
