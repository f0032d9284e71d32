"""Accounts and journal entries as the API writes them: money in decimal text, materials in whole units."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.api.timestamps import iso_utc
from market.accounts.bookkeeping import MONEY
from market.money import format_price

if TYPE_CHECKING:
    from functions.accounts.journal import JournalEntry
    from market.accounts.bookkeeping import Account


def amount_json(asset: str, amount: int, currency_digits: int) -> str | int:
    """Write an amount of an asset, which may be negative."""
    if asset != MONEY:
        return amount
    return f"{'-' if amount < 0 else ''}{format_price(abs(amount), currency_digits)}"


def account_json(account: Account, currency_digits: int) -> dict[str, object]:
    """Write an account; materials by name, only those it ever had to do with."""
    return {
        "money": {
            "available": format_price(account.available_minor, currency_digits),
            "held": format_price(account.held_minor, currency_digits),
        },
        "materials": [
            {
                "material": material,
                "available": line.available,
                "held": line.held,
                "open_asks": len(line.open_asks),
                "open_bids": len(line.open_bids),
            }
            for material, line in sorted(account.lines.items())
        ],
    }


def entry_json(entry: JournalEntry, currency_digits: int) -> dict[str, object]:
    """Write a journal entry."""
    return {
        "cause": entry.cause,
        "at": iso_utc(entry.at_ms),
        "postings": [
            {
                "account": str(posting.account),
                "asset": posting.asset,
                "amount": amount_json(posting.asset, posting.amount, currency_digits),
            }
            for posting in entry.postings
        ],
    }
