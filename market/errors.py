"""What is wrong with a request: one error type, one closed list of rules."""

from __future__ import annotations

from enum import StrEnum


class Rule(StrEnum):
    """The rules a request can break. The names are part of the HTTP API: clients branch on them."""

    REQUIRED = "required"
    """The field is missing."""
    KNOWN_FIELD = "known_field"
    """The request has a field that does not exist."""
    TYPE = "type"
    """The value has the wrong JSON type."""
    WHOLE_NUMBER = "whole_number"
    """A quantity is written in digits only: no fraction, exponent or sign."""
    DECIMAL_NUMBER = "decimal_number"
    """A price is written as a JSON number, quoted or not."""
    DIGITS = "digits"
    """The number is written with more digits than any valid number needs."""
    POSITIVE = "positive"
    """The number is zero or negative."""
    MAXIMUM = "maximum"
    """The number is larger than the largest allowed."""
    CURRENCY_DIGITS = "currency_digits"
    """The price has a fraction of the smallest currency unit."""
    TICK_SIZE = "tick_size"
    """The price is not a multiple of the tick size."""
    KNOWN_MATERIAL = "known_material"
    """The material is not traded in this environment."""
    PATTERN = "pattern"
    """The text has other characters, or more of them, than the field allows."""
    JSON = "json"
    """The body is not one JSON document in UTF-8."""
    JSON_OBJECT = "json_object"
    """The body's root is not an object, or is nested deeper than any valid body."""
    UNIQUE_KEYS = "unique_keys"
    """An object of the body has the same key twice."""
    MAXIMUM_BYTES = "maximum_bytes"
    """The body is too large."""
    PAGE_SIZE = "page_size"
    """A page size or depth is not a whole number in its range."""
    PAGE_TOKEN = "page_token"
    """The page token was altered, or comes from another listing."""
    TIME = "time"
    """A time is not written as ISO 8601 in UTC, or lies before 1970."""
    SPAN = "span"
    """A span of time ends before it starts, or is asked for together with a single time."""
    FIRST_VERSION = "first_version"
    """The time lies before the order's first recorded version."""
    OWN_ORDER = "own_order"
    """The id belongs to no order of this player and side."""
    KNOWN_ROUTE = "known_route"
    """The path belongs to no route."""
    CHOICE = "choice"
    """The value is none of those the field can have."""
    COMBINATION = "combination"
    """The field does not go with another field of the order."""
    MINIMUM_VALUE = "minimum_value"
    """Price times quantity is below the smallest value of an order."""
    FUTURE = "future"
    """The time is over, or further ahead than an order may last."""
    AVAILABLE = "available"
    """The account has less available than is needed."""
    OPEN_ORDERS = "open_orders"
    """The player has as many open orders of the side in the material as are allowed."""
    OPEN_ORDER = "open_order"
    """The order is closed, or about to be canceled."""
    LIMIT_ORDER = "limit_order"
    """The order has no limit price, so it cannot be replaced."""
    ABOVE_FILLED = "above_filled"
    """The quantity is not more than what is already filled."""
    UNREPEATED_ID = "unrepeated_id"
    """The client order id was used before, with another order."""
    UNREPEATED_REFERENCE = "unrepeated_reference"
    """The reference was used before, with another deposit or withdrawal."""


class InvalidFieldError(ValueError):
    """A field of a request breaks a rule.

    Parameters
    ----------
    field
        Name of the field; ``body`` for the request body as a whole.
    value
        What was found, as text for the error message; None when there is nothing to show.
    rule
        The rule that is broken.
    requirement
        How a valid value looks, completing the sentence "<field> must be …", with this environment's limits.
    """

    def __init__(self, field: str, value: str | None, rule: Rule, requirement: str) -> None:
        super().__init__(f"{field} must be {requirement}")
        self.requirement = requirement
        self.field = field
        self.value = value
        self.rule = rule
