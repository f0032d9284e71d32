"""Accounts and double entry: what a player owns, what changes it, and the postings that say so.

An account is a wallet and a line for each material. Everything that changes it is a set of signed increments to single
lines, so changes commute, and changes in different materials meet in no item: money held for a material, and money
earned in it, lies on that material's line.

Bookkeeping is double entry. Each posting adds an amount of one asset to one of the player's books: ``available`` and
``held`` are what the lines say, ``clearing`` is the other side of a trade (zero over all players of one cause), and
``game`` is the world outside. The postings of one journal entry sum to zero for each asset.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MONEY: Final = "money"
"""Name of money among the assets; amounts of it are minor units. All other assets are materials, in units."""

HOUSE: Final = "~house"
"""Player id of the account that earns the fees."""


class Book(StrEnum):
    """Where a posting adds to."""

    AVAILABLE = "available"
    """What the player may use."""
    HELD = "held"
    """What open orders bind."""
    CLEARING = "clearing"
    """What the other sides of the trades gave or got."""
    GAME = "game"
    """What the world outside gave or got."""


@dataclass(frozen=True, slots=True)
class Posting:
    """An amount of one asset (`MONEY` in minor units, or a material in units), added to one book; negative: taken."""

    account: Book
    asset: str
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountChange:
    """Increments to one line of one account.

    Parameters
    ----------
    player
        Whose account.
    material
        Whose line of it; None for the wallet.
    available_minor
        Money in the wallet; zero on a material's line.
    available, held
        Units of the material, zero on the wallet, as all that follow.
    held_minor
        Money held by bids in the material.
    proceeds_minor
        Money earned or released in the material: available, but not moved to the wallet.
    opened_asks, opened_bids, closed_asks, closed_bids
        Ids of orders that join or leave the line's sets of open orders.
    contra
        The book that takes the other side of the change; None if other changes of the same cause and player do.
    """

    player: str
    material: str | None
    available_minor: int = 0
    available: int = 0
    held: int = 0
    held_minor: int = 0
    proceeds_minor: int = 0
    opened_asks: tuple[str, ...] = ()
    opened_bids: tuple[str, ...] = ()
    closed_asks: tuple[str, ...] = ()
    closed_bids: tuple[str, ...] = ()
    contra: Book | None = None

    @property
    def postings(self) -> tuple[Posting, ...]:
        """What the change does to the books, no posting of zero; with a contra book they sum to zero per asset."""
        own = [
            Posting(Book.AVAILABLE, MONEY, self.available_minor + self.proceeds_minor),
            Posting(Book.HELD, MONEY, self.held_minor),
        ]
        if self.material is not None:
            own += [
                Posting(Book.AVAILABLE, self.material, self.available),
                Posting(Book.HELD, self.material, self.held),
            ]
        if self.contra is not None:
            own += [Posting(self.contra, posting.asset, -posting.amount) for posting in own]
        return _summed(own)


Slice: TypeAlias = "tuple[AccountChange, ...]"
"""Changes that are written in one transaction, at most one for each player and line."""


@dataclass(frozen=True, slots=True)
class MaterialLine:
    """One material's line of an account, see `AccountChange` for the amounts; open orders by id, oldest first."""

    available: int = 0
    held: int = 0
    held_minor: int = 0
    proceeds_minor: int = 0
    open_asks: tuple[str, ...] = ()
    open_bids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Account:
    """A player's account.

    Parameters
    ----------
    player
        Whose.
    wallet_minor
        Money in the wallet, minor units.
    lines
        Material to its line; materials never touched are missing.
    """

    player: str
    wallet_minor: int = 0
    lines: Mapping[str, MaterialLine] = field(default_factory=dict[str, MaterialLine])

    @property
    def available_minor(self) -> int:
        """All money the player may use: the wallet, and the proceeds on all lines."""
        return self.wallet_minor + sum(line.proceeds_minor for line in self.lines.values())

    @property
    def held_minor(self) -> int:
        """All money that bids bind."""
        return sum(line.held_minor for line in self.lines.values())

    def available(self, asset: str) -> int:
        """Return what is available of an asset: minor units of `MONEY`, units of a material."""
        return self.available_minor if asset == MONEY else self.lines.get(asset, MaterialLine()).available


class InsufficientError(Exception):
    """An account has less available than is needed; nothing was changed.

    Attributes
    ----------
    asset
        `MONEY` or a material.
    needed, available
        Minor units or units.
    """

    def __init__(self, asset: str, needed: int, available: int) -> None:
        super().__init__(f"{needed} of {asset} needed, {available} available")
        self.asset = asset
        self.needed = needed
        self.available = available

    @property
    def missing(self) -> int:
        """How much more is needed than there is."""
        return self.needed - self.available


class TooManyOpenOrdersError(Exception):
    """A player has as many open orders of one side in one material as are allowed; nothing was changed.

    Attributes
    ----------
    material
        In which material.
    most
        The limit.
    """

    def __init__(self, material: str, most: int) -> None:
        super().__init__(f"at most {most} open orders of one side in {material}")
        self.material = material
        self.most = most


def postings_by_player(changes: Iterable[AccountChange]) -> dict[str, tuple[Posting, ...]]:
    """Return each player's postings of one cause: what the journal entries hold. Players without any are left out."""
    found: dict[str, list[Posting]] = {}
    for change in changes:
        found.setdefault(change.player, []).extend(change.postings)
    summed = {player: _summed(postings) for player, postings in found.items()}
    return {player: postings for player, postings in summed.items() if postings}


def merged(changes: Iterable[AccountChange]) -> Slice:
    """Return one change for each player and line, in order of first appearance: the sums of those given."""
    lines: dict[tuple[str, str | None], AccountChange] = {}
    for change in changes:
        line = change.player, change.material
        lines[line] = _sum(lines[line], change) if line in lines else change
    return tuple(lines.values())


def _summed(postings: Iterable[Posting]) -> tuple[Posting, ...]:
    amounts: Counter[tuple[Book, str]] = Counter()
    for posting in postings:
        amounts[posting.account, posting.asset] += posting.amount
    return tuple(Posting(book, asset, amount) for (book, asset), amount in amounts.items() if amount)


def _sum(first: AccountChange, second: AccountChange) -> AccountChange:
    if first.contra is not second.contra:
        raise ValueError(f"changes of {first.player} against {first.contra} and {second.contra} do not add up")
    return AccountChange(
        player=first.player,
        material=first.material,
        available_minor=first.available_minor + second.available_minor,
        available=first.available + second.available,
        held=first.held + second.held,
        held_minor=first.held_minor + second.held_minor,
        proceeds_minor=first.proceeds_minor + second.proceeds_minor,
        opened_asks=first.opened_asks + second.opened_asks,
        opened_bids=first.opened_bids + second.opened_bids,
        closed_asks=first.closed_asks + second.closed_asks,
        closed_bids=first.closed_bids + second.closed_bids,
        contra=first.contra,
    )
