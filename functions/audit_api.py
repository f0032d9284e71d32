"""Lambda handler of the operator's routes: the history of anything, and the audit of everything, a part at a time."""

from __future__ import annotations

import os
from time import sleep
from typing import TYPE_CHECKING

from functions.api.http_api import Answer, HttpApi
from functions.api.problems import not_found
from functions.audit.account_part import AccountPart
from functions.audit.history_parts import LinesPart, SettlementsPart
from functions.audit.holds_part import HoldsPart
from functions.audit.material_parts import BookPart, TapePart
from functions.audit.orders_part import OrdersPart
from functions.audit.page import BUDGET_MS, Page, decode_state, encode_state, no_token
from functions.audit.proofs import Proofs
from functions.audit.tables import AuditedTables
from functions.clock import now_ms
from functions.environment import AuditEnvironment
from functions.history.item_version import item_json
from functions.history.questions import Strand, answer
from functions.history.sources import ACCOUNTS, ASKS, BIDS, SELL_ORDERS, SETTLEMENTS
from functions.observability import build_logger
from market.auditing.settlement import Finding, FindingKind
from market.errors import InvalidFieldError, Rule
from market.keys import ask_price_key
from market.side import Side
from market.tables import SellOrder
from patterns.dynamodb.client import dynamodb_client
from patterns.dynamodb.items import encode_item
from patterns.dynamodb.page_token import InvalidPageTokenError
from patterns.historic.environment import archive_of
from patterns.historic.history import History

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from types_boto3_dynamodb import DynamoDBClient

    from functions.api.request import Request
    from functions.audit.page import IsOver, Part
    from functions.clock import Clock
    from market.tables import Bid
    from patterns.historic.archive import Archive
    from patterns.historic.item_key import ItemKeys

OF_A_MATERIAL = ("tape", "book")
OF_A_PLAYER = ("account", "holds", "lines", "orders")
OF_ALL = ("settlements",)

_LIST = ("parts",)
_MOST_PLAYER_PAGES = 50
"""Pages of a thousand account lines to look for an order's player in, some seconds."""


def build(
    environment: AuditEnvironment,
    client: DynamoDBClient,
    clock: Clock,
    archive: Archive | None = None,
    *,
    wait: Callable[[float], object] = sleep,
    budget_ms: int = BUDGET_MS,
) -> HttpApi:
    """Return the handler for an environment.

    Parameters
    ----------
    environment
        Names of the tables.
    client
        Low-level DynamoDB client.
    clock
        Measures a request's duration, tells what is overdue and which versions may have left the history's table.
    archive
        Where those are; ``None`` if the table keeps all.
    wait
        Sleeps for so many seconds, until a write has come through its stream.
    budget_ms
        Time after which a request for a part of the audit begins no further step.
    """
    tables = AuditedTables(
        client=client,
        asks=environment.asks_table,
        sell_orders=environment.sell_orders_table,
        bids=environment.bids_table,
        standing_bids=environment.standing_bids_table,
        tape=environment.tape_table,
        accounts=environment.accounts_table,
        journal=environment.journal_table,
        settlements=environment.processor_table,
    )
    proofs = Proofs(client=client, history_table=environment.history_table, archive=archive, clock=clock, sleep=wait)
    parts: Mapping[str, Part] = {
        "tape": TapePart(tables, clock),
        "book": BookPart(tables),
        "settlements": SettlementsPart(tables, proofs),
        "account": AccountPart(tables),
        "holds": HoldsPart(tables),
        "lines": LinesPart(tables, proofs),
        "orders": OrdersPart(tables, proofs, clock),
    }

    def history(keys: ItemKeys) -> History:
        return History(client, environment.history_table, keys, archive, clock)

    def order_history(request: Request, order_id: str) -> Answer:
        order = _find_order(tables, order_id, request.query.get("player"))
        if isinstance(order, SellOrder):
            book = {"material": order.material, "price_key": ask_price_key(order.price_minor, order_id)}
            strands = [
                Strand("order", history(SELL_ORDERS), encode_item({"seller": order.seller, "order_key": order_id})),
                Strand("book", history(ASKS), encode_item(book)),
            ]
        else:
            strands = [Strand("order", history(BIDS), encode_item({"buyer": order.buyer, "order_key": order_id}))]
        return _answered(strands, request)

    def account_history(request: Request, player: str) -> Answer:
        lines = [str(item["line"]["S"]) for item in tables.account_items(player)]
        if not lines:
            raise not_found(InvalidFieldError("player", player, Rule.REQUIRED, "the id of a player with an account"))
        accounts = history(ACCOUNTS)
        return _answered(
            [Strand(line, accounts, encode_item({"player": player, "line": line})) for line in lines], request
        )

    def settlement_history(request: Request, settlement_id: str) -> Answer:
        key = encode_item({"transaction_id": settlement_id})
        return _answered([Strand("settlement", history(SETTLEMENTS), key)], request)

    def audit(request: Request) -> Answer:
        if "part" not in request.query:
            return Answer(200, _list_parts(tables, environment.materials, request.query))
        name = request.query["part"]
        if name not in parts:
            raise InvalidFieldError("part", name, Rule.CHOICE, f"one of {', '.join(parts)}")
        of = "" if name in OF_ALL else _required(request.query, "of", "the material or player of this part")
        if name in OF_A_MATERIAL and of not in environment.materials:
            known = ", ".join(environment.materials)
            raise InvalidFieldError("of", of, Rule.KNOWN_MATERIAL, f"one of {known}")
        started_ms = clock()
        page = _audited(parts[name], name, of, request.query, lambda: clock() - started_ms >= budget_ms)
        return Answer(200, page, log={"part": name, "of": of})

    routes = {
        ("GET", "/operator/history/order/<order_id>"): order_history,
        ("GET", "/operator/history/account/<player>"): account_history,
        ("GET", "/operator/history/settlement/<settlement_id>"): settlement_history,
        ("GET", "/operator/audit"): audit,
    }
    return HttpApi(routes, build_logger(environment), clock)


def _answered(strands: list[Strand], request: Request) -> Answer:
    return Answer(200, answer(strands, request.query, lambda strand, version: item_json(version, strand.part)))


def _find_order(tables: AuditedTables, order_id: str, player: str | None) -> Bid | SellOrder:
    """Return an order. Orders are stored by player: without one, all players are asked, a hundred with two reads."""
    following: Mapping[str, object] | None = None
    for _ in range(_MOST_PLAYER_PAGES):
        players, following = ([player], None) if player else tables.players(following)
        places = [(name, order_id) for name in players]
        found = tables.records_of(Side.SELL, places) or tables.records_of(Side.BUY, places)
        if found:
            return found[order_id]
        if following is None:
            requirement = "the id of an order" + (" of this player" if player else "")
            raise not_found(InvalidFieldError("id", order_id, Rule.OWN_ORDER, requirement))
    requirement = "given: there are too many players to ask them all for the order"
    raise InvalidFieldError("player", None, Rule.REQUIRED, requirement)


def _list_parts(tables: AuditedTables, materials: tuple[str, ...], query: Mapping[str, str]) -> dict[str, object]:
    """List the parts of all materials and of some players; a player may be listed twice."""
    state = decode_state(query, _LIST)
    players, following = tables.players(state.get("after"))
    listed: list[tuple[str, str | None]] = []
    if not state:
        listed += [(name, material) for material in materials for name in OF_A_MATERIAL]
        listed += [(name, None) for name in OF_ALL]
    listed += [(name, player) for player in players for name in OF_A_PLAYER]
    parts = [{"part": name, "of": of} for name, of in listed]
    return {"parts": parts, "next": encode_state({"after": following}, _LIST) if following else None}


def _audited(part: Part, name: str, of: str, query: Mapping[str, str], is_over: IsOver) -> dict[str, object]:
    scope = (name, of)
    state = decode_state(query, scope)
    try:
        page = part(of, state, is_over)
    except InvalidPageTokenError as error:
        raise no_token(query) from error
    except (LookupError, TypeError, ValueError) as error:  # an item that nobody of ours has written
        found = f"{type(error).__name__}: {error}"
        subject = f"{name} {of}".rstrip()
        page = Page([Finding(FindingKind.UNREADABLE, subject, "items as their tables hold them", found)])
    return {
        "part": name,
        "of": of or None,
        "findings": [
            {
                "kind": str(found.kind),
                "subject": found.subject,
                "expected": found.expected,
                "found": found.found,
            }
            for found in page.findings
        ],
        "checked": page.checked,
        "undecided": page.undecided,
        "next": encode_state(page.next, scope) if page.next else None,
    }


def _required(query: Mapping[str, str], name: str, requirement: str) -> str:
    if not query.get(name):
        raise InvalidFieldError(name, query.get(name), Rule.REQUIRED, requirement)
    return query[name]


_environment = AuditEnvironment.from_environ(os.environ)
handler = build(_environment, dynamodb_client(), now_ms, archive_of(_environment.history_archive_bucket))
