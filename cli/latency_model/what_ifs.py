"""What the figures of a way rest on: each assumption changed alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cli.latency_model.deployed_functions import FULL_CORE_MB
from cli.latency_model.hops import Clients
from cli.latency_model.modelling import TARGET_P99_MS
from cli.latency_model.monte_carlo import Figures, simulate
from cli.latency_model.path import buyers_path
from cli.latency_model.way import COLD_SHARE, Calls, Hop, hops_of

if TYPE_CHECKING:
    from cli.latency_model.graph import DeployedGraph

MANY_LISTENERS = 100
_FAN_OUT_MS = 70  # Amazon Kinesis Data Streams Developer Guide, "Develop enhanced fan-out consumers": typically
_SMALL_MB = 512


@dataclass(frozen=True, slots=True)
class WhatIf:
    """One thing that is not as the model has it, and what the way takes then."""

    change: str
    whole: Figures


def what_ifs(graph: DeployedGraph, *, samples: int, seed: int) -> list[WhatIf]:
    """Model the way as deployed, first as it is, then with one change at a time.

    Parameters
    ----------
    graph
        What is deployed.
    samples, seed
        Of each simulation.

    Raises
    ------
    MissingEdgeError
        The way ends before it reaches the client.
    """
    path = buyers_path(graph)

    def hops(
        calls: Calls | None = None,
        clients: Clients = Clients.FIXED,
        cold_share: float | None = None,
        listeners: int = 1,
    ) -> list[Hop]:
        return hops_of(path, calls or Calls(), clients, cold_share, listeners)

    def slower(key: str, factor: float) -> list[Hop]:
        return [replace(hop, figures=hop.figures.times(factor)) if hop.figures.key == key else hop for hop in hops()]

    fan_out_ms = next((hop.figures.latency.quantile(50) for hop in hops() if hop.figures.key == "kinesis_fan_out"), 0)
    changes = {
        "as deployed": hops(),
        f"the last of {MANY_LISTENERS} clients": hops(listeners=MANY_LISTENERS),
        "clients on mobile lines": hops(clients=Clients.MOBILE),
        f"{COLD_SHARE:.0%} of the invocations meet a cold function": hops(cold_share=COLD_SHARE),
        f"API functions of {_SMALL_MB} MB": slower("api_code", path.api.cores * FULL_CORE_MB / _SMALL_MB),
        "the matcher reads the tape's head first": hops(Calls(matching_reads=(1, *Calls().matching_reads))),
        "no reading of the account before a bid": hops(Calls(placing_queries=0)),
    }
    if fan_out_ms:
        changes[f"fan-out takes {_FAN_OUT_MS} ms"] = slower("kinesis_fan_out", _FAN_OUT_MS / fan_out_ms)
    found = {
        change: simulate(changed, samples=samples, seed=seed, limit_ms=TARGET_P99_MS)
        for change, changed in changes.items()
    }
    found["every hop is slow when the others are"] = simulate(
        hops(), samples=samples, seed=seed, limit_ms=TARGET_P99_MS, together=True
    )
    return [WhatIf(change, simulated.whole) for change, simulated in found.items()]
