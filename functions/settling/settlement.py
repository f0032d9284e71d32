"""A settlement as the processor keeps it: which commit, and how far it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from patterns.processor.state_codec import StateCodec
from patterns.processor.store import TransactionStore

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

    from functions.clock import Clock
    from patterns.processor.settings import ProcessorSettings


@dataclass(frozen=True)
class Settlement:
    """State of one commit's settlement.

    Parameters
    ----------
    material, sequence
        The commit's place on the tape.
    settled
        Slices of the commit whose account changes are made.
    notified
        Orders of the commit that are told of, or whose part is gathered, in the order of `order_parts`.
    """

    material: str
    sequence: int
    settled: int = 0
    notified: int = 0


SETTLEMENT_CODEC = StateCodec(Settlement)
"""How the state is stored."""


def settlement_id(material: str, sequence: int) -> str:
    """Return the id of a commit's settlement, such as ``"copper-12"``: a repeated trigger finds the one that exists."""
    return f"{material}-{sequence}"


def settlement_store(client: DynamoDBClient, settings: ProcessorSettings, clock: Clock) -> TransactionStore[Settlement]:
    """Return the settlements' table, for whoever submits or looks after them."""
    return TransactionStore(client, settings, SETTLEMENT_CODEC, clock)
