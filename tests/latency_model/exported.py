"""What `pulumi stack export` would give of the program's environments, to be read as it is or changed first."""

from __future__ import annotations

import copy
import functools
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from cli.latency_model.graph import read_export
from tests.components.graph import environment_graph

if TYPE_CHECKING:
    from cli.latency_model.graph import DeployedGraph

API = "market-buy-api-function"
MATCHER = "market-matching-matcher-function"
COLLECTOR = "market-data-collector-function"
ORDERS = "market-orders-stream"
BIDS = "market-buy-bids-table"
TAPE = "market-matching-tape-table"
PIPE = "market-buy-bids-to-orders-pipe"
FAN_OUT = "market-orders-to-matching-matcher-fan-out"
MAPPING = "market-orders-to-matching-matcher-mapping"

Entry = dict[str, Any]


@dataclass
class Export:
    """An export as a document, with the means to change it."""

    document: dict[str, Any]

    @property
    def entries(self) -> list[Entry]:
        return cast("list[Entry]", self.document["deployment"]["resources"])

    def graph(self) -> DeployedGraph:
        return read_export(self.document)

    def named(self, name: str) -> Entry:
        (entry,) = [entry for entry in self.entries if entry["urn"].endswith(f"::{name}") and not entry.get("delete")]
        return entry

    def remove(self, *, type_: str = "", name: str = "") -> None:
        """Remove what has this type, or this logical name."""
        kept = [
            entry for entry in self.entries if entry["type"] != type_ and not (name and entry["urn"].endswith(name))
        ]
        assert len(kept) < len(self.entries)
        self.document["deployment"]["resources"] = kept

    def set(self, resource: str, /, **properties: object) -> None:
        """Change properties of a resource, in its inputs and its outputs."""
        for side in ("inputs", "outputs"):
            self.named(resource)[side] |= properties

    def drop_variable(self, function: str, variable: str) -> None:
        for side in ("inputs", "outputs"):
            del self.named(function)[side]["environment"]["variables"][variable]

    def revoke(self, function: str, action: str) -> None:
        """Take an action out of every policy of a function's role."""
        self.reword(function, action, f'"{action}"', '"none:None"')

    def reword(self, function: str, action: str, old: str, new: str) -> None:
        """Change the text of those policies of a function's role that name an action."""
        role = self.named(function)["inputs"]["role"].rsplit("/", 1)[-1]
        reworded = 0
        for entry in self.entries:
            if entry["type"] != "aws:iam/rolePolicy:RolePolicy" or entry["inputs"]["role"] != role:
                continue
            if action in (policy := entry["inputs"]["policy"]):
                reworded += old in policy
                for side in ("inputs", "outputs"):
                    entry[side]["policy"] = policy.replace(old, new)
        assert reworded


@functools.cache
def _document(environment: str) -> str:
    resources = [
        {
            "urn": node.urn,
            "type": node.type,
            "id": node.outputs.get("id") or "",
            "parent": node.parent,
            "inputs": dict(node.inputs),
            "outputs": dict(node.outputs),
        }
        for node in environment_graph(environment).nodes
    ]
    # Archives and the like are of no interest here.
    return json.dumps({"version": 3, "deployment": {"resources": resources}}, default=str)


def export_of(environment: str) -> Export:
    """Return an environment's export, each time a fresh one."""
    return Export(copy.deepcopy(json.loads(_document(environment))))
