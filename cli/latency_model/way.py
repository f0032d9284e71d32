"""The hops of a buyer's path in the order in which they are waited for, each with its latency."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cli.latency_model.hops import Clients, HopFigures, hop_figures, transaction_figures

if TYPE_CHECKING:
    from cli.latency_model.deployed_functions import DeployedFunction
    from cli.latency_model.path import BuyersPath

COLD_SHARE = 0.01
"""Invocations that meet no initialized instance where none is kept warm: AWS Lambda Developer Guide, "Cold starts and
latency": typically under 1 %."""


@dataclass(frozen=True, slots=True)
class Calls:
    """What functions on the way wait for in DynamoDB; a test counts it in the code that is deployed.

    Attributes
    ----------
    placing_queries
        Reads before the transaction that stores a bid, one after the other.
    placing_items
        Items of that transaction: wallet, the material's line, journal entry, bid.
    matching_reads
        Reads before a commit, how many at a time, one group after the other: both sides of the book. The tape's head is
        remembered as long as one process serves a material.
    matching_items
        Items of the commit of one bid that meets one ask, or rests: bid, the book's item, tape.
    """

    placing_queries: int = 1
    placing_items: int = 4
    matching_reads: tuple[int, ...] = (2,)
    matching_items: int = 3


@dataclass(frozen=True, slots=True)
class Hop:
    """One thing that is waited for.

    Attributes
    ----------
    label
        What it is.
    stage
        Between which stamps of an order's trace it lies, in the words of `market latency`.
    figures
        How long it takes, and how that is known.
    at_a_time
        How many such calls run side by side; the slowest is waited for.
    chance
        Share of the orders that wait for it at all.
    """

    label: str
    stage: str
    figures: HopFigures
    at_a_time: int = 1
    chance: float = 1.0


def hops_of(
    path: BuyersPath, calls: Calls, clients: Clients, cold_share: float | None, listeners: int = 1
) -> list[Hop]:
    """Return the hops of a path.

    Parameters
    ----------
    path
        The resources on the way.
    calls
        What the functions call.
    clients
        Where the players are.
    cold_share
        Share of a function's invocations that meet no initialized instance, 0..1; None: 0 where provisioned
        concurrency keeps instances, else `COLD_SHARE`.
    listeners
        Clients that must all have received it, 1 or more, each on a line of its own.
    """
    known = hop_figures()
    one_way = known[f"one_way_{clients}"]
    received, placed, put = "client → gateway", "gateway → API", "API store"
    matched, committed, published = "put → matched", "matched → committed", "committed → published"
    seen = "published → received"
    hops = [
        Hop("client to region", received, one_way),
        Hop("HTTP API", placed, known["http_api"]),
        Hop(f"invoke {path.api.name}", placed, known["invoke"]),
        *_cold(path.api, placed, cold_share),
        Hop(f"code of {path.api.name}", placed, _on(path.api, known["api_code"])),
        *(Hop("read the account", put, known["query"]) for _ in range(calls.placing_queries)),
        Hop(f"store the bid: transaction of {calls.placing_items}", put, transaction_figures(calls.placing_items)),
    ]
    if path.pipe is not None:
        hops.append(Hop(f"{path.pipe.name} polls the bids' changes", matched, known["table_stream_polled"]))
    reading = "pushed to" if path.fan_out is not None else "polled by"
    delivered = known["kinesis_fan_out" if path.fan_out is not None else "kinesis_polled"]
    hops += [
        Hop(f"{path.orders.name} {reading} {path.matcher.name}", matched, delivered),
        *_window(path, matched),
        *_cold(path.matcher, matched, cold_share),
        *(_reads(group, known["query"]) for group in calls.matching_reads),
        Hop(f"code of {path.matcher.name}", committed, _on(path.matcher, known["matcher_code"])),
        Hop(f"commit: transaction of {calls.matching_items}", published, transaction_figures(calls.matching_items)),
    ]
    if path.tape_reader is not None:
        reader = path.tape_reader
        hops += [
            Hop(f"{reader.name} polls the tape's changes", published, known["table_stream_polled"]),
            *_cold(reader, published, cold_share),
            Hop(f"code of {reader.name}", published, known["reader_code"]),
        ]
    to_clients = "region to client" if listeners == 1 else f"region to the last of {listeners} clients"
    return [
        *hops,
        Hop("publish to the channel", seen, known["publish"]),
        Hop(to_clients, seen, one_way, at_a_time=listeners),
    ]


def _reads(at_a_time: int, query: HopFigures) -> Hop:
    label = "one read" if at_a_time == 1 else f"{at_a_time} reads side by side"
    return Hop(f"the book: {label}", "matched → committed", query, at_a_time=at_a_time)


def _window(path: BuyersPath, stage: str) -> list[Hop]:
    if not path.window_s:
        return []
    label = f"{path.matcher.name} is called after a batch window of {path.window_s} s"
    return [Hop(label, stage, hop_figures()["batch_window"].times(path.window_s))]


def _on(function: DeployedFunction, code: HopFigures) -> HopFigures:
    """The same code on the share of a core that the function's memory buys."""
    return code.times(1 / function.cores)


def _cold(function: DeployedFunction, stage: str, cold_share: float | None) -> list[Hop]:
    if cold_share is None:
        cold_share = 0.0 if function.warm_instances else COLD_SHARE
    if not cold_share:
        return []
    known = hop_figures()
    figures = known["restored_start" if function.snap_start else "cold_start"]
    return [Hop(f"cold start of {function.name}, {cold_share:.1%} of orders", stage, figures, chance=cold_share)]
