"""Functions run with their roles' credentials: nothing they do is refused, and they may do nothing they never do."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.end_to_end.conftest import Market, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

_NOT_USED_HERE = {
    "*-move *": "EventBridge Pipes reads the table's stream and puts on Kinesis with it",
    "*-read *": "Lambda reads the stream for the function",
    "*-give-up *": "Lambda tells the queue of what the function could not handle",
    "*-api-uses-*-by-actor *": "the pattern's question by actor comes with its reading; no route of the market asks it",
    "*-notices-handler-uses-*-groups dynamodb:GetItem": "only an action that was refused looks at its group",
    "*-minutes-handler-uses-*-buckets dynamodb:GetItem": "only a closing that was refused looks at its bucket",
    "*-recorder-uses-* dynamodb:Query": "the recorder reads only what came twice or out of order",
    "*-call *": "EventBridge Scheduler calls the function",
    "*-settlement-api-operates-* *": "only a parked settlement is looked up and driven again, and none is parked",
    "*-settlement-processor-uses-*-journal dynamodb:GetItem": "only a settlement that is tried again asks for it",
    "*-matcher-uses-*-bids dynamodb:BatchGetItem": "only replayed bids that fill more than a transaction are looked up",
}
"""Grants (policy and action) that nobody is seen to use here, and why they are there. Locally, event delivery acts for
Pipes and for Lambda, as an administrator.
"""


_TWO_MINUTES_S = 130


class Grant(NamedTuple):
    """One action on one resource, granted to a role by a policy of the program."""

    policy: str
    role: str
    action: str
    resource: str


def test_functions_are_granted_what_they_use_and_no_more(market: Market) -> None:
    granted = list(_grants(market))
    _use_everything(market)

    def unused() -> list[Grant]:
        calls = market.files.role_calls(keep_state=False)
        used = {(call.role, call.action, call.resource) for call in calls if call.allowed}
        return [grant for grant in granted if (grant.role, grant.action, grant.resource) not in used]

    # Whoever adds a grant uses it in `_use_everything`, or says above why nobody can.
    assert eventually(unused, lambda found: not found, _TWO_MINUTES_S) == []  # what is done each minute included
    refused = [str(call) for call in market.files.role_calls(keep_state=False) if not call.allowed]
    assert refused == []


def _use_everything(market: Market) -> None:
    """Go every way the functions know: place, repeat, look up, list, trade, park, replay, look back."""
    once = {"material": "stone", "quantity": 5, "price": "7.00", "client_order_id": "once"}
    bid_id = market.post("paula", "/bids", once).accepted()["id"]
    assert market.post("paula", "/bids", once).accepted()["id"] == bid_id
    market.handled_bid("paula", bid_id)
    # The first takes a part of the standing bid; the second what is left, and stays with a rest; more take from it.
    once["quantity"] = 2
    ask_id = market.post("peter", "/asks", once).accepted()["id"]
    assert market.post("peter", "/asks", once).accepted()["id"] == ask_id
    eventually(lambda: market.bid("paula", bid_id)["filled"], lambda filled: filled == 2)
    market.sell("peter", "stone", 9, "7.00")
    eventually(lambda: market.bid("paula", bid_id)["filled"], lambda filled: filled == 5)
    for _ in range(3):
        market.handled_bid("paula", market.buy("paula", "stone", 1, "7.00"))
    for player, side, order_id in (("peter", "asks", ask_id), ("paula", "bids", bid_id)):
        assert market.get(player, side).accepted()[side]
        market.get(player, side, order_id).accepted()
        path = (player, side, order_id, "history")
        eventually(lambda path=path: market.get(*path).accepted()["versions"], bool)
        market.get(*path, as_of="2100-01-01T00:00:00Z").accepted()
    market.get("paula", "materials", "stone", "book").accepted()
    market.get("paula", "materials", "stone", "trades").accepted()
    _change_orders(market)
    _look_after_accounts(market)
    _look_at_the_market(market)
    market.put_order_record("stone", b"\xff not an order")
    market.replay_orders()


def _change_orders(market: Market) -> None:
    """Reduce, replace, cancel one and all, on both sides; let orders arrive, and one expire."""
    market.sell("peter", "stone", 1, "7.50")
    expiring: list[tuple[str, str]] = []
    for side, price, further in (("asks", "9.00", "9.10"), ("bids", "3.00", "3.10")):
        place = market.sell if side == "asks" else market.buy
        order_id = place("peter", "stone", 5, price)
        market.patch("peter", f"/{side}/{order_id}", {"quantity": 4}).accepted()
        eventually(
            lambda side=side, order_id=order_id: market.get("peter", side, order_id).accepted()["quantity"],
            lambda quantity: quantity == 4,
        )
        market.patch("peter", f"/{side}/{order_id}", {"price": further}).accepted()
        market.delete("peter", side, place("peter", "stone", 1, price)).accepted()
        market.delete("peter", side, material="stone").accepted()
        at_once = {"material": "stone", "quantity": 1, "price": price, "time_in_force": "IOC"}
        market.post("peter", f"/{side}", at_once).accepted()
        end = (datetime.now(UTC) + timedelta(seconds=1)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        terms = {"material": "stone", "quantity": 1, "price": price, "time_in_force": "GTD", "expires_at": end}
        expiring.append((side, market.post("peter", f"/{side}", terms).accepted()["id"]))
    eventually(
        lambda: {market.get("peter", *order).accepted()["status"] for order in expiring},
        lambda statuses: statuses == {"EXPIRED"},
        patience_s=90,
    )


def _look_after_accounts(market: Market) -> None:
    """Look at accounts and notifications; deposit and withdraw, again under the same reference; settle again."""
    for path in (("account",), ("account", "journal"), ("notifications",)):
        market.get("paula", *path).accepted()
    player_id = market.player_id("paula")
    for kind in ("deposits", "withdrawals"):
        body = {"asset": "stone", "amount": 1, "reference": "twice"}
        for _ in range(2):
            market.ask_service("accounts", player_id, kind, body=body).accepted()
    all_of_it = {"asset": "money", "amount": "9000000000.00", "reference": "too-much"}
    assert market.ask_service("accounts", player_id, "withdrawals", body=all_of_it).status == 409
    market.ask_service("operator", "settlements").accepted()
    for sequence in (1, 2, 3):
        market.ask_service("operator", "settlements", f"stone-{sequence}", body={}).accepted()


def _look_at_the_market(market: Market) -> None:
    """Look at what was traded, as a player; look back and audit, as an operator."""
    market.get("paula", "fills").accepted()
    market.get("paula", "materials", "stone", "ticker").accepted()
    for interval in ("1m", "1h"):
        market.get("paula", "materials", "stone", "candles", interval=interval).accepted()
    player_id = market.player_id("paula")
    for kind, subject in (("account", player_id), ("settlement", "stone-2")):
        market.ask_service("operator", "history", kind, subject).accepted()
        market.ask_service("operator", "history", kind, subject, as_of="2100-01-01T00:00:00Z").accepted()
    for parts in _pages(market):
        for part in parts["parts"]:
            asked = {name: value for name, value in part.items() if name in ("part", "of") and value is not None}
            for _ in _pages(market, **asked):
                pass


def _pages(market: Market, **asked: str) -> Iterator[dict[str, Any]]:
    """Ask for the whole of the audit's list of parts, or of one part."""
    position: dict[str, str] = {}
    while True:
        page = market.ask_service("operator", "audit", body=None, **asked, **position).accepted()
        yield page
        if page["next"] is None:
            return
        position = {"next": page["next"]}


def _grants(market: Market) -> Iterator[Grant]:
    state = json.loads(market.files.state(keep_state=False).read_text(encoding="utf-8"))
    for resource in state["deployment"]["resources"]:
        if resource["type"] != "aws:iam/rolePolicy:RolePolicy":
            continue
        policy = resource["urn"].rsplit("::", 1)[1]
        for statement in json.loads(resource["inputs"]["policy"])["Statement"]:
            for action in statement["Action"]:
                if not any(fnmatchcase(f"{policy} {action}", pattern) for pattern in _NOT_USED_HERE):
                    for arn in statement["Resource"]:
                        yield Grant(policy, resource["inputs"]["role"], action, arn)
