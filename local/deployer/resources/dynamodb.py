"""Amazon DynamoDB tables."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, cast

from local.deployer.errors import DeployError
from local.deployer.resources.protocol import Created, Existing, Naming, ResourceType, tag_change, tag_list, without
from local.deployer.shapes import request

if TYPE_CHECKING:
    from local.deployer.aws import Aws
    from local.deployer.state import Properties

_ACTIVE_TIMEOUT_S = 30.0
_SEPARATE = ("ttl", "pointInTimeRecovery")
_UPDATED_TOGETHER = frozenset(
    {"billingMode", "readCapacity", "writeCapacity", "deletionProtectionEnabled", "tableClass", "serverSideEncryption"}
)
_PROJECTION = ("projectionType", "nonKeyAttributes")
_STREAM = frozenset({"streamEnabled", "streamViewType"})


class Table(ResourceType):
    token = "aws:dynamodb/table:Table"
    mapped = frozenset(
        {
            "attributes",
            "billingMode",
            "deletionProtectionEnabled",
            "globalSecondaryIndexes",
            "hashKey",
            "localSecondaryIndexes",
            "name",
            "pointInTimeRecovery",
            "rangeKey",
            "readCapacity",
            "serverSideEncryption",
            "streamEnabled",
            "streamViewType",
            "tableClass",
            "tags",
            "ttl",
            "writeCapacity",
        }
    )
    replace_on = frozenset({"name", "hashKey", "rangeKey", "localSecondaryIndexes"})
    naming = Naming(max_length=255)

    def create(self, aws: Aws, inputs: Properties) -> Created:
        parameters = request("dynamodb", "CreateTable", _table(inputs))
        if inputs["tagsAll"]:
            parameters["Tags"] = tag_list(inputs["tagsAll"])
        aws.dynamodb.create_table(**parameters)
        name = str(inputs["name"])
        _wait(aws, name)
        self._apply_separate(aws, name, inputs, frozenset(_SEPARATE) & inputs.keys())
        return Created(name, _outputs(aws, name))

    def update(self, aws: Aws, existing: Existing, inputs: Properties, changed: frozenset[str]) -> Properties:
        name = existing.id
        target = _table(inputs)
        if changed & _UPDATED_TOGETHER:
            parts = _update(target, changed)
            aws.dynamodb.update_table(**request("dynamodb", "UpdateTable", {"tableName": name, **parts}))
            _wait(aws, name)
        if changed & _STREAM:
            if existing.inputs.get("streamEnabled"):
                aws.dynamodb.update_table(TableName=name, StreamSpecification={"StreamEnabled": False})
                _wait(aws, name)
            if inputs.get("streamEnabled"):
                aws.dynamodb.update_table(
                    **request(
                        "dynamodb",
                        "UpdateTable",
                        {"tableName": name, "streamSpecification": target["streamSpecification"]},
                    )
                )
                _wait(aws, name)
        if "globalSecondaryIndexes" in changed:
            self._update_indexes(aws, name, existing, target)
        self._apply_separate(aws, name, inputs, changed)
        arn = str(existing.outputs["arn"])
        tags = tag_change(existing, inputs)
        if tags.removed:
            aws.dynamodb.untag_resource(ResourceArn=arn, TagKeys=tags.removed)
        if tags.added:
            aws.dynamodb.tag_resource(ResourceArn=arn, Tags=cast("Any", tags.added_list))
        return _outputs(aws, name)

    def delete(self, aws: Aws, existing: Existing) -> None:
        aws.dynamodb.delete_table(TableName=existing.id)

    def unlock(self, aws: Aws, existing: Existing) -> None:
        if existing.inputs.get("deletionProtectionEnabled"):
            aws.dynamodb.update_table(TableName=existing.id, DeletionProtectionEnabled=False)

    def listing(self, aws: Aws) -> set[str]:
        return {
            name for page in aws.dynamodb.get_paginator("list_tables").paginate() for name in page.get("TableNames", [])
        }

    def _apply_separate(self, aws: Aws, name: str, inputs: Properties, changed: frozenset[str]) -> None:
        if "ttl" in changed:
            ttl = {"enabled": True, **inputs.get("ttl", {})} if inputs.get("ttl") else _disabled_ttl(aws, name)
            if ttl is not None:
                aws.dynamodb.update_time_to_live(
                    **request("dynamodb", "UpdateTimeToLive", {"tableName": name, "timeToLiveSpecification": ttl})
                )
        if "pointInTimeRecovery" in changed:
            recovery = {"enabled": False, **inputs.get("pointInTimeRecovery", {})}
            aws.dynamodb.update_continuous_backups(
                **request(
                    "dynamodb",
                    "UpdateContinuousBackups",
                    {"tableName": name, "pointInTimeRecoverySpecification": recovery},
                    {"enabled": "PointInTimeRecoveryEnabled"},
                )
            )

    def _update_indexes(self, aws: Aws, name: str, existing: Existing, target: Properties) -> None:
        """AWS changes one index per call; an index that differs is made anew."""
        listed = aws.dynamodb.describe_table(TableName=name)["Table"].get("GlobalSecondaryIndexes", [])
        present = {index.get("IndexName", "") for index in listed}
        old = {index["name"]: index for index in existing.inputs.get("globalSecondaryIndexes", [])}
        new = {index["indexName"]: index for index in target.get("globalSecondaryIndexes", [])}
        unchanged = {key for key in new if key in old and key in present and _index(old[key]) == new[key]}
        for key in sorted(present - unchanged):
            self._update_index(aws, name, target, {"delete": {"indexName": key}})
        for key in (key for key in new if key not in unchanged):
            self._update_index(aws, name, target, {"create": new[key]})

    def _update_index(self, aws: Aws, name: str, target: Properties, change: Properties) -> None:
        parameters = {
            "tableName": name,
            "attributeDefinitions": target["attributeDefinitions"],
            "globalSecondaryIndexUpdates": [change],
        }
        aws.dynamodb.update_table(**request("dynamodb", "UpdateTable", parameters))
        _wait(aws, name)


def _table(inputs: Properties) -> Properties:
    """The table in the structure of CreateTable, still in camelCase."""
    table = without(
        inputs,
        "attributes",
        "hashKey",
        "rangeKey",
        "streamEnabled",
        "streamViewType",
        "readCapacity",
        "writeCapacity",
        *_SEPARATE,
    )
    table["tableName"] = table.pop("name")
    table["attributeDefinitions"] = [
        {"attributeName": attribute["name"], "attributeType": attribute["type"]}
        for attribute in inputs.get("attributes", [])
    ]
    table["keySchema"] = _key_schema(inputs)
    if inputs.get("streamEnabled"):
        table["streamSpecification"] = {"streamEnabled": True, "streamViewType": inputs.get("streamViewType", "")}
    table.setdefault("billingMode", "PROVISIONED")
    if table["billingMode"] == "PROVISIONED":
        table["provisionedThroughput"] = _throughput(inputs)
    if "serverSideEncryption" in table:
        encryption = table.pop("serverSideEncryption")
        if encryption.get("enabled"):
            key = {"kMSMasterKeyId": encryption["kmsKeyArn"]} if "kmsKeyArn" in encryption else {}
            table["sSESpecification"] = {"enabled": True, "sSEType": "KMS", **key}
    for kind in ("globalSecondaryIndexes", "localSecondaryIndexes"):
        if kind in table:
            table[kind] = [
                _index(index, inputs.get("hashKey") if kind.startswith("local") else None) for index in table[kind]
            ]
    return table


def _index(index: Properties, table_hash_key: str | None = None) -> Properties:
    keys = {"hashKey": index.get("hashKey", table_hash_key), "rangeKey": index.get("rangeKey")}
    key_schema = index.get("keySchemas") or _key_schema(keys)
    projection = {key: index[key] for key in _PROJECTION if key in index}
    named = {"name", "hashKey", "rangeKey", "keySchemas", "readCapacity", "writeCapacity"} | {*_PROJECTION}
    shaped = {key: value for key, value in index.items() if key not in named}
    shaped |= {"indexName": index["name"], "keySchema": key_schema, "projection": projection}
    if "readCapacity" in index or "writeCapacity" in index:
        shaped["provisionedThroughput"] = _throughput(index)
    return shaped


def _key_schema(keys: Properties) -> list[Properties]:
    return [
        {"attributeName": keys[key], "keyType": kind}
        for key, kind in (("hashKey", "HASH"), ("rangeKey", "RANGE"))
        if keys.get(key)
    ]


def _throughput(inputs: Properties) -> Properties:
    return {"readCapacityUnits": inputs.get("readCapacity", 1), "writeCapacityUnits": inputs.get("writeCapacity", 1)}


def _update(target: Properties, changed: frozenset[str]) -> Properties:
    """The parts of `target` that UpdateTable takes together; what the program no longer sets goes to AWS's default."""
    parts: Properties = {}
    if "deletionProtectionEnabled" in changed:
        parts["deletionProtectionEnabled"] = target.get("deletionProtectionEnabled", False)
    if "tableClass" in changed:
        parts["tableClass"] = target.get("tableClass", "STANDARD")
    if "serverSideEncryption" in changed:
        parts["sSESpecification"] = target.get("sSESpecification", {"enabled": False})
    if changed & {"billingMode", "readCapacity", "writeCapacity"}:
        parts |= {key: target[key] for key in ("billingMode", "provisionedThroughput") if key in target}
    return parts


def _disabled_ttl(aws: Aws, name: str) -> Properties | None:
    described = aws.dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    if "AttributeName" not in described:
        return None
    return {"enabled": False, "attributeName": described["AttributeName"]}


def _wait(aws: Aws, name: str) -> None:
    deadline = time.monotonic() + _ACTIVE_TIMEOUT_S
    while aws.dynamodb.describe_table(TableName=name)["Table"].get("TableStatus") != "ACTIVE":
        if time.monotonic() > deadline:
            raise DeployError(f"table {name} did not become ACTIVE within {_ACTIVE_TIMEOUT_S:g} s")
        time.sleep(0.05)


def _outputs(aws: Aws, name: str) -> Properties:
    table = aws.dynamodb.describe_table(TableName=name)["Table"]
    outputs: Properties = {"arn": table.get("TableArn", ""), "name": name}
    if table.get("StreamSpecification", {}).get("StreamEnabled"):
        outputs |= {"streamArn": table.get("LatestStreamArn", ""), "streamLabel": table.get("LatestStreamLabel", "")}
    return outputs


TYPES = (Table(),)
