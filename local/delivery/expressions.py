"""When a schedule fires: the rate, cron and at expressions of EventBridge Scheduler.

Source: EventBridge Scheduler User Guide, "Schedule types". Cron has six fields: minutes, hours, day of month, month,
day of week (1 is Sunday), year; one of the two day fields is `?`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_RATE = re.compile(r"rate\(([1-9]\d*) (minute|hour|day)s?\)")
_AT = re.compile(r"at\((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\)")
_CRON = re.compile(r"cron\((.+)\)")
_UNIT_MS = {"minute": 60_000, "hour": 3_600_000, "day": 86_400_000}
_MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
_DAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
_LAST_YEAR = 2199
# A leap day that falls on one given weekday comes back after 40 years at most.
_LONGEST_SEARCH_DAYS = 366 * 41


class ExpressionError(ValueError):
    """An expression that is malformed, or holds a form that is not executed here (`L`, `W`, `#`)."""


class Expression(Protocol):
    """Tells the next firing."""

    def next_after(self, after_ms: int, created_ms: int) -> int | None:
        """Epoch milliseconds of the first firing later than `after_ms`, of a schedule made at `created_ms`; None if
        there is none.
        """
        ...


@dataclass(frozen=True, slots=True)
class Rate:
    """Every `interval_ms` from the creation on, the creation itself included."""

    interval_ms: int

    def next_after(self, after_ms: int, created_ms: int) -> int | None:
        """See `Expression`."""
        if after_ms < created_ms:
            return created_ms
        return created_ms + ((after_ms - created_ms) // self.interval_ms + 1) * self.interval_ms


@dataclass(frozen=True, slots=True)
class At:
    """Once."""

    at_ms: int

    def next_after(self, after_ms: int, created_ms: int) -> int | None:
        """See `Expression`."""
        return self.at_ms if self.at_ms > after_ms else None


@dataclass(frozen=True, slots=True)
class Cron:
    """At each minute that every field allows, in the zone's local time. A local time that a change of the clocks skips
    is left out; one that it repeats counts once.
    """

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    years: frozenset[int]
    zone: tzinfo

    def next_after(self, after_ms: int, created_ms: int) -> int | None:
        """See `Expression`."""
        day = datetime.fromtimestamp(after_ms / 1000, self.zone).date()
        for _ in range(_LONGEST_SEARCH_DAYS):
            if day.year > max(self.years):
                return None
            if self._allows(day):
                for hour in sorted(self.hours):
                    for minute in sorted(self.minutes):
                        moment = datetime(day.year, day.month, day.day, hour, minute, tzinfo=self.zone)
                        at_ms = round(moment.timestamp() * 1000)
                        if at_ms > after_ms and _exists(moment):
                            return at_ms
            day += timedelta(days=1)
        return None

    def _allows(self, day: date) -> bool:
        return (
            day.year in self.years
            and day.month in self.months
            and day.day in self.days
            and day.isoweekday() % 7 + 1 in self.weekdays
        )


def parse_expression(text: str, timezone: str = "UTC") -> Expression:
    """Read a schedule expression.

    Parameters
    ----------
    text
        Such as `rate(5 minutes)`, `cron(0 12 * * ? *)`, `at(2026-11-20T13:00:00)`.
    timezone
        IANA name of the zone of cron and at.

    Raises
    ------
    ExpressionError
        See there.
    """
    try:
        # UTC needs no time zone data, which small systems lack.
        zone = UTC if timezone == "UTC" else ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError):
        raise ExpressionError(f"{timezone!r} is not a time zone") from None
    if matched := _RATE.fullmatch(text):
        return Rate(int(matched[1]) * _UNIT_MS[matched[2]])
    if matched := _AT.fullmatch(text):
        try:
            return At(round(datetime.fromisoformat(matched[1]).replace(tzinfo=zone).timestamp() * 1000))
        except ValueError:
            raise ExpressionError(f"{text} is not a time") from None
    matched = _CRON.fullmatch(text)
    fields = matched[1].split() if matched else []
    if len(fields) != 6:
        raise ExpressionError(f"{text} is not rate(n unit), cron(six fields) or at(yyyy-mm-ddThh:mm:ss)")
    minutes, hours, days, months, weekdays, years = fields
    if (days == "?") == (weekdays == "?"):
        raise ExpressionError(f"{text}: one of day-of-month and day-of-week must be ?, and not both")
    return Cron(
        _field(text, minutes, 0, 59),
        _field(text, hours, 0, 23),
        _field(text, days, 1, 31),
        _field(text, months, 1, 12, _MONTHS),
        _field(text, weekdays, 1, 7, _DAYS),
        _field(text, years, 1970, _LAST_YEAR),
        zone,
    )


def _field(text: str, field: str, low: int, high: int, names: list[str] | None = None) -> frozenset[int]:
    values: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        if span in ("*", "?"):
            start, end = low, high
        else:
            start = _value(text, first, low, high, names)
            end = _value(text, last, low, high, names) if last else (high if step else start)
        stride = _value(text, step, 1, high, None) if step else 1
        if end < start:
            raise ExpressionError(f"{text}: {part} runs backwards")
        values.update(range(start, end + 1, stride))
    return frozenset(values)


def _value(text: str, written: str, low: int, high: int, names: list[str] | None) -> int:
    if names is not None and written.upper() in names:
        return names.index(written.upper()) + 1
    if not written.isdecimal():
        raise ExpressionError(f"{text}: {written!r} is not supported by local delivery")
    if not low <= int(written) <= high:
        raise ExpressionError(f"{text}: {written} is outside {low}..{high}")
    return int(written)


def _exists(moment: datetime) -> bool:
    """Whether a local time is one that clocks show."""
    return moment.astimezone(UTC).astimezone(moment.tzinfo).replace(tzinfo=None) == moment.replace(tzinfo=None)
