"""Least-privilege IAM documents, written by the edge that needs them: listed actions, complete ARNs, no wildcard."""

import re
from collections.abc import Sequence
from typing import Any, TypedDict

import pulumi
import pulumi_aws as aws

_ACTION = re.compile(r"[a-z0-9-]+:[A-Za-z0-9]+")


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
                "Resource": pulumi.Output.all(*statement["resources"]).apply(_without_wildcards),
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


def _without_wildcards(arns: Sequence[str]) -> list[str]:
    for arn in arns:
        if "*" in arn:
            raise ValueError(f"IAM resource '{arn}' must be one complete ARN")
    return list(arns)
