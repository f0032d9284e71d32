"""What this folder offers to other Pulumi programs: every component that takes flat arguments."""

import importlib
import inspect
import json
import pkgutil
from pathlib import Path
from typing import Any, cast

import pulumi
from pulumi.provider.experimental.analyzer import PropertyDefinition, PropertyType
from pulumi.provider.experimental.component import ComponentProvider

PACKAGE_NAME = "commodities-market"
PACKAGE_VERSION = "0.1.0"

# They arrange the market's own parts and take these, or the market's settings, as arguments: no other program has them.
NOT_OFFERED = frozenset(
    {
        "Accounts",
        "Audit",
        "BuyPipeline",
        "Expiry",
        "LiveFeed",
        "Market",
        "MarketData",
        "MarketHistory",
        "Matching",
        "Notifications",
        "Quotes",
        "SellPipeline",
        "Settlement",
    }
)


class PackageProvider(ComponentProvider):
    """Makes the package's components for programs in any language."""

    def __init__(self) -> None:
        super().__init__(offered_components(), PACKAGE_NAME, version=PACKAGE_VERSION)
        # Python 3.13 takes the indentation out of docstrings, older ones leave it: one schema for all.
        self.schema = json.dumps(_without_indentation(json.loads(self.schema or "{}")))

    def map_input_properties(
        self,
        inputs: Any,
        properties: dict[str, PropertyDefinition],
        mapping: dict[str, str],
        component_name: str,
        property_path: str,
    ) -> Any:
        """Rename inputs as Pulumi does, and make its integers `int`: on the wire they are floats, and stay so."""
        mapped: dict[str, Any] = {
            **super().map_input_properties(inputs, properties, mapping, component_name, property_path)
        }
        for name, definition in properties.items():
            value = mapped.get(mapping[name])
            if definition.type is PropertyType.INTEGER and isinstance(value, float) and value.is_integer():
                mapped[mapping[name]] = int(value)
        return mapped


def _without_indentation(schema: Any) -> Any:
    if isinstance(schema, dict):
        members = cast("dict[str, Any]", schema)
        return {
            name: inspect.cleandoc(value)
            if name == "description" and isinstance(value, str)
            else _without_indentation(value)
            for name, value in members.items()
        }
    return [_without_indentation(item) for item in cast("list[Any]", schema)] if isinstance(schema, list) else schema


def offered_components() -> list[type[pulumi.ComponentResource]]:
    """Find the components of this folder, sorted by name."""
    modules = [
        importlib.import_module(f"components.{module.name}")
        for module in pkgutil.iter_modules([str(Path(__file__).parent)])
        if module.name != "__main__"
    ]
    found = {
        name: member
        for module in modules
        for name, member in inspect.getmembers(module, inspect.isclass)
        if issubclass(member, pulumi.ComponentResource) and member.__module__ == module.__name__
    }
    return [found[name] for name in sorted(found.keys() - NOT_OFFERED)]
