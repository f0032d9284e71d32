"""Typed reads of a stack's configuration, with errors that name the key."""

import json
import os
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, cast

from pulumi.runtime import config as runtime_config

# The engine may write a large integer the way Go prints a float: 1e+06.
_INTEGER = re.compile(r"-?[0-9]{1,18}|[1-9](\.[0-9]+)?e\+[01][0-9]")


class SettingsError(ValueError):
    """A configuration key has no value, or one that breaks a rule.

    Parameters
    ----------
    key
        Configuration key as written in the stack file, without its namespace.
    value
        The value found; ``None`` when there is none.
    rule
        What the value must satisfy.
    """

    def __init__(self, key: str, value: object, rule: str) -> None:
        super().__init__(f"configuration '{key}' = {value!r}: {rule}")
        self.key = key
        self.value = value
        self.rule = rule


def project_configuration(project: str) -> Mapping[str, str]:
    """Read all configuration of one project, without the namespace; `pulumi.Config` can read a key but not list them.

    The engine passes configuration as JSON in PULUMI_CONFIG; in-process runs call `pulumi.runtime.set_all_config`.
    """
    from_engine: dict[str, str] = json.loads(os.environ.get("PULUMI_CONFIG", "{}"))
    in_process = cast("dict[str, str]", runtime_config.CONFIG.get())
    prefix = f"{project}:"
    return {
        key.removeprefix(prefix): value for key, value in (from_engine | in_process).items() if key.startswith(prefix)
    }


class ConfigurationReader:
    """Reads configuration text, each method one type, and remembers which keys exist.

    Parameters
    ----------
    configuration
        Key without namespace → text as Pulumi passes it: strings as they are, everything else as JSON.

    Raises
    ------
    SettingsError
        From every method: the key is missing or its text is not of the type.
    """

    def __init__(self, configuration: Mapping[str, str]) -> None:
        self._configuration = configuration
        self._known: set[str] = set()

    def text(self, key: str) -> str:
        """Read a key that must be there."""
        self._known.add(key)
        value = self._configuration.get(key)
        if value is None:
            raise SettingsError(key, None, "is missing")
        return value

    def optional_text(self, key: str) -> str | None:
        """Read a key that may be absent or, because a typed key of the schema needs a default, empty."""
        self._known.add(key)
        return self._configuration.get(key) or None

    def integer(self, key: str) -> int:
        """Read a whole number."""
        text = self.text(key)
        if not _INTEGER.fullmatch(text) or Decimal(text) % 1 != 0:
            raise SettingsError(key, text, "must be an integer")
        return int(Decimal(text))

    def boolean(self, key: str) -> bool:
        """Read ``true`` or ``false``."""
        text = self.text(key)
        if text not in ("true", "false"):
            raise SettingsError(key, text, "must be true or false")
        return text == "true"

    def strings(self, key: str) -> tuple[str, ...]:
        """Read a JSON list of strings."""
        text = self.text(key)
        try:
            parsed: Any = json.loads(text)
        except ValueError:
            parsed = None
        if not isinstance(parsed, list):
            raise SettingsError(key, text, "must be a list of strings")
        items = cast("list[object]", parsed)
        for item in items:
            if not isinstance(item, str):
                raise SettingsError(key, item, "must be a list of strings")
        return tuple(cast("list[str]", items))

    def refuse_unknown_keys(self) -> None:
        """Fail on the first key nobody has read: a misspelt key must not pass for a default."""
        for key in sorted(self._configuration):
            if key not in self._known:
                raise SettingsError(
                    key, self._configuration[key], f"unknown key; known: {', '.join(sorted(self._known))}"
                )
