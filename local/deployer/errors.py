"""What can go wrong in a deployment, each as one line a person can act on."""

from __future__ import annotations


class DeployError(Exception):
    """A deployment cannot go on. The text is one line that names the resource and the rule."""


class UnknownResourceTypeError(DeployError):
    """The program registers a resource type the deployer has no description of."""

    def __init__(self, resource_type: str, name: str) -> None:
        super().__init__(
            f"resource '{name}': the local deployer does not know the type {resource_type}; "
            "describe it in local/deployer/resources/"
        )


class UnknownPropertyError(DeployError):
    """The program sets an input property that the description of its type does not map."""

    def __init__(self, resource_type: str, name: str, unknown: list[str]) -> None:
        super().__init__(
            f"resource '{name}': the local deployer does not map the property {', '.join(unknown)} of {resource_type}; "
            "map it, or ignore it with a reason, in local/deployer/resources/"
        )


class ProtectedResourceError(DeployError):
    """The deployment would delete or replace a resource that carries `protect`."""

    def __init__(self, resource_type: str, name: str, action: str) -> None:
        super().__init__(
            f"resource '{name}' ({resource_type}) is protected and would be {action}; remove `protect` first"
        )
