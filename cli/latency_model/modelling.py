"""The latency model of a deployed graph, as plain data: for the command, for reports, for tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cli.latency_model.hops import Clients
from cli.latency_model.monte_carlo import Figures, simulate
from cli.latency_model.path import buyers_path
from cli.latency_model.way import Calls, hops_of

if TYPE_CHECKING:
    from cli.latency_model.graph import DeployedGraph
    from cli.latency_model.path import BuyersPath

TARGET_P50_MS = 170
TARGET_P99_MS = 300
DEFAULT_SAMPLES = 50_000


@dataclass(frozen=True, slots=True)
class ModelledHop:
    """One hop of a modelled way.

    Attributes
    ----------
    label, stage
        What it is, and between which time stamps of a trace it lies.
    figures
        Of the hop alone.
    share
        Its part of the whole way's mean, 0..1.
    slow_ms
        What it takes on average in the slowest 1 % of the ways.
    basis, source, year
        What its figures rest on.
    """

    label: str
    stage: str
    figures: Figures
    share: float
    slow_ms: float
    basis: str
    source: str
    year: int | None


@dataclass(frozen=True, slots=True)
class ModelledWay:
    """A way from a buyer's request to every client.

    Attributes
    ----------
    stations
        Logical names of what it passes.
    polled
        The polled streams on it, in words.
    hops, whole
        The figures.
    within_target
        Share of the orders under `TARGET_P99_MS`, 0..1.
    pushed
        Whether anything in the graph pushes to clients.
    """

    stations: tuple[str, ...]
    polled: tuple[str, ...]
    hops: tuple[ModelledHop, ...]
    whole: Figures
    within_target: float
    pushed: bool

    @property
    def on_target(self) -> bool:
        """Whether it keeps both targets."""
        return self.whole.p50_ms < TARGET_P50_MS and self.whole.p99_ms < TARGET_P99_MS


@dataclass(frozen=True, slots=True)
class LatencyModel:
    """What is deployed, and the default way through the same resources for comparison.

    Attributes
    ----------
    way
        As deployed.
    default_way
        Change stream, Pipe, polled order stream, tape's stream.
    clients, listeners, samples, seed
        What it was computed with.
    """

    way: ModelledWay
    default_way: ModelledWay
    clients: Clients
    listeners: int
    samples: int
    seed: int


def model_latency(
    graph: DeployedGraph,
    *,
    clients: Clients = Clients.FIXED,
    listeners: int = 1,
    cold_share: float | None = None,
    samples: int = DEFAULT_SAMPLES,
    seed: int = 1,
    calls: Calls | None = None,
) -> LatencyModel:
    """Model what a bid takes from its sending to the receipt of a client, or of the last of several.

    Parameters
    ----------
    graph
        What is deployed.
    clients
        Where the players are.
    listeners
        Clients that must all have received it, 1 or more.
    cold_share
        Share of each function's invocations that meet no initialized instance, 0..1. Default: 0 where provisioned
        concurrency keeps instances, else `cli.latency_model.way.COLD_SHARE`.
    samples, seed
        Of the simulation.
    calls
        What the functions call. Default: what those of this version do.

    Returns
    -------
    LatencyModel
        Plain data; `dataclasses.asdict` makes it a document.

    Raises
    ------
    MissingEdgeError
        The way ends before it reaches the client.
    """

    def modelled(path: BuyersPath) -> ModelledWay:
        hops = hops_of(path, calls or Calls(), clients, cold_share, listeners)
        simulated = simulate(hops, samples=samples, seed=seed, limit_ms=TARGET_P99_MS)
        return ModelledWay(
            stations=tuple(path.stations()),
            polled=tuple(map(str, path.polled)),
            hops=tuple(
                ModelledHop(
                    label=hop.label,
                    stage=hop.stage,
                    figures=result.figures,
                    share=result.share,
                    slow_ms=result.slow_ms,
                    basis=str(hop.figures.basis),
                    source=hop.figures.source,
                    year=hop.figures.year,
                )
                for hop, result in zip(hops, simulated.hops, strict=True)
            ),
            whole=simulated.whole,
            within_target=simulated.within,
            pushed=path.event_api is not None,
        )

    return LatencyModel(
        way=modelled(buyers_path(graph)),
        default_way=modelled(buyers_path(graph, short_cuts=False)),
        clients=clients,
        listeners=listeners,
        samples=samples,
        seed=seed,
    )
