"""AWS AppSync Event APIs and their channel namespaces. The emulator keeps them, with the tags they were made with;
`local.feed` serves them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.deployer.errors import DeployError
from local.deployer.resources.protocol import Created, Existing, Naming, ResourceType, without
from local.deployer.shapes import request
from local.feed.apis import AuthMode

if TYPE_CHECKING:
    from local.deployer.aws import Aws
    from local.deployer.state import Properties

_NAMES = {"openidConnectConfig": "openIDConnectConfig", "iatTtl": "iatTTL", "authTtl": "authTTL"}
_MODES = {
    "authProviders": "eventConfig.authProviders",
    "connectionAuthModes": "eventConfig.connectionAuthModes",
    "defaultPublishAuthModes": "eventConfig.defaultPublishAuthModes",
    "defaultSubscribeAuthModes": "eventConfig.defaultSubscribeAuthModes",
    "publishAuthModes": "publishAuthModes",
    "subscribeAuthModes": "subscribeAuthModes",
}


class Api(ResourceType):
    token = "aws:appsync/api:Api"
    mapped = frozenset({"eventConfig", "name", "ownerContact", "tags"})
    naming = Naming(max_length=50, is_id=False)

    def create(self, aws: Aws, inputs: Properties) -> Created:
        _check_modes(inputs["eventConfig"])
        parameters = request("appsync", "CreateApi", without(inputs), _NAMES)
        api = aws.appsync.create_api(**parameters, tags=inputs["tagsAll"])["api"]
        return Created(api["apiId"], _api_outputs(api))

    def update(self, aws: Aws, existing: Existing, inputs: Properties, changed: frozenset[str]) -> Properties:
        _check_modes(inputs["eventConfig"])
        parameters = request("appsync", "UpdateApi", {"apiId": existing.id, **without(inputs)}, _NAMES)
        api = aws.appsync.update_api(**parameters)["api"]
        return _api_outputs(api)

    def delete(self, aws: Aws, existing: Existing) -> None:
        aws.appsync.delete_api(apiId=existing.id)

    def listing(self, aws: Aws) -> set[str]:
        pages = aws.appsync.get_paginator("list_apis").paginate()
        return {api["apiId"] for page in pages for api in page["apis"]}


class ChannelNamespace(ResourceType):
    token = "aws:appsync/channelNamespace:ChannelNamespace"
    mapped = frozenset({"apiId", "codeHandlers", "name", "publishAuthModes", "subscribeAuthModes", "tags"})
    replace_on = frozenset({"apiId", "name"})
    naming = Naming(max_length=50, is_id=False)

    def create(self, aws: Aws, inputs: Properties) -> Created:
        _check_modes(inputs)
        parameters = request("appsync", "CreateChannelNamespace", without(inputs))
        namespace = aws.appsync.create_channel_namespace(**parameters, tags=inputs["tagsAll"])["channelNamespace"]
        return Created(f"{namespace['apiId']},{namespace['name']}", _namespace_outputs(namespace))

    def update(self, aws: Aws, existing: Existing, inputs: Properties, changed: frozenset[str]) -> Properties:
        _check_modes(inputs)
        parameters = request("appsync", "UpdateChannelNamespace", without(inputs))
        namespace = aws.appsync.update_channel_namespace(**parameters)["channelNamespace"]
        return _namespace_outputs(namespace)

    def delete(self, aws: Aws, existing: Existing) -> None:
        aws.appsync.delete_channel_namespace(apiId=existing.inputs["apiId"], name=existing.inputs["name"])

    def listing(self, aws: Aws) -> set[str]:
        return {
            f"{api_id},{namespace['name']}"
            for api_id in Api().listing(aws)
            for page in aws.appsync.get_paginator("list_channel_namespaces").paginate(apiId=api_id)
            for namespace in page["channelNamespaces"]
        }


def _check_modes(properties: Properties) -> None:
    for name, path in _MODES.items():
        modes: list[Properties] = properties.get(name) or []
        for mode in modes:
            if mode["authType"] not in set(AuthMode):
                raise DeployError(f"property {path}: {mode['authType']} does not exist locally")


def _api_outputs(api: Properties) -> Properties:
    return {
        "apiArn": api["apiArn"],
        "apiId": api["apiId"],
        "dns": api["dns"],
        "name": api["name"],
        "wafWebAclArn": "",
        "xrayEnabled": False,
    }


def _namespace_outputs(namespace: Properties) -> Properties:
    return {"channelNamespaceArn": namespace["channelNamespaceArn"], "name": namespace["name"]}


TYPES = (Api(), ChannelNamespace())
