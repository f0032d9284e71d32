"""Writes under a version, as DynamoDB wants them: the same for a single call and for an action of a transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from patterns.dynamodb.items import decode_item, encode_item, encode_value
from patterns.optimistic_locking.errors import ConflictError, InvalidItemError
from patterns.optimistic_locking.key_shape import check_number
from patterns.optimistic_locking.versioned import Versioned

if TYPE_CHECKING:
    from collections.abc import Mapping

    from patterns.dynamodb.items import Value
    from patterns.optimistic_locking.adjustment import Adjustment
    from patterns.optimistic_locking.key_shape import KeyShape
    from patterns.optimistic_locking.versioned import Key

# The members of Put, Update, Delete and ConditionCheck are those of the calls of these names, but each has a type of
# its own in the stubs.
Write = dict[str, Any]

_ABSENT = "attribute_not_exists(#partition)"


@dataclass(frozen=True, slots=True)
class VersionedWrites:
    """Builds a table's writes; every one returns the stored item if its condition fails.

    Attributes
    ----------
    table_name, shape
        The table and its keys.
    version_attribute, write_id_attribute
        The two attributes the pattern adds to an item.
    """

    table_name: str
    shape: KeyShape
    version_attribute: str
    write_id_attribute: str

    def put(self, item: Mapping[str, Value], expected: int | None, write_id: str) -> Write:
        """Replace the item of version `expected`, or store a first one if it is ``None``."""
        self.shape.encode(self.shape.of(item))
        self.check_content(item)
        written = {**item, self.version_attribute: (expected or 0) + 1, self.write_id_attribute: write_id}
        return {"TableName": self.table_name, "Item": encode_item(written), **self._condition(expected)}

    def update(self, key: Key, expected: int, attributes: Mapping[str, Value], write_id: str) -> Write:
        """Set some attributes of the item of version `expected`."""
        condition = self._condition(expected)
        assignments, names, values = self._assignments(attributes, write_id)
        return {
            "TableName": self.table_name,
            "Key": self.shape.encode(key),
            "UpdateExpression": f"SET {assignments}, #version = :next",
            **condition,
            "ExpressionAttributeNames": {
                **names,
                **condition["ExpressionAttributeNames"],
                "#version": self.version_attribute,
            },
            "ExpressionAttributeValues": {
                **values,
                **condition.get("ExpressionAttributeValues", {}),
                ":next": {"N": str(expected + 1)},
            },
        }

    def merge(self, key: Key, attributes: Mapping[str, Value], write_id: str) -> Write:
        """Set some attributes whatever is stored, and count the version up."""
        assignments, names, values = self._assignments(attributes, write_id)
        return {
            "TableName": self.table_name,
            "Key": self.shape.encode(key),
            "UpdateExpression": f"SET {assignments} ADD #version :one",
            "ExpressionAttributeNames": {**names, "#version": self.version_attribute},
            "ExpressionAttributeValues": {**values, ":one": {"N": "1"}},
        }

    def adjust(self, key: Key, adjustment: Adjustment, write_id: str) -> Write:
        """Add to and take from some attributes of an item or none, within limits, and count the version up."""
        self._check_changed(adjustment.changes)
        parts = adjustment.expressions()
        additions = ", ".join(["#version :one", *parts.additions])
        deletions = f" DELETE {', '.join(parts.deletions)}" if parts.deletions else ""
        return {
            "TableName": self.table_name,
            "Key": self.shape.encode(key),
            "UpdateExpression": f"SET #write_id = :write_id ADD {additions}{deletions}",
            # The same write a second time is refused, and its id in the item says so.
            "ConditionExpression": " AND ".join(["NOT #write_id = :write_id", *parts.conditions]),
            "ExpressionAttributeNames": {
                **parts.names,
                "#version": self.version_attribute,
                "#write_id": self.write_id_attribute,
            },
            "ExpressionAttributeValues": {**parts.values, ":one": {"N": "1"}, ":write_id": {"S": write_id}},
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }

    def delete(self, key: Key, expected: int) -> Write:
        """Delete the item of version `expected`. As a ConditionCheck: require that version."""
        return {"TableName": self.table_name, "Key": self.shape.encode(key), **self._condition(expected)}

    def decode(self, attributes: Mapping[str, Any]) -> Versioned:
        """Split a stored item into content and version."""
        item = decode_item(attributes)
        version = item.pop(self.version_attribute, 0)
        write_id = item.pop(self.write_id_attribute, "")
        if type(version) is not int or version < 0:
            raise InvalidItemError(
                f"stored attribute {self.version_attribute!r}", version, "must be an integer of at least 0"
            )
        return Versioned(item, version, cast("str", write_id))

    def conflict(self, write: Mapping[str, Any], stored: Mapping[str, Any]) -> ConflictError:
        """Return the conflict of a refused write with the stored item, an empty one if there is none."""
        attributes = write.get("Key") or write["Item"]
        key = decode_item({name: attributes[name] for name in self.shape.names})
        expected = None
        if write["ConditionExpression"] != _ABSENT:
            expected = int(write.get("ExpressionAttributeValues", {}).get(":expected", {}).get("N", 0))
        return ConflictError(key, expected, self.decode(stored) if stored else None)

    def is_versioned(self, write: Mapping[str, Any]) -> bool:
        """Tell whether a write is under a version or asserts absence: `adjust`, and the check of a lease, are not."""
        condition = write["ConditionExpression"]
        return "#version" in condition or condition == _ABSENT

    def check_content(self, attributes: Mapping[str, Value]) -> None:
        """Refuse attributes that the pattern keeps."""
        for name in (self.version_attribute, self.write_id_attribute):
            if name in attributes:
                raise InvalidItemError(f"attribute {name!r}", attributes[name], "must be left to the table")

    def _condition(self, expected: int | None) -> Write:
        fixed: Write = {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
        partition = {"#partition": self.shape.partition_key}
        version = {"#version": self.version_attribute}
        if expected is None:
            fixed |= {
                "ConditionExpression": _ABSENT,
                "ExpressionAttributeNames": partition,
            }
            return fixed
        check_number("version", expected, 0)
        if expected == 0:
            condition = "attribute_exists(#partition) AND attribute_not_exists(#version)"
            return fixed | {"ConditionExpression": condition, "ExpressionAttributeNames": partition | version}
        return fixed | {
            "ConditionExpression": "#version = :expected",
            "ExpressionAttributeNames": version,
            "ExpressionAttributeValues": {":expected": {"N": str(expected)}},
        }

    def _check_changed(self, attributes: Mapping[str, Value]) -> None:
        self.check_content(attributes)
        for name in self.shape.names:
            if name in attributes:
                raise InvalidItemError(
                    f"attribute {name!r}", attributes[name], "must not be set: it is part of the key"
                )

    def _assignments(self, attributes: Mapping[str, Value], write_id: str) -> tuple[str, dict[str, str], Write]:
        self._check_changed(attributes)
        pairs = list({**attributes, self.write_id_attribute: write_id}.items())
        return (
            ", ".join(f"#a{number} = :a{number}" for number in range(len(pairs))),
            {f"#a{number}": name for number, (name, _) in enumerate(pairs)},
            {f":a{number}": encode_value(value, name) for number, (name, value) in enumerate(pairs)},
        )
