"""Configuration as the Pulumi CLI would hand it to the program."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from local.deployer.errors import DeployError
from local.deployer.project import load_project

if TYPE_CHECKING:
    from pathlib import Path

_SCHEMA = """
name: shop
config:
  materials: {type: array, items: {type: string}, default: [iron]}
  shards: {type: integer, default: 1}
  guarded: {type: boolean, default: false}
  step: {type: string}
"""


def _load(folder: Path, stack_file: str) -> dict[str, str]:
    (folder / "Pulumi.yaml").write_text(_SCHEMA)
    (folder / "Pulumi.dev.yaml").write_text(stack_file)
    return load_project(folder, "dev").config


def test_stack_values_win_over_defaults_and_become_text(tmp_path: Path) -> None:
    config = _load(tmp_path, "config: {'shop:step': '0.01', shards: 4, 'aws:region': eu-west-1, 'aws:x': {a: 1}}")
    assert config == {
        "shop:materials": '["iron"]',
        "shop:shards": "4",
        "shop:guarded": "false",
        "shop:step": "0.01",
        "aws:region": "eu-west-1",
        "aws:x": '{"a": 1}',
    }


@pytest.mark.parametrize(
    ("stack_file", "message"),
    [
        ("config: {}", "shop:step is missing"),
        ("config: {step: 1}", "shop:step must be of type string, but is 1"),
        ("config: {step: a, shards: true}", "shop:shards must be of type integer, but is true"),
        ("config: {step: a, guarded: 1}", "shop:guarded must be of type boolean, but is 1"),
        ("config: {step: a, materials: iron}", 'shop:materials must be of type array, but is "iron"'),
        ("config: {step: a, materials: [iron, 2]}", "shop:materials must be of type string, but is 2"),
        ("config: {step: {secure: v1}}", "shop:step must be of type string"),
        ("config: {step: a, other: {secure: v1}}", "shop:other is encrypted"),
        ("config: {step: ", "not valid YAML"),
        ("- a", "must be a mapping"),
    ],
)
def test_a_broken_stack_file_is_one_line_that_names_the_key(tmp_path: Path, stack_file: str, message: str) -> None:
    with pytest.raises(DeployError) as failure:
        _load(tmp_path, stack_file)
    assert message in str(failure.value)
    assert "\n" not in str(failure.value)


def test_a_missing_stack_is_named(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text(_SCHEMA)
    with pytest.raises(DeployError, match=r"Pulumi\.qa\.yaml does not exist"):
        load_project(tmp_path, "qa")
