"""AWS IAM roles and their policies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from local.deployer.resources.protocol import Created, Existing, Naming, ResourceType, tag_change, tag_list, without
from local.deployer.shapes import request

if TYPE_CHECKING:
    from local.deployer.aws import Aws
    from local.deployer.state import Properties

_SERVICE_ROLES = "/aws-service-role/"


class Role(ResourceType):
    token = "aws:iam/role:Role"
    mapped = frozenset(
        {
            "assumeRolePolicy",
            "description",
            "forceDetachPolicies",
            "maxSessionDuration",
            "name",
            "path",
            "permissionsBoundary",
            "tags",
        }
    )
    replace_on = frozenset({"name", "path"})
    naming = Naming(max_length=64)

    def create(self, aws: Aws, inputs: Properties) -> Created:
        names = {"name": "RoleName", "assumeRolePolicy": "AssumeRolePolicyDocument"}
        parameters = request("iam", "CreateRole", without(inputs, "forceDetachPolicies"), names)
        aws.iam.create_role(**parameters, Tags=cast("Any", tag_list(inputs["tagsAll"])))
        name = str(inputs["name"])
        return Created(name, self._outputs(aws, name))

    def update(self, aws: Aws, existing: Existing, inputs: Properties, changed: frozenset[str]) -> Properties:
        name = existing.id
        if "assumeRolePolicy" in changed:
            aws.iam.update_assume_role_policy(RoleName=name, PolicyDocument=inputs["assumeRolePolicy"])
        if changed & {"description", "maxSessionDuration"}:
            aws.iam.update_role(
                RoleName=name,
                Description=inputs.get("description", ""),
                MaxSessionDuration=inputs.get("maxSessionDuration", 3600),
            )
        if "permissionsBoundary" in changed:
            if "permissionsBoundary" in inputs:
                aws.iam.put_role_permissions_boundary(RoleName=name, PermissionsBoundary=inputs["permissionsBoundary"])
            else:
                aws.iam.delete_role_permissions_boundary(RoleName=name)
        tags = tag_change(existing, inputs)
        if tags.removed:
            aws.iam.untag_role(RoleName=name, TagKeys=tags.removed)
        if tags.added:
            aws.iam.tag_role(RoleName=name, Tags=cast("Any", tags.added_list))
        return self._outputs(aws, name)

    def delete(self, aws: Aws, existing: Existing) -> None:
        if existing.inputs.get("forceDetachPolicies"):
            for policy in aws.iam.list_attached_role_policies(RoleName=existing.id)["AttachedPolicies"]:
                aws.iam.detach_role_policy(RoleName=existing.id, PolicyArn=policy.get("PolicyArn", ""))
            for policy_name in aws.iam.list_role_policies(RoleName=existing.id)["PolicyNames"]:
                aws.iam.delete_role_policy(RoleName=existing.id, PolicyName=policy_name)
        aws.iam.delete_role(RoleName=existing.id)

    def listing(self, aws: Aws) -> set[str]:
        pages = aws.iam.get_paginator("list_roles").paginate()
        return {
            role["RoleName"] for page in pages for role in page["Roles"] if not role["Path"].startswith(_SERVICE_ROLES)
        }

    def _outputs(self, aws: Aws, name: str) -> Properties:
        role = aws.iam.get_role(RoleName=name)["Role"]
        return {
            "arn": role["Arn"],
            "createDate": role["CreateDate"].isoformat(),
            "name": name,
            "uniqueId": role["RoleId"],
        }


class RolePolicy(ResourceType):
    token = "aws:iam/rolePolicy:RolePolicy"
    mapped = frozenset({"name", "policy", "role"})
    replace_on = frozenset({"name", "role"})
    naming = Naming(max_length=128)

    def create(self, aws: Aws, inputs: Properties) -> Created:
        self._put(aws, inputs)
        return Created(f"{inputs['role']}:{inputs['name']}", {})

    def update(self, aws: Aws, existing: Existing, inputs: Properties, changed: frozenset[str]) -> Properties:
        self._put(aws, inputs)
        return {}

    def delete(self, aws: Aws, existing: Existing) -> None:
        aws.iam.delete_role_policy(RoleName=existing.inputs["role"], PolicyName=existing.inputs["name"])

    def _put(self, aws: Aws, inputs: Properties) -> None:
        names = {"role": "RoleName", "name": "PolicyName", "policy": "PolicyDocument"}
        aws.iam.put_role_policy(**request("iam", "PutRolePolicy", without(inputs), names))


class RolePolicyAttachment(ResourceType):
    token = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
    mapped = frozenset({"policyArn", "role"})
    replace_on = mapped

    def create(self, aws: Aws, inputs: Properties) -> Created:
        aws.iam.attach_role_policy(RoleName=inputs["role"], PolicyArn=inputs["policyArn"])
        return Created(f"{inputs['role']}/{inputs['policyArn']}", {})

    def update(self, aws: Aws, existing: Existing, inputs: Properties, changed: frozenset[str]) -> Properties:
        raise AssertionError("every property of an attachment replaces it")

    def delete(self, aws: Aws, existing: Existing) -> None:
        aws.iam.detach_role_policy(RoleName=existing.inputs["role"], PolicyArn=existing.inputs["policyArn"])


TYPES = (Role(), RolePolicy(), RolePolicyAttachment())
