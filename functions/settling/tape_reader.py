"""Commits read from the tape by their place on it."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from market.tape import decode_commit
from patterns.dynamodb.items import decode_item, encode_item

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

    from market.tape import TapeCommit

_KEPT = 16  # commits; the steps of one settlement follow each other within an invocation


class CommitMissingError(LookupError):
    """The tape has no commit at this place."""

    def __init__(self, material: str, sequence: int) -> None:
        super().__init__(f"the tape of {material} has no commit {sequence}")


class TapeReader:
    """Reads commits, strongly consistent, and remembers the latest few: a commit on the tape never changes.

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
        self._kept: OrderedDict[tuple[str, int], TapeCommit] = OrderedDict()

    def commit(self, material: str, sequence: int) -> TapeCommit:
        """Return a commit.

        Raises
        ------
        CommitMissingError
            There is none at this place.
        """
        place = (material, sequence)
        if place not in self._kept:
            key = encode_item({"material": material, "sequence": sequence})
            answer = self._client.get_item(TableName=self._tape_table, Key=key, ConsistentRead=True)
            if "Item" not in answer:
                raise CommitMissingError(material, sequence)
            self._kept[place] = decode_commit(decode_item(answer["Item"]))
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return self._kept[place]
