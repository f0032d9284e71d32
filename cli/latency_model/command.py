"""The command that shows the latency model of an environment."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads it
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from cli.failures import CommandFailedError
from cli.latency_model.exports import graph_of_environment, graph_of_file
from cli.latency_model.hops import Clients
from cli.latency_model.modelling import DEFAULT_SAMPLES, TARGET_P50_MS, TARGET_P99_MS, model_latency
from cli.latency_model.monte_carlo import LEAST_SAMPLES
from cli.latency_model.path import MissingEdgeError
from cli.latency_model.what_ifs import what_ifs
from cli.screen import listing, screen

if TYPE_CHECKING:
    from rich.console import Console

    from cli.latency_model.modelling import LatencyModel, ModelledWay
    from cli.latency_model.monte_carlo import Figures
    from cli.latency_model.what_ifs import WhatIf


def model(  # noqa: PLR0917 - typer takes each from the command line
    ctx: typer.Context,
    export: Annotated[
        Path | None,
        typer.Option(help="File of `pulumi stack export` to read instead of an environment.", dir_okay=False),
    ] = None,
    clients: Annotated[Clients, typer.Option(help="What line the players are on.")] = Clients.FIXED,
    listeners: Annotated[
        int,
        typer.Option(help="Clients that must all have received it: the way ends at the last.", min=1, max=1_000_000),
    ] = 1,
    cold_share: Annotated[
        float | None,
        typer.Option(
            help="Share of invocations that meet no initialized instance. "
            "Default: 0 where instances are kept warm, else 0.01.",
            min=0,
            max=1,
        ),
    ] = None,
    samples: Annotated[int, typer.Option(help="Ways to draw.", min=LEAST_SAMPLES, max=10_000_000)] = DEFAULT_SAMPLES,
    seed: Annotated[int, typer.Option(help="The same seed draws the same ways.")] = 1,
    sources: Annotated[bool, typer.Option("--sources", help="Show where each hop's figures are from.")] = False,
    assumptions: Annotated[
        bool, typer.Option("--what-ifs", help="Show what the way takes with each assumption changed alone.")
    ] = False,
) -> None:
    """Model what a bid takes to a client, or to the last of several, from the resources that are deployed."""
    graph = graph_of_file(export) if export is not None else graph_of_environment(ctx.obj)
    try:
        modelled = model_latency(
            graph, clients=clients, listeners=listeners, cold_share=cold_share, samples=samples, seed=seed
        )
    except MissingEdgeError as missing:
        raise CommandFailedError(f"no way from POST /bids to the client: {missing}") from missing
    console = screen()
    _print_way(console, modelled.way)
    _print_hops(console, modelled.way)
    _print_comparison(console, modelled)
    if assumptions:
        _print_what_ifs(console, what_ifs(graph, samples=samples, seed=seed))
    if sources:
        _print_sources(console, modelled.way)


def _print_way(console: Console, way: ModelledWay) -> None:
    console.print(escape(" → ".join(way.stations)), soft_wrap=True)
    for polled in way.polled:
        console.print(f"polled: {escape(polled)}", style="yellow", soft_wrap=True)
    if not way.pushed:
        console.print("nothing pushes to clients: counted as if the last function did", style="yellow", soft_wrap=True)
    console.print()


def _print_hops(console: Console, way: ModelledWay) -> None:
    numbers = ("p50", "p90", "p99", "share", "slowest 1 %")
    table = listing("hops, ms", "hop", "stage", *numbers, "basis", numbers=numbers)
    for hop in way.hops:
        cells = (*_cells(hop.figures), f"{hop.share:.0%}", f"{hop.slow_ms:.0f}")
        table.add_row(escape(hop.label), hop.stage, *cells, hop.basis)
    console.print(table)


def _print_comparison(console: Console, modelled: LatencyModel) -> None:
    numbers = ("p50", "p90", "p99", f"under {TARGET_P99_MS} ms")
    clients = "one client" if modelled.listeners == 1 else f"the last of {modelled.listeners} clients"
    table = listing(f"whole way to {clients}, ms ({modelled.clients} line)", "way", *numbers, numbers=numbers)
    for label, way in (("as deployed", modelled.way), ("default: all streams polled", modelled.default_way)):
        table.add_row(label, *_cells(way.whole), f"{way.within_target:.1%}")
    console.print()
    console.print(table)
    verdict = "kept" if modelled.way.on_target else "missed"
    style = "green" if modelled.way.on_target else "red"
    console.print(f"target p50 < {TARGET_P50_MS} ms, p99 < {TARGET_P99_MS} ms: {verdict}", style=style)


def _print_what_ifs(console: Console, changed: list[WhatIf]) -> None:
    numbers = ("p50", "p90", "p99")
    table = listing("each changed alone, ms", "way", *numbers, numbers=numbers)
    for what_if in changed:
        table.add_row(what_if.change, *_cells(what_if.whole))
    console.print()
    console.print(table)


def _print_sources(console: Console, way: ModelledWay) -> None:
    shown: dict[str, str] = {}
    for hop in way.hops:
        shown.setdefault(hop.source, f"{hop.label} ({hop.basis}{f', {hop.year}' if hop.year else ''})")
    console.print()
    for source, label in shown.items():
        console.print(escape(f"{label}: {source}"), soft_wrap=True)


def _cells(figures: Figures) -> tuple[str, str, str]:
    return (f"{figures.p50_ms:.0f}", f"{figures.p90_ms:.0f}", f"{figures.p99_ms:.0f}")
