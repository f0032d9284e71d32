"""Provider functions a program may call (`aws.get_caller_identity()` and the like), answered without the provider."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from local.deployer.aws import PARTITION
from local.deployer.errors import DeployError

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.deployer.aws import Aws
    from local.deployer.state import Properties


def look_up(aws: Aws, token: str, arguments: Properties) -> Properties:
    """Answer a provider function.

    Raises
    ------
    DeployError
        The function is not known.
    """
    answer = _ANSWERS.get(token)
    if answer is None:
        raise DeployError(f"the local deployer does not know the function {token}; add it to local/deployer/lookups.py")
    return answer(aws, arguments)


def _caller_identity(aws: Aws, _: Properties) -> Properties:
    return {
        "accountId": aws.account_id,
        "arn": f"arn:{PARTITION}:iam::{aws.account_id}:root",
        "id": aws.account_id,
        "userId": aws.account_id,
    }


def _region(aws: Aws, _: Properties) -> Properties:
    return {
        "description": aws.region,
        "endpoint": f"ec2.{aws.region}.amazonaws.com",
        "id": aws.region,
        "name": aws.region,
        "region": aws.region,
    }


def _partition(_: Aws, __: Properties) -> Properties:
    return {
        "dnsSuffix": "amazonaws.com",
        "id": PARTITION,
        "partition": PARTITION,
        "reverseDnsPrefix": "com.amazonaws",
    }


def _policy_document(_: Aws, arguments: Properties) -> Properties:
    """`aws.iam.getPolicyDocument`: the JSON of a policy from its statements."""
    known = {
        "effect",
        "sid",
        "actions",
        "resources",
        "principals",
        "conditions",
        "notActions",
        "notResources",
        "notPrincipals",
    }
    if unknown := set(arguments) - {"statements", "version", "policyId"}:
        raise DeployError(f"getPolicyDocument: the local deployer does not map {', '.join(sorted(unknown))}")
    statements: list[dict[str, Any]] = []
    for statement in arguments.get("statements", []):
        if unknown := set(statement) - known:
            raise DeployError(f"getPolicyDocument: the local deployer does not map {', '.join(sorted(unknown))}")
        rendered: dict[str, Any] = {"Effect": statement.get("effect", "Allow")}
        for key, name in (("sid", "Sid"),):
            if key in statement:
                rendered[name] = statement[key]
        for key, name in (
            ("actions", "Action"),
            ("resources", "Resource"),
            ("notActions", "NotAction"),
            ("notResources", "NotResource"),
        ):
            if key in statement:
                rendered[name] = _one_or_many(statement[key])
        for key, name in (("principals", "Principal"), ("notPrincipals", "NotPrincipal")):
            if key in statement:
                rendered[name] = {entry["type"]: _one_or_many(entry["identifiers"]) for entry in statement[key]}
        for condition in statement.get("conditions", []):
            tests: dict[str, Any] = rendered.setdefault("Condition", {}).setdefault(condition["test"], {})
            tests[condition["variable"]] = _one_or_many(condition["values"])
        statements.append(rendered)
    document = {"Version": arguments.get("version", "2012-10-17"), "Statement": statements}
    if "policyId" in arguments:
        document["Id"] = arguments["policyId"]
    text = json.dumps(document)
    return {"id": "policy", "json": text, "minifiedJson": text}


def _one_or_many(values: list[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else values


_ANSWERS: dict[str, Callable[[Aws, Properties], Properties]] = {
    "aws:index/getCallerIdentity:getCallerIdentity": _caller_identity,
    "aws:index/getRegion:getRegion": _region,
    "aws:index/getPartition:getPartition": _partition,
    "aws:iam/getPolicyDocument:getPolicyDocument": _policy_document,
}
