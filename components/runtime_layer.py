"""The pattern libraries as a Lambda layer: what a function of any service needs to ``import patterns``."""

from collections.abc import Mapping
from pathlib import Path
from typing import TypedDict

import pulumi
import pulumi_aws as aws

from components.inputs import check_inputs

_ROOT = Path(__file__).resolve().parent.parent
# Lambda puts this folder of every layer on the function's import path.
_IMPORT_FOLDER = "python"
_LONGEST_NAME = 140
# Pure Python: also for functions that are not made by `Function`.
_RUNTIMES = ("python3.11", "python3.12", "python3.13")
_ARCHITECTURES = ("arm64", "x86_64")


class RuntimeLayerArgs(TypedDict):
    """Inputs of `RuntimeLayer`: there are none, the layer holds all pattern libraries."""


class RuntimeLayer(pulumi.ComponentResource):
    """A Lambda layer with the pattern libraries; a changed source publishes a new version."""

    arn: pulumi.Output[str]
    """ARN of the layer's version: what functions list among their layers."""

    def __init__(self, name: str, args: RuntimeLayerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("commodities-market:index:RuntimeLayer", name, {}, opts)
        check_inputs("RuntimeLayer", name, args, RuntimeLayerArgs)

        # Layers have no autonaming. Project and stack keep the versions of two environments in one account apart.
        layer_name = "".join(
            character if character.isalnum() else "-"
            for character in f"{pulumi.get_project()}-{pulumi.get_stack()}-{name}"
        )
        version = aws.lambda_.LayerVersion(
            f"{name}-layer",
            layer_name=layer_name[-_LONGEST_NAME:],
            code=pulumi.AssetArchive({path: pulumi.FileAsset(str(file)) for path, file in layer_files().items()}),
            compatible_runtimes=[*_RUNTIMES],
            compatible_architectures=[*_ARCHITECTURES],
            opts=pulumi.ResourceOptions(parent=self),
        )

        self.arn = version.arn
        self.register_outputs({"arn": self.arn})


def runtime_layer_arn(name: str, arn: pulumi.Input[str] | None, parent: pulumi.Resource) -> pulumi.Input[str]:
    """Find the layer a pattern's function runs on.

    Parameters
    ----------
    name
        Logical name of the pattern's component.
    arn
        ARN of a layer version the caller shares between components; ``None`` to publish one for this component.
    parent
        The pattern's component.
    """
    return arn if arn is not None else RuntimeLayer(f"{name}-runtime", {}, pulumi.ResourceOptions(parent=parent)).arn


def layer_files(root: Path = _ROOT) -> Mapping[str, Path]:
    """List the files of the layer.

    Parameters
    ----------
    root
        Repository root that holds ``patterns``.

    Returns
    -------
    Mapping[str, Path]
        Path in the layer (``python/patterns/__init__.py``) → file, sorted. Only ``*.py``.
    """
    files = sorted((root / "patterns").rglob("*.py"))
    return {f"{_IMPORT_FOLDER}/{file.relative_to(root).as_posix()}": file for file in files}
