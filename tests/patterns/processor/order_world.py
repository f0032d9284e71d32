"""A shop's orders on a store: reserve an item, charge a wallet, deliver; with a clock and faults to inject."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

from patterns.processor import (
    Done,
    More,
    Processor,
    ProcessorSettings,
    StateCodec,
    Step,
    StepRejectedError,
)
from tests.faults import FaultyClient
from tests.patterns.stores import Index

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from patterns.processor import StepContext, Transaction, TransactionStore
    from tests.patterns.stores import Store

DUE = Index("due", "due_shard", range_key="due_at_ms", range_key_type="N")
START_MS = 1_700_000_000_000


@dataclass(frozen=True)
class Order:
    """State of an order."""

    item: str
    price: int
    parcels: int = 0
    notes: tuple[str, ...] = ()


@dataclass
class World:
    """Tables, time and a processor; `steps` may be replaced before the first run."""

    store: Store
    plan: Mapping[int, str | Callable[[], object]] = field(default_factory=dict[int, "str | Callable[[], object]"])
    now: int = START_MS
    remaining: int = 60_000
    step_ms: int = 0
    used_ms: int = 0
    settings: dict[str, int] = field(default_factory=dict[str, int])
    waits_ms: list[int] = field(default_factory=list[int])
    contexts: list[StepContext] = field(default_factory=list["StepContext"])
    trouble: dict[str, list[Exception | None]] = field(default_factory=dict[str, "list[Exception | None]"])

    def __post_init__(self) -> None:
        self.table = self.store.create_table("transaction_id", indexes=[DUE])
        self.effects = self.store.create_table("name")
        self.steps: list[Step[Order]] = [
            Step(name="reserve", run=self.reserve, compensate=self.give_back),
            Step(name="charge", run=self.charge, compensate=self.refund),
            Step(name="deliver", run=self.deliver),
        ]
        for name, amount in {"stock:sword": 5, "wallet": 100, "parcels": 0}.items():
            self.store.client.put_item(TableName=self.effects, Item={"name": {"S": name}, "amount": {"N": str(amount)}})
        self.client = FaultyClient(self.store.client, self.plan)

    # Steps

    def reserve(self, order: Order, context: StepContext) -> Done[Order]:
        self._called(context)
        return Done(order, [self._add(f"stock:{order.item}", -1)], if_refused="reject")

    def give_back(self, order: Order, context: StepContext) -> Done[Order]:
        self._called(context)
        return Done(replace(order, notes=(*order.notes, "given back")), [self._add(f"stock:{order.item}", 1)])

    def charge(self, order: Order, context: StepContext) -> Done[Order]:
        self._called(context)
        return Done(order, [self._add("wallet", -order.price)], if_refused="reject")

    def refund(self, order: Order, context: StepContext) -> Done[Order]:
        self._called(context)
        return Done(replace(order, notes=(*order.notes, "refunded")), [self._add("wallet", order.price)])

    def deliver(self, order: Order, context: StepContext) -> Done[Order] | More[Order]:
        """Two slices: a parcel each."""
        self._called(context)
        order = replace(order, parcels=order.parcels + 1)
        return (More if order.parcels < 2 else Done)(order, [self._add("parcels", 1)])

    def _called(self, context: StepContext) -> None:
        self.contexts.append(context)
        self.used_ms += self.step_ms
        planned = self.trouble.get(context.step, [])
        error = planned.pop(0) if planned else None
        if error is not None:
            raise error

    def _add(self, name: str, amount: int) -> Any:
        return {
            "Update": {
                "TableName": self.effects,
                "Key": {"name": {"S": name}},
                "UpdateExpression": "SET amount = amount + :amount",
                "ConditionExpression": "amount >= :least",
                "ExpressionAttributeValues": {":amount": {"N": str(amount)}, ":least": {"N": str(max(0, -amount))}},
            }
        }

    # Driving

    def processor(self) -> Processor[Order]:
        """A new process."""
        return Processor(
            cast("Any", self.client),
            ProcessorSettings(table=self.table, **({"shards": 2} | self.settings)),
            StateCodec(Order),
            self.steps,
            clock=lambda: self.now,
            sleep=self._sleep,
            random=lambda: 0.5,
        )

    def _sleep(self, seconds: float) -> None:
        self.waits_ms.append(round(seconds * 1000))
        self.now += round(seconds * 1000)

    @property
    def transactions(self) -> TransactionStore[Order]:
        return self.processor().store

    def submit(self, transaction_id: str = "order-1", item: str = "sword", price: int = 30) -> bool:
        return self.transactions.submit(transaction_id, Order(item, price)).created

    def run(self, transaction_id: str = "order-1") -> Transaction[Order] | None:
        """An invocation for one transaction, `remaining` ms before its deadline; each step takes `step_ms`."""
        self.used_ms = 0
        return self.processor().run(transaction_id, lambda: self.remaining - self.used_ms)

    def sweep(self, later_ms: int = 0) -> int:
        """Sweep, so much later; returns how many were claimed."""
        self.now += later_ms
        self.used_ms = 0
        return self.processor().sweep(lambda: self.remaining - self.used_ms).claimed

    def get(self, transaction_id: str = "order-1") -> Transaction[Order]:
        return self.transactions.get(transaction_id)

    def woken(self) -> list[str]:
        """Ids whose items the stream's filter lets through."""
        items = self.store.client.scan(TableName=self.table)["Items"]
        return [cast("Any", item)["transaction_id"]["S"] for item in items if "wake" in item]

    def amounts(self) -> dict[str, int]:
        items = self.store.client.scan(TableName=self.effects)["Items"]
        return {cast("Any", item)["name"]["S"]: int(cast("Any", item)["amount"]["N"]) for item in items}

    def events(self, transaction_id: str = "order-1") -> list[str]:
        return [f"{entry.event} {entry.step}".strip() for entry in self.get(transaction_id).history]


UNTOUCHED = {"stock:sword": 5, "wallet": 100, "parcels": 0}
SOLD = {"stock:sword": 4, "wallet": 70, "parcels": 2}


def rejection() -> StepRejectedError:
    return StepRejectedError("no such address")
