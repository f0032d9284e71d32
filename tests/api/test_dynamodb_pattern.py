"""Items keep their exact values; page tokens keep their place and their owner."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from patterns.dynamodb.client import dynamodb_client
from patterns.dynamodb.items import ItemCodecError, decode_item, encode_item
from patterns.dynamodb.page_token import InvalidPageTokenError, decode_page_token, encode_page_token

if TYPE_CHECKING:
    from tests.api.front_door import FrontDoor

_numbers = st.integers(-(10**38) + 1, 10**38 - 1)
_values = st.recursive(
    st.none() | st.booleans() | _numbers | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
_scopes = st.lists(st.text(max_size=5), max_size=3)


def same(left: object, right: object) -> bool:
    """Tell whether two values are equal, types included: `True` is not `1`."""
    return repr(left) == repr(right)


@given(st.dictionaries(st.text(), _values, max_size=5))
def test_a_decoded_item_is_the_one_that_was_encoded(item: dict[str, Any]) -> None:
    assert same(decode_item(encode_item(item)), item)


def test_an_item_comes_back_from_a_table_as_it_went_in(market: FrontDoor) -> None:
    item = {"material": "copper", "price_key": "1", "n": 10**37 + 1, "b": b"\x00\xff", "l": [1, True, None, {"a": ""}]}
    market.put("asks", item)  # pyright: ignore[reportArgumentType]  # dict is invariant, the values are fine
    assert same(sorted(market.stored()["asks"][0].items()), sorted(item.items()))


@given(st.frozensets(st.text(), min_size=1) | st.frozensets(st.binary(), min_size=1))
def test_a_decoded_set_is_the_one_that_was_encoded(members: frozenset[str] | frozenset[bytes]) -> None:
    assert decode_item(encode_item({"tags": members})) == {"tags": members}


@pytest.mark.parametrize(
    "value",
    [
        *(1.5, Decimal(1), 10**38, -(10**38), (1,), {1}, {"S"}, bytearray(b"x"), object(), 1j),
        *(frozenset[str](), frozenset({1}), frozenset({"a", b"b"})),
    ],
)
def test_a_value_that_would_not_come_back_is_refused_with_its_path(value: Any) -> None:
    with pytest.raises(ItemCodecError, match=r"order\.prices\[1\]"):
        encode_item({"order": {"prices": [1, value]}})


@pytest.mark.parametrize("attribute", [{"N": "1.5"}, {"N": "1E+2"}, {"NS": ["1"]}, {}, {"S": "", "N": "1"}])
def test_an_attribute_that_is_not_exact_is_refused(attribute: dict[str, Any]) -> None:
    with pytest.raises(ItemCodecError, match="price"):
        decode_item({"price": attribute})


@given(st.text(max_size=60), _scopes, _scopes)
def test_a_page_token_is_read_in_its_own_scope_only(position: str, scope: list[str], other: list[str]) -> None:
    assume(scope != other)
    token = encode_page_token(position, scope)
    assert decode_page_token(token, scope) == position
    with pytest.raises(InvalidPageTokenError):
        decode_page_token(token, other)


@given(st.text())
def test_any_other_text_is_no_page_token(text: str) -> None:
    with pytest.raises(InvalidPageTokenError):
        decode_page_token(text, ["asks", "alice"])


def test_the_client_is_made_once() -> None:
    assert dynamodb_client() is dynamodb_client()
