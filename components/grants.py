"""Least-privilege IAM documents, written by the edge that needs them: listed actions, complete ARNs, no wildcard.

One exception: objects of S3 cannot be listed before they are made, so ``s3:GetObject`` and ``s3:PutObject`` may be for
all objects behind one prefix of one bucket.
"""

import re
from collections.abc import Sequence
from functools import partial
from typing import Any, TypedDict

import pulumi
import pulumi_aws as aws

OBJECT_PREFIX = "versions/"
"""The prefix of objects that rights are for."""

_ACTION = re.compile(r"[a-z0-9-]+:[A-Za-z0-9]+")
_OBJECTS = re.compile(rf"arn:[a-z-]+:s3:::[a-z0-9.-]+/{re.escape(OBJECT_PREFIX)}\*")
_OBJECT_ACTIONS = frozenset({"s3:GetObject", "s3:PutObject"})


class Statement(TypedDict):
    """One thing a role may do.

    ``actions`` are full action names (``dynamodb:Query``); ``resources`` are complete ARNs.
    """

    actions: Sequence[str]
    resources: Sequence[pulumi.Input[str]]


def policy_document(statements: Sequence[Statement]) -> pulumi.Output[str]:
    """Render an IAM policy document as JSON.

    Raises
    ------
    ValueError
        An action is malformed or holds a wildcard (at once), or a resolved resource does (at deployment).
    """
    for statement in statements:
        for action in statement["actions"]:
            if not _ACTION.fullmatch(action):
                raise ValueError(f"IAM action '{action}' must be one full action name, such as dynamodb:Query")
    document = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": sorted(statement["actions"]),
                "Resource": pulumi.Output.all(*statement["resources"]).apply(
                    partial(_without_wildcards, objects=_OBJECT_ACTIONS.issuperset(statement["actions"]))
                ),
            }
            for statement in statements
        ],
    }
    return pulumi.Output.json_dumps(document)


def service_trust_policy(service: str, source_account: pulumi.Input[str] | None = None) -> pulumi.Output[str]:
    """Render the trust policy that lets one AWS service assume a role.

    Parameters
    ----------
    service
        Service principal, such as ``lambda.amazonaws.com``.
    source_account
        Twelve-digit account on whose behalf the service must act (confused-deputy protection); not every service
        sends it.
    """
    statement: dict[str, Any] = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    if source_account is not None:
        statement["Condition"] = {"StringEquals": {"aws:SourceAccount": source_account}}
    return pulumi.Output.json_dumps({"Version": "2012-10-17", "Statement": [statement]})


def allow(
    name: str,
    role_name: pulumi.Input[str],
    statements: Sequence[Statement],
    parent: pulumi.Resource,
) -> aws.iam.RolePolicy:
    """Add an inline policy with these statements to a role.

    Parameters
    ----------
    name
        Logical name of the policy: which edge asked for it.
    role_name
        The role that receives it.
    statements
        What the role may do.
    parent
        The component that owns the edge.
    """
    return aws.iam.RolePolicy(
        name, role=role_name, policy=policy_document(statements), opts=pulumi.ResourceOptions(parent=parent)
    )


def _without_wildcards(arns: Sequence[str], *, objects: bool) -> list[str]:
    for arn in arns:
        if "*" in arn and not (objects and _OBJECTS.fullmatch(arn)):
            raise ValueError(f"IAM resource '{arn}' must be one complete ARN")
    return list(arns)
