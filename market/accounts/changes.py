"""How an account changes: by placing, by settling what the matcher committed, by deposits and withdrawals.

Settling a commit: for each fill the buyer gets the goods and pays price and fee out of what the bid held, the seller
gives held goods and earns the price less the fee, the house earns both fees. With an order's last fill in the commit,
what the commit released of its hold beyond that goes back: money as proceeds, goods as available.
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Final

from market.accounts.bookkeeping import HOUSE, MONEY, AccountChange, Book, InsufficientError, merged
from market.side import Side

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from market.accounts.bookkeeping import Account, Slice
    from market.tape import TapeCommit, TapeOrder, TradeFill

MOST_ACCOUNTS: Final = 48
"""Accounts in a slice: two items each, and room for a few more among a transaction's 100."""

_FEWEST_ACCOUNTS = 3  # buyer, seller, house

_MOST_SWEPT = 80
"""Lines that one change takes money from, besides its own: a transaction has 100 actions."""


class UnbalancedCommitError(ValueError):
    """A commit does not say of an order that traded what it released, or says less than the order paid or gave."""


def placing_ask(player: str, material: str, quantity: int, ask_id: str) -> Slice:
    """Return the change that holds an ask's goods.

    Parameters
    ----------
    player, material
        Who sells what.
    quantity
        Units to hold, 0 or more; for a replacement, those beyond what the replaced order holds.
    ask_id
        The ask, which joins the open ones.
    """
    return (AccountChange(player=player, material=material, available=-quantity, held=quantity, opened_asks=(ask_id,)),)


def placing_bid(account: Account, material: str, need_minor: int, bid_id: str) -> Slice:
    """Return the changes that hold a bid's money.

    Parameters
    ----------
    account
        The buyer's, as read. The changes are guarded where they are written: if it has moved on, none takes place.
    material
        What is bought.
    need_minor
        Minor units to hold, 0 or more; for a replacement, those beyond what the replaced order holds.
    bid_id
        The bid, which joins the open ones.

    Returns
    -------
    Slice
        The material's line first, then the wallet and the lines of which proceeds are taken: no more than the wallet
        lacks, from as few lines as possible.

    Raises
    ------
    InsufficientError
        Less is available.
    """
    taken = _take_money(account, need_minor, near=material)
    own = AccountChange(
        player=account.player,
        material=material,
        held_minor=need_minor,
        proceeds_minor=-taken.pop(material, 0),
        opened_bids=(bid_id,),
    )
    return (own, *_money_taken(account.player, taken, contra=None))


def deposit(player: str, asset: str, amount: int) -> Slice:
    """Return the change by which the world outside gives a player an amount of an asset, 1 or more."""
    if asset == MONEY:
        return (AccountChange(player=player, material=None, available_minor=amount, contra=Book.GAME),)
    return (AccountChange(player=player, material=asset, available=amount, contra=Book.GAME),)


def withdrawal(account: Account, asset: str, amount: int) -> Slice:
    """Return the changes by which a player gives the world outside an amount of an asset, 1 or more.

    Raises
    ------
    InsufficientError
        Less is available.
    """
    if asset == MONEY:
        return tuple(_money_taken(account.player, _take_money(account, amount, near=None), contra=Book.GAME))
    if account.available(asset) < amount:
        raise InsufficientError(asset, amount, account.available(asset))
    return (AccountChange(player=account.player, material=asset, available=-amount, contra=Book.GAME),)


def settlement_slices(commit: TapeCommit, most_accounts: int = MOST_ACCOUNTS) -> tuple[Slice, ...]:
    """Return what a commit does to accounts.

    Parameters
    ----------
    commit
        A commit of the tape.
    most_accounts
        Accounts in a slice, 3 or more.

    Returns
    -------
    tuple[Slice, ...]
        The same for the same commit, always. A slice holds whole fills: one change for each player, and the clearing
        postings of all of them sum to zero. Empty for a commit that touched no order.

    Raises
    ------
    UnbalancedCommitError
        The commit contradicts itself.
    """
    if most_accounts < _FEWEST_ACCOUNTS:
        raise ValueError(f"most_accounts must be at least {_FEWEST_ACCOUNTS}, got {most_accounts}")
    slices: list[list[AccountChange]] = []
    players: set[str] = set()
    for changes in _indivisible(commit):
        touched = {change.player for change in changes}
        if not slices or len(players | touched) > most_accounts:
            slices.append([])
            players = set()
        slices[-1] += changes
        players |= touched
    return tuple(map(merged, slices))


def _take_money(account: Account, need_minor: int, near: str | None) -> dict[str | None, int]:
    """Return what each line gives of an amount of money, None being the wallet; lines that give nothing are left out.

    The line of the material `near` is written anyway, so its proceeds come before all others'.
    """
    proceeds = {material: line.proceeds_minor for material, line in account.lines.items() if line.proceeds_minor}
    order = sorted(proceeds, key=lambda material: (material != near, -proceeds[material], material))[:_MOST_SWEPT]
    taken: dict[str | None, int] = {}
    missing = need_minor
    for line, available in ((None, account.wallet_minor), *((material, proceeds[material]) for material in order)):
        amount = min(missing, available)
        if amount:
            taken[line] = amount
            missing -= amount
    if missing:
        raise InsufficientError(MONEY, need_minor, need_minor - missing)
    return taken


def _money_taken(player: str, taken: Mapping[str | None, int], contra: Book | None) -> Iterable[AccountChange]:
    for material, amount in taken.items():
        if material is None:
            yield AccountChange(player=player, material=None, available_minor=-amount, contra=contra)
        else:
            yield AccountChange(player=player, material=material, proceeds_minor=-amount, contra=contra)


def _indivisible(commit: TapeCommit) -> Iterator[list[AccountChange]]:
    """Yield the changes of each fill, with the ends of the orders it is the last of; then those of all other orders."""
    orders = {order.order_id: order for order in commit.orders}
    legs = Counter(order_id for fill in commit.fills for order_id in (fill.bid_id, fill.ask_id))
    spent: Counter[str] = Counter()  # of each order's hold: minor units or units
    for fill in commit.fills:
        changes = list(_traded(commit.material, fill))
        spent[fill.bid_id] += _paid_minor(fill)
        spent[fill.ask_id] += fill.quantity
        for order_id in (fill.bid_id, fill.ask_id):
            legs[order_id] -= 1
            if not legs[order_id]:
                if order_id not in orders:
                    raise UnbalancedCommitError(f"{_name(commit)}: order {order_id} traded and released nothing")
                changes += _ended(commit, orders[order_id], spent[order_id])
        yield changes
    for order in commit.orders:
        if order.order_id not in spent:
            changes = list(_ended(commit, order, 0))
            if changes:
                yield changes


def _traded(material: str, fill: TradeFill) -> Iterator[AccountChange]:
    value_minor = fill.price_minor * fill.quantity
    fees_minor = fill.buyer_fee_minor + fill.seller_fee_minor
    settled = partial(AccountChange, material=material, contra=Book.CLEARING)
    yield settled(player=fill.buyer, held_minor=-_paid_minor(fill), available=fill.quantity)
    yield settled(player=fill.seller, held=-fill.quantity, proceeds_minor=value_minor - fill.seller_fee_minor)
    if fees_minor:
        yield settled(player=HOUSE, proceeds_minor=fees_minor)


def _ended(commit: TapeCommit, order: TapeOrder, spent: int) -> Iterator[AccountChange]:
    """Yield what an order gets back, and that it is not open any more."""
    back = order.released - spent
    if back < 0:
        rule = f"order {order.order_id} released {order.released} and spent {spent}"
        raise UnbalancedCommitError(f"{_name(commit)}: {rule}")
    closed = (order.order_id,) if order.closed else ()
    settled = partial(AccountChange, player=order.player, material=commit.material, contra=Book.CLEARING)
    if not back and not closed:
        return
    if order.side is Side.BUY:
        yield settled(held_minor=-back, proceeds_minor=back, closed_bids=closed)
    else:
        yield settled(held=-back, available=back, closed_asks=closed)


def _paid_minor(fill: TradeFill) -> int:
    return fill.price_minor * fill.quantity + fill.buyer_fee_minor


def _name(commit: TapeCommit) -> str:
    return f"commit {commit.material}-{commit.sequence}"
