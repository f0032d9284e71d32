"""What roles do in the emulator: it lets a role's credentials do what the role's policies grant, as AWS does, and notes
each kind of call once, with whether it was allowed.

A function runs with its role's credentials. Whoever holds the account's own key is an administrator: the deployer,
event delivery, the command line, the tests.
"""

from __future__ import annotations

import json
import logging
import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_log = logging.getLogger(__name__)
_FILE = "calls.jsonl"
_STATEMENT = re.compile(
    r'\s*(INSERT\s+INTO|UPDATE|DELETE\s+FROM|SELECT\b.*?\bFROM)\s+"?([\w.-]+)', re.IGNORECASE | re.DOTALL
)
_EVENT_API_HOST = re.compile(r"([a-z0-9]+)\.appsync-api\.")


@dataclass(frozen=True, slots=True)
class RoleCall:
    """A kind of call that was made with a role's credentials.

    Attributes
    ----------
    role
        Name of the role.
    session
        Name of the session, which is the function's name.
    action
        IAM action, such as `dynamodb:PutItem`; a transaction is one call for each of its items.
    resource
        ARN, or `*` for an action that knows no resources.
    allowed
        Whether the role's policies grant it.
    """

    role: str
    session: str
    action: str
    resource: str
    allowed: bool

    def __str__(self) -> str:
        """One sentence for a person."""
        verb = "may" if self.allowed else "was refused"
        return f"{self.session} {verb} {self.action} on {self.resource} by its role {self.role}"


def read_calls(folder: Path) -> tuple[RoleCall, ...]:
    """The calls noted by an emulator, in order of their first occurrence; none if it noted none.

    Parameters
    ----------
    folder
        The emulator's folder.
    """
    try:
        lines = (folder / _FILE).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return ()
    return tuple(RoleCall(**json.loads(line)) for line in lines)


def note_calls(folder: Path) -> None:
    """Note in a file of a folder what roles do in the emulator of this process. Called before it serves.

    Parameters
    ----------
    folder
        The emulator's folder.
    """
    from ministack.core import iam_evaluator  # noqa: PLC0415 - reads its settings from the environment at import

    path = folder / _FILE
    path.unlink(missing_ok=True)
    decide: Callable[..., Any] = iam_evaluator.enforce
    caller_of = cast("Callable[[str], dict[str, str] | None]", getattr(iam_evaluator, "resolve_caller_identity"))  # noqa: B009
    seen: set[tuple[str, str, str, bool]] = set()

    def noting(access_key_id: str, iam_action: str, service: str, region: str, **request: Any) -> Any:
        outcome = decide(access_key_id, iam_action, service, region, **request)
        resource = str(request.get("resource_arn", "*"))
        kind = (access_key_id, iam_action, resource, outcome is None)
        if kind in seen or iam_evaluator.is_root_access_key(access_key_id):
            return outcome
        seen.add(kind)
        principal = caller_of(access_key_id) or {"userArn": ""}
        if ":assumed-role/" in principal["userArn"]:
            role, session = principal["userArn"].split(":assumed-role/")[1].split("/")
            call = RoleCall(role, session, iam_action, resource, allowed=outcome is None)
            if not call.allowed:
                _log.warning("%s", call)
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(call)) + "\n")
        return outcome

    iam_evaluator.enforce = noting


def check_publishing() -> None:
    """Let the emulator of this process check `appsync:EventPublish` where it checks only signatures: `POST /event` of
    an Event API. Called before it serves.
    """
    from ministack.core import iam_actions  # noqa: PLC0415 - reads its settings from the environment at import

    action_of = cast("Callable[..., str | None]", getattr(iam_actions, "extract_iam_action"))  # noqa: B009
    resource_of = cast("Callable[..., str]", getattr(iam_actions, "extract_resource_arn"))  # noqa: B009

    def named(service: str, method: str, path: str, *request: Any) -> str | None:
        if (service, method, path) == ("appsync-events", "POST", "/event"):
            return "appsync:EventPublish"
        return action_of(service, method, path, *request)

    def located(service: str, method: str, path: str, headers: dict[str, str], body: bytes, *request: Any) -> str:
        host = _EVENT_API_HOST.match(headers.get("host", ""))
        if (service, method, path) != ("appsync-events", "POST", "/event") or host is None:
            return resource_of(service, method, path, headers, body, *request)
        try:
            channel = json.loads(body)["channel"]
        except (ValueError, TypeError, KeyError):
            channel = ""
        _, region, account_id = request
        namespace = str(channel).strip("/").partition("/")[0]
        return f"arn:aws:appsync:{region}:{account_id}:apis/{host[1]}/channelNamespace/{namespace}"

    iam_actions.extract_iam_action = named
    iam_actions.extract_resource_arn = located


def check_statements() -> None:
    """Let the emulator of this process check each statement of a `BatchExecuteStatement` as the PartiQL action that it
    is, on its table, as AWS does. Called before it serves.
    """
    from ministack.core import iam_actions  # noqa: PLC0415 - reads its settings from the environment at import

    checks_of = cast("Callable[..., list[tuple[str, str]]]", getattr(iam_actions, "dynamodb_transaction_checks"))  # noqa: B009

    def checks(iam_action: str, body: bytes, region: str, account_id: str) -> list[tuple[str, str]]:
        if iam_action != "dynamodb:BatchExecuteStatement":
            return checks_of(iam_action, body, region, account_id)
        try:
            texts = {statement["Statement"] for statement in json.loads(body)["Statements"]}
        except (ValueError, TypeError, KeyError):
            return []
        statements = [found for text in texts if (found := _STATEMENT.match(text))]
        return sorted(
            {
                (
                    f"dynamodb:PartiQL{found[1].split()[0].capitalize()}",
                    f"arn:aws:dynamodb:{region}:{account_id}:table/{found[2]}",
                )
                for found in statements
            }
        )

    iam_actions.dynamodb_transaction_checks = checks
