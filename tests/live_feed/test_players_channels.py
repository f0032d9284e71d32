"""The handler of the players' channels, run for real: a player's own channel, and no other one."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from local.feed.handlers import HandlerFailed, HandlerRefused, SubscribeHandler
from market.feed.channels import own, player_channel
from tests.live_feed.world import PLAYERS_HANDLER

_COGNITO_ID = "0b8f2c1e-5d7a-4d3f-9c39-8f0a6e6f3f5e"
# Surrogates are no characters: no token and no table holds them.
_IDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)

handler = SubscribeHandler(PLAYERS_HANDLER)


def _is_allowed(player: object, *segments: str) -> bool:
    try:
        handler.check(("players", *segments), {"sub": player})
    except (HandlerRefused, HandlerFailed):
        return False
    return True


@given(_IDS, _IDS)
@example(_COGNITO_ID, _COGNITO_ID[:-1])
@example("a+b", "a b")
@example("%41", "A")
@example("-41", "A")
@example("ä", "ä")
@example("ann", "Ann")
@example("ann", "ann ")
@example("p", "pp")
@example("__proto__", "constructor")
@example("🜁", "🜂")
def test_a_player_hears_the_own_channel_and_no_other_players(player: str, other: str) -> None:
    assert _is_allowed(player, own(player))
    assert _is_allowed(other, own(player)) == (other == player)


@pytest.mark.parametrize(
    "segments",
    [
        (),
        ("*",),
        ("p*",),
        ("p",),
        ("ann",),
        ("xann",),
        ("pann", "*"),
        ("pann", "x"),
        ("pann-",),
        ("pann-2",),
        ("p-zz",),
    ],
)
def test_what_is_not_exactly_the_own_channel_is_refused(segments: tuple[str, ...]) -> None:
    assert not _is_allowed("ann", *segments)
    assert _is_allowed("ann", "pann")


@pytest.mark.parametrize("sub", [None, "", 7, ["ann"], {"toString": "ann"}])
def test_an_identity_without_a_name_has_no_channel(sub: object) -> None:
    assert not _is_allowed(sub, "p")
    assert not _is_allowed(sub, "pann")


def test_the_ids_that_cognito_gives_have_a_channel() -> None:
    channel = player_channel(_COGNITO_ID)
    assert channel is not None
    assert _is_allowed(_COGNITO_ID, channel.removeprefix("/players/"))
