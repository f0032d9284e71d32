"""`market trace`: where one order's time went, from its request to its receipts, as far as anybody has stamped it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, cast

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.bar import Bar
from rich.markup import escape

from cli.api import MarketApi, path_of
from cli.environments import Environment, find_environment
from cli.failures import MarketRefusedError
from cli.latency.samples import read_run
from cli.latency.stages import DUE, RECEIVED, SENT, WAY, Hop, hops_of, label_of
from cli.players import PlayerPool
from cli.screen import listing, screen
from cli.trading import DEFAULT_PLAYER
from market.tracing import HOPS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cli.latency.samples import Run, Sample

OrderId = Annotated[str, typer.Argument(metavar="ORDER", help="Id of an ask or bid.")]
Player = Annotated[
    str | None, typer.Option("--player", "-p", help=f"Whose order it is; {DEFAULT_PLAYER} if no samples tell it.")
]
SamplesFile = Annotated[
    Path | None,
    typer.Option("--samples", help="A file of `market latency --json`: adds what its clients saw.", dir_okay=False),
]

_BAR_COLUMNS: Final = 44
_LOG_BEFORE_MS, _LOG_AFTER_MS = 1_000, 300_000
_LOG_PAGES: Final = 10
_PUBLISHED = "published_at_ms"


@dataclass(frozen=True, slots=True)
class Trace:
    """What is known of one order's way.

    Attributes
    ----------
    trace_id
        None of an order that was placed without.
    stamps
        By name (`cli.latency.stages.WAY`), on the servers' clock, epoch ms.
    receipts
        Client → when it received the first message about the order, on the servers' clock, epoch ms.
    missing
        Stamp → why it is not known.
    error_ms
        How far the client's stamps may be off; None if there are none.
    published_by_log
        Whether the matcher's log told when it was published: right before its line, that is.
    """

    trace_id: str | None
    stamps: dict[str, float]
    receipts: dict[str, float]
    missing: dict[str, str]
    error_ms: float | None
    published_by_log: bool


def trace(ctx: typer.Context, order_id: OrderId, player: Player = None, samples: SamplesFile = None) -> None:
    """Show the way of one order: how long each hop took, and why a hop is not known."""
    run = None if samples is None else read_run(samples)
    sample = None if run is None else next((one for one in run.samples if one.order_id == order_id), None)
    environment = find_environment(ctx.obj)
    owner = player or (sample.player if sample is not None else DEFAULT_PLAYER)
    order = _find_order(environment, order_id, owner)
    told = cast("dict[str, Any]", order.get("trace") or {})
    stamped = cast("dict[str, int]", told.get("hops") or {})
    hops = {name: stamped[name] for name in HOPS if name in stamped}
    trace_id = cast("str | None", told.get("trace_id"))
    published = _published(environment, trace_id, hops)
    print_trace(order, trace_of(order, trace_id=trace_id, hops=hops, published=published, run=run, sample=sample))


def trace_of(
    order: Mapping[str, Any],
    *,
    trace_id: str | None,
    hops: Mapping[str, int],
    published: int | str,
    run: Run | None,
    sample: Sample | None,
) -> Trace:
    """Put together what the order, the matcher's log and the clients know.

    Parameters
    ----------
    order
        The API's answer.
    trace_id, hops
        What the order's item holds.
    published
        When the matcher had published it at the latest, epoch ms, or why that is not known; the samples know better.
    run, sample
        The run and its sample of this order; None if there is none.
    """
    known = {**({} if sample is None else sample.stamps), **hops}
    stamps: dict[str, float] = {name: float(known[name]) for name in HOPS if name in known}
    missing = {name: _why_missing(name, order, known) for name in HOPS if name not in known and name != _PUBLISHED}
    receipts: dict[str, float] = {}
    clock = None if run is None else run.clock_offset()
    published_by_log = _PUBLISHED not in stamps and isinstance(published, int)
    if _PUBLISHED not in stamps:
        if isinstance(published, int):
            stamps[_PUBLISHED] = float(published)
        else:
            missing[_PUBLISHED] = published
    if sample is None or clock is None:
        reason = (
            "only a client knows: give --samples with a file of `market latency --json`"
            if run is None
            else "the samples file does not hold this order"
            if sample is None
            else "the samples hold no servers' stamps to compare clocks by"
        )
        missing |= dict.fromkeys((DUE, SENT, RECEIVED), reason)
    else:
        receipts = {client: clock.on_server(received) for client, received in sample.receipts.items()}
        stamps[DUE], stamps[SENT] = clock.on_server(sample.due_ms), clock.on_server(sample.sent_ms)
        if sample.received_ms is not None:
            stamps[RECEIVED] = clock.on_server(sample.received_ms)
        else:
            missing[RECEIVED] = "its player's client was never told"
    ordered = {name: stamps[name] for name in WAY if name in stamps}
    error_ms = clock.error_ms if receipts and clock else None
    return Trace(trace_id, ordered, receipts, missing, error_ms, published_by_log)


def _why_missing(name: str, order: Mapping[str, Any], hops: Mapping[str, int]) -> str:
    match name:
        case "received_at_ms" | "placed_at_ms":
            return "the order was placed before orders were traced"
        case "put_at_ms" if "sequenced_at_ms" in hops:
            return "it came by the change stream: the express lane is off, or failed"
        case "put_at_ms" | "sequenced_at_ms" if "matched_at_ms" in hops:
            return "the matcher found the order in its table before its record came"
        case _ if order.get("status") == "PENDING":
            return "the matcher has not handled it yet"
        case _ if order.get("side") == "SELL":
            return "an ask that rests at once is in the book before the matcher sees it: the hop is told, not stored"
        case _:
            return "it is not stored with the order"


def _find_order(environment: Environment, order_id: str, player: str) -> dict[str, Any]:
    token = PlayerPool(environment).mint_token(player)
    with MarketApi(environment.api_url) as api:
        for side in ("asks", "bids"):
            reply = api.get(path_of(side, order_id), token)
            if reply.status != 404:
                return reply.accepted()
    raise MarketRefusedError(f"{player} has no order {order_id}; --player says whose it is")


def _published(environment: Environment, trace_id: str | None, hops: Mapping[str, int]) -> int | str:
    """Look into the matcher's log for when it published something about a trace."""
    if environment.outputs.get("feed_http_host") is None:
        return "the environment has no live feed"
    if trace_id is None or not hops:
        return "the order has no trace id to look for in the matcher's log"
    try:
        group = _log_group(environment)
        logs = environment.client("logs")
        for line in _lines(logs, group, trace_id, max(hops.values())):
            published = _published_in(line, trace_id)
            # An earlier line is of a batch that was handed back.
            if published is not None and published >= hops.get("committed_at_ms", 0):
                return published
    except (ClientError, BotoCoreError) as error:
        return f"the matcher's log cannot be read: {' '.join(str(error).split())}"
    return f"no line of {group} tells it"


def _log_group(environment: Environment) -> str:
    name = str(environment.output("matcher_function_name"))
    described = environment.client("lambda").get_function_configuration(FunctionName=name)
    return str(described.get("LoggingConfig", {}).get("LogGroup") or f"/aws/lambda/{name}")


def _lines(logs: Any, group: str, trace_id: str, about_ms: int) -> Iterator[str]:
    """Yield the lines that name a trace, the oldest first.

    FilterLogEvents may answer pages without a line: that is not the end.
    """
    asked: dict[str, Any] = {
        "logGroupName": group,
        "filterPattern": f'"{trace_id}"',
        "startTime": about_ms - _LOG_BEFORE_MS,
        "endTime": about_ms + _LOG_AFTER_MS,
    }
    for _ in range(_LOG_PAGES):
        page = logs.filter_log_events(**asked)
        yield from (str(event["message"]) for event in page["events"])
        if page.get("nextToken") is None:
            return
        asked["nextToken"] = page["nextToken"]


def _published_in(line: str, trace_id: str) -> int | None:
    """Return when a trace's batch was published, epoch ms: its line is written right after; None of other lines."""
    try:
        told = json.loads(line)
        if trace_id not in told["trace_ids"]:
            return None
        return int(datetime.fromisoformat(told["timestamp"]).timestamp() * 1000)
    except (ValueError, KeyError, TypeError):
        return None


def print_trace(order: Mapping[str, Any], known: Trace) -> None:
    """Print the waterfall, then what is missing."""
    console = screen()
    price = "any price" if order["price"] is None else order["price"]
    console.print(
        f"{order['side']} {order['quantity']} {order['material']} at {price}: {order['status']}, "
        f"trace {known.trace_id or 'unknown'}",
        markup=False,
        soft_wrap=True,
    )
    rows = list(_rows(known))
    if rows:
        first_ms = min(start for _, start, _ in rows)
        last_ms = max(end for _, _, end in rows)
        table = listing(f"{_time(first_ms)}, {last_ms - first_ms:.0f} ms", "hop", "", "ms", numbers=("ms",))
        for label, start, end in rows:
            bar = Bar(max(last_ms - first_ms, 1), start - first_ms, max(end - first_ms, 0), width=_BAR_COLUMNS)
            table.add_row(escape(label), bar, f"{end - start:.0f}")
        console.print(table)
    if known.error_ms is not None:
        console.print(f"clients' stamps are within ± {known.error_ms:.1f} ms of the servers'", style="dim")
    if known.published_by_log:
        console.print("published: as the matcher's log says, which it writes right after", style="dim")
    for name in (stamp for stamp in WAY if stamp in known.missing):
        console.print(f"{_stamp_text(name)} missing: {escape(known.missing[name])}", style="yellow", soft_wrap=True)


def _rows(known: Trace) -> Iterator[tuple[str, float, float]]:
    """Yield each hop with its start and end, then each further client's receipt."""
    hops: list[Hop] = hops_of(known.stamps)
    for start, end in hops:
        yield label_of((start, end)), known.stamps[start], known.stamps[end]
    published = known.stamps.get(_PUBLISHED)
    own = known.stamps.get(RECEIVED)
    if published is not None:
        for client, received in sorted(known.receipts.items(), key=lambda receipt: receipt[1]):
            if received != own:
                yield f"published → {client}", published, received


def _stamp_text(name: str) -> str:
    return name.removesuffix("_at_ms")


def _time(epoch_ms: float) -> str:
    moment = datetime.fromtimestamp(epoch_ms / 1000, UTC)
    return moment.strftime("%Y-%m-%d %H:%M:%S.") + f"{int(epoch_ms) % 1000:03}Z"
