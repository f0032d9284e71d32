"""A namespace's own handler code, run as AppSync's JavaScript runtime runs it.

Of the runtime's utilities there are those of
https://docs.aws.amazon.com/appsync/latest/eventapi/built-in-util.html that an `onSubscribe` handler without a data
source can use; another one is an error, as a misspelt one is on AWS.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, cast

import quickjs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.feed.channels import Path

# The engine has no types.
_ENGINE = cast("Any", quickjs)
_IMPORT = re.compile(r"""^\s*import\s*\{\s*util\s*\}\s*from\s*['"]@aws-appsync/utils['"];?\s*$""", re.MULTILINE)
_EXPORT = re.compile(r"^export\s+(?=function\b|const\b)", re.MULTILINE)
_UNAUTHORIZED = "You are not authorized to make this call."
_TIME_LIMIT_S = 1
_MEMORY_LIMIT_BYTES = 16 << 20

# The runtime decodes as a form is decoded: + is a space. It has no way back from an error: a handler cannot catch.
_RUNTIME = (
    f"const UNAUTHORIZED = {json.dumps(_UNAUTHORIZED)}"
    + """
const util = Object.freeze({
  unauthorized() { throw new Error(UNAUTHORIZED) },
  error(message) { throw new Error(message) },
  urlEncode(text) { return encodeURIComponent(text).replace(/%20/g, '+') },
  urlDecode(text) { return decodeURIComponent(text.replace(/\\+/g, ' ')) },
})
"""
)


class HandlerRefused(Exception):  # noqa: N818 - a statement of what is the case
    """The handler says that the subscriber may not."""


class HandlerFailed(Exception):  # noqa: N818 - a statement of what is the case
    """The handler came to no answer; its text is the script engine's."""


class SubscribeHandler:
    """The `onSubscribe` function of a namespace. For one thread.

    Parameters
    ----------
    code
        The namespace's handlers: one module that imports nothing but `util`.
    """

    def __init__(self, code: str) -> None:
        self._context = _ENGINE.Context()
        self._context.set_memory_limit(_MEMORY_LIMIT_BYTES)
        self._context.set_time_limit(_TIME_LIMIT_S)
        self._broken: str | None = None
        try:
            self._context.eval(_RUNTIME + _EXPORT.sub("", _IMPORT.sub("", code)))
        except _ENGINE.JSException as error:
            self._broken = str(error)

    def check(self, path: Path, identity: Mapping[str, Any]) -> None:
        """Run the handler.

        Parameters
        ----------
        path
            The subscription's channel.
        identity
            Who subscribes: `sub`, `issuer`, `claims`, and with Cognito `username` and `groups`.

        Raises
        ------
        HandlerRefused
            It says no.
        HandlerFailed
            It fails, or does not come to an end.
        """
        if self._broken is not None:
            raise HandlerFailed(self._broken)
        context = {
            "identity": dict(identity),
            "info": {
                "channel": {"path": "/" + "/".join(path), "segments": list(path)},
                "channelNamespace": {"name": path[0]},
                "operation": "SUBSCRIBE",
            },
        }
        try:
            # JSON is not quite JavaScript's own notation for an object: the engine parses it.
            self._context.eval(f"typeof onSubscribe === 'undefined' || onSubscribe(JSON.parse({_literal(context)}))")
        except _ENGINE.JSException as error:
            reason = str(error).partition("\n")[0].removeprefix("Error: ")
            raise HandlerRefused(reason) if reason == _UNAUTHORIZED else HandlerFailed(reason) from None


def _literal(value: object) -> str:
    """JSON text as a JavaScript string literal."""
    return json.dumps(json.dumps(value))
