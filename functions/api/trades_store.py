"""Data access of a material's trades, read backwards from its tape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from functions.api.contention import with_retries
from market.tape import decode_commit
from patterns.dynamodb.items import decode_item, encode_item

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

    from market.tape import TapeCommit, TradeFill

_FIRST_READ = 100  # commits; enough for a page of trades unless most commits traded nothing
_READ = 1000
_READS = 10

TradePosition: TypeAlias = tuple[int, int]
"""(sequence, n) of a trade; what comes after it on a page is older. (sequence, 1) is also where a commit ends."""

_PAST_THE_HEAD: TradePosition = (10**18, 1)


@dataclass(frozen=True, slots=True)
class TradePage:
    """Trades with the commits they belong to, newest first; `last` is where the next page starts, None at the end."""

    trades: tuple[tuple[TapeCommit, TradeFill], ...]
    last: TradePosition | None


class TradesStore:
    """The tape as a list of trades.

    Parameters
    ----------
    client
        Low-level DynamoDB client.
    tape_table
        Name of the table.
    """

    def __init__(self, client: DynamoDBClient, tape_table: str) -> None:
        self._client = client
        self._tape_table = tape_table

    def newest(self, material: str, before: TradePosition | None, limit: int) -> TradePage:
        """Return a page of a material's trades, newest first.

        Parameters
        ----------
        material
            Whose trades.
        before
            Only trades older than the one at this position; None starts at the newest.
        limit
            Most trades to return, 1 or more.

        Returns
        -------
        TradePage
            Shorter than `limit` only at the end of the tape, or after reading thousands of commits of which hardly any
            traded: then the page may even be empty, but `last` is set and further back, so listing always ends.
        """
        found: list[tuple[TapeCommit, TradeFill]] = []
        position = before
        for read in range(_READS):
            commits = self._commits(material, position, _READ if read else _FIRST_READ)
            if not commits:
                return TradePage(tuple(found), None)
            for commit in commits:
                for fill in reversed(commit.fills):
                    if position is not None and (commit.sequence, fill.n) >= position:
                        continue
                    if len(found) == limit:
                        last_commit, last_fill = found[-1]
                        return TradePage(tuple(found), (last_commit.sequence, last_fill.n))
                    found.append((commit, fill))
            position = (commits[-1].sequence, 1)
        return TradePage(tuple(found), position)

    def _commits(self, material: str, before: TradePosition | None, limit: int) -> list[TapeCommit]:
        sequence, n = before or _PAST_THE_HEAD
        # Trades are numbered from 1: past the first, its commit has no more to show.
        highest = sequence if n > 1 else sequence - 1
        answer = with_retries(
            lambda: self._client.query(
                TableName=self._tape_table,
                KeyConditionExpression="material = :material AND #sequence <= :highest",
                ExpressionAttributeNames={"#sequence": "sequence"},
                ExpressionAttributeValues=encode_item({":material": material, ":highest": highest}),
                ScanIndexForward=False,
                Limit=limit,
                ConsistentRead=True,
            )
        )
        return [decode_commit(decode_item(item)) for item in answer["Items"]]
