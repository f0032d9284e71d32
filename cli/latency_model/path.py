"""The buyer's way through a deployed graph: from ``POST /bids`` to the client, hop by hop.

Every hop follows from an edge, an output of one resource that is an input of the next: a route's target is an
integration's id, an integration's URI a function's, a mapping's source a stream's ARN or its consumer's. No setting of
the environment is read. What runs inside a function follows from its rights and variables on the tables it reaches.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cli.latency_model.deployed_functions import ROUTE_TYPE, DeployedFunction, functions_called_by, functions_of
from market.feed.channels import MARKET_NAMESPACE

if TYPE_CHECKING:
    from cli.latency_model.graph import DeployedGraph, Resource

_TABLE = "aws:dynamodb/table:Table"
_STREAM = "aws:kinesis/stream:Stream"
_CONSUMER = "aws:kinesis/streamConsumer:StreamConsumer"
_PIPE = "aws:pipes/pipe:Pipe"
_MAPPING = "aws:lambda/eventSourceMapping:EventSourceMapping"
_EVENT_API = "aws:appsync/api:Api"
_NAMESPACE = "aws:appsync/channelNamespace:ChannelNamespace"

_ROUTE_KEY = "POST /bids"


class MissingEdgeError(Exception):
    """The way ends before it reaches the client; the text names the edge that is missing."""


@dataclass(frozen=True, slots=True)
class PolledHop:
    """A stream somebody polls on the way.

    Attributes
    ----------
    stream, reader
        Logical names of what is polled and of what polls it.
    """

    stream: str
    reader: str

    def __str__(self) -> str:
        return f"{self.reader} polls {self.stream}"


@dataclass(frozen=True, slots=True)
class BuyersPath:
    """The resources on the buyer's way.

    Attributes
    ----------
    api
        Function behind the route.
    bids
        Table it stores the bid in.
    pipe
        Pipe from the bids' change stream to the order stream; None on the express lane, where the function itself puts
        the order on the stream.
    orders
        The order stream.
    fan_out
        The matcher's consumer of it; None if the matcher polls the stream.
    matcher
        Function that reads the stream and writes the bids.
    window_s
        Seconds that its mapping gathers orders before it calls the function.
    tape
        Table of its commits.
    tape_reader
        Function that polls the tape's change stream; None if the matcher publishes to the clients itself.
    event_api
        Where it is published; None if nothing in the graph pushes to clients: what the way takes is counted as if
        `tape_reader` did.
    """

    api: DeployedFunction
    bids: Resource
    pipe: Resource | None
    orders: Resource
    fan_out: Resource | None
    matcher: DeployedFunction
    window_s: int
    tape: Resource
    tape_reader: DeployedFunction | None
    event_api: Resource | None

    @property
    def polled(self) -> tuple[PolledHop, ...]:
        """The polled streams on the way, in its order; none on a way that can be fast."""
        hops: list[PolledHop] = []
        if self.pipe is not None:
            hops.append(PolledHop(f"change stream of {self.bids.name}", self.pipe.name))
        if self.fan_out is None:
            hops.append(PolledHop(self.orders.name, self.matcher.name))
        if self.tape_reader is not None:
            hops.append(PolledHop(f"change stream of {self.tape.name}", self.tape_reader.name))
        return tuple(hops)

    def stations(self) -> list[str]:
        """Logical names of what a bid passes, from the route to the client."""
        way = ["client", f"route {_ROUTE_KEY}", self.api.name, self.bids.name]
        if self.pipe is not None:
            way += [f"change stream of {self.bids.name}", self.pipe.name]
        way.append(self.orders.name)
        if self.fan_out is not None:
            way.append(self.fan_out.name)
        way += [self.matcher.name, self.tape.name]
        if self.tape_reader is not None:
            way += [f"change stream of {self.tape.name}", self.tape_reader.name]
        way += [self.event_api.name if self.event_api is not None else "(nothing pushes to clients)", "client"]
        return way


def buyers_path(graph: DeployedGraph, *, short_cuts: bool = True) -> BuyersPath:
    """Find the way of a bid.

    Parameters
    ----------
    graph
        What is deployed.
    short_cuts
        Whether to take express lane, fan-out consumer and the matcher's own publishing where the graph has them.
        Without them it is the default way: change stream, Pipe, polled order stream, tape's stream.

    Raises
    ------
    MissingEdgeError
        An edge that the way needs is not in the graph.
    """
    api = _function_behind_the_route(graph)
    bids = _bids_table(graph, api)
    put = _express_stream(graph, api) if short_cuts else None
    pipe, orders = (None, put) if put is not None else _piped(graph, bids)
    matcher, fan_out, window_s = _matcher(graph, orders, bids, short_cuts=short_cuts)
    tape = _tape(graph, matcher)
    event_api = _published_to(graph, matcher) if short_cuts else None
    tape_reader = None
    if event_api is None:
        tape_reader, event_api = _tape_reader(graph, tape)
    return BuyersPath(api, bids, pipe, orders, fan_out, matcher, window_s, tape, tape_reader, event_api)


def _function_behind_the_route(graph: DeployedGraph) -> DeployedFunction:
    route = graph.find(ROUTE_TYPE, routeKey=_ROUTE_KEY)
    if route is None:
        raise MissingEdgeError(f"no route {_ROUTE_KEY}")
    integration_id = route.text("target").removeprefix("integrations/")
    integration = graph.find("aws:apigatewayv2/integration:Integration", id=integration_id)
    if integration is None:
        raise MissingEdgeError(f"route {_ROUTE_KEY} leads to no integration: its target is {route.text('target')!r}")
    function = functions_called_by(graph, "invokeArn").get(integration.text("integrationUri"))
    if function is None:
        raise MissingEdgeError(f"integration {integration.name} leads to no function of the stack")
    return function


def _bids_table(graph: DeployedGraph, api: DeployedFunction) -> Resource:
    table = graph.find(_TABLE, name=api.variable("BIDS_TABLE"))
    if table is None:
        raise MissingEdgeError(f"{api.name} stores bids in no table of the stack: BIDS_TABLE names none")
    if not graph.may(api.role_arn, "dynamodb:PutItem", table.text("arn")):
        raise MissingEdgeError(f"{api.name} may not store bids: no dynamodb:PutItem on {table.name}")
    return table


def _express_stream(graph: DeployedGraph, api: DeployedFunction) -> Resource | None:
    stream = graph.find(_STREAM, name=api.variable("ORDERS_STREAM_NAME"))
    # Without the right every put fails, and the orders come by the change stream.
    if stream is None or not graph.may(api.role_arn, "kinesis:PutRecord", stream.text("arn")):
        return None
    return stream


def _piped(graph: DeployedGraph, bids: Resource) -> tuple[Resource, Resource]:
    pipe = graph.find(_PIPE, source=bids.text("streamArn"))
    if pipe is None:
        raise MissingEdgeError(f"no express lane, and no Pipe reads the change stream of {bids.name}")
    stream = graph.find(_STREAM, arn=pipe.text("target"))
    if stream is None:
        raise MissingEdgeError(f"{pipe.name} leads to no Kinesis stream of the stack")
    return pipe, stream


def _matcher(
    graph: DeployedGraph, orders: Resource, bids: Resource, *, short_cuts: bool
) -> tuple[DeployedFunction, Resource | None, int]:
    consumers = {consumer.text("arn"): consumer for consumer in graph.find_all(_CONSUMER, streamArn=orders.text("arn"))}
    called = functions_of(graph)
    found: list[tuple[DeployedFunction, Resource | None, int]] = []
    for mapping in graph.of_type(_MAPPING):
        source = mapping.text("eventSourceArn")
        function = called.get(mapping.text("functionName"))
        if function is None or (source != orders.text("arn") and source not in consumers):
            continue
        # Others may read the orders, too; the matcher is who writes what became of the bids.
        if not mapping.is_off("enabled") and graph.may(function.role_arn, "dynamodb:UpdateItem", bids.text("arn")):
            window_s = mapping.number("maximumBatchingWindowInSeconds")
            found.append((function, consumers.get(source) if short_cuts else None, window_s))
    if not found:
        raise MissingEdgeError(f"no function that may write {bids.name} reads {orders.name}")
    return min(found, key=lambda reader: reader[1] is None)  # whom the stream is pushed to has an order first


def _tape(graph: DeployedGraph, matcher: DeployedFunction) -> Resource:
    tape = graph.find(_TABLE, name=matcher.variable("TAPE_TABLE"))
    if tape is None or not graph.may(matcher.role_arn, "dynamodb:PutItem", tape.text("arn")):
        raise MissingEdgeError(f"{matcher.name} writes commits to no table of the stack: TAPE_TABLE, dynamodb:PutItem")
    return tape


def _published_to(graph: DeployedGraph, function: DeployedFunction) -> Resource | None:
    host = function.variable("FEED_HTTP_HOST")
    for event_api in graph.of_type(_EVENT_API):
        if event_api.inner("dns").get("HTTP") != host:
            continue
        # What everybody listens to; the players' own channels are another namespace.
        api_id = event_api.text("apiId") or event_api.id
        namespace = graph.find(_NAMESPACE, apiId=api_id, name=MARKET_NAMESPACE)
        arn = namespace.text("channelNamespaceArn") if namespace is not None else ""
        if arn and graph.may(function.role_arn, "appsync:EventPublish", arn):
            return event_api
    return None


def _tape_reader(graph: DeployedGraph, tape: Resource) -> tuple[DeployedFunction, Resource | None]:
    called = functions_of(graph)
    readers = [
        called[mapping.text("functionName")]
        for mapping in graph.find_all(_MAPPING, eventSourceArn=tape.text("streamArn"))
        if mapping.text("functionName") in called
    ]
    if not readers:
        raise MissingEdgeError(f"the matcher does not publish, and no function reads the change stream of {tape.name}")
    for reader in readers:
        event_api = _published_to(graph, reader)
        if event_api is not None:
            return reader, event_api
    return min(readers, key=lambda reader: reader.name), None
