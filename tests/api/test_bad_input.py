"""Whatever is wrong with a request, the answer says which field and why, and nothing is stored."""

from __future__ import annotations

import json

import pytest

from functions.api.json_body import MAX_BODY_BYTES
from tests.api.front_door import FrontDoor, opened

GOOD: dict[str, object] = {"material": "copper", "quantity": 3, "price": "12.50"}
MARKET: dict[str, object] = {"material": "copper", "quantity": 3, "type": "market"}
GTD = GOOD | {"time_in_force": "GTD"}
LATER = "2026-12-01T00:00:00Z"


def literal(**fields: str) -> str:
    """Return a good order's body with some fields replaced by JSON text as given."""
    texts = {name: json.dumps(value) for name, value in GOOD.items()} | fields
    return "{" + ", ".join(f'"{name}": {text}' for name, text in texts.items()) + "}"


def without(field: str) -> str:
    """Return a good order's body without a field."""
    return json.dumps({name: value for name, value in GOOD.items() if name != field})


FIELD_CASES: list[tuple[str, object, str, str]] = [
    ("missing material", without("material"), "material", "required"),
    ("missing quantity", without("quantity"), "quantity", "required"),
    ("missing price", without("price"), "price", "required"),
    ("unknown field", literal(seller='"bob"'), "seller", "known_field"),
    ("misspelt field", literal(Price="1"), "Price", "known_field"),
    ("material null", literal(material="null"), "material", "type"),
    ("material number", literal(material="7"), "material", "type"),
    ("material list", literal(material='["copper"]'), "material", "type"),
    ("material not traded", literal(material='"gold"'), "material", "known_material"),
    ("material empty", literal(material='""'), "material", "known_material"),
    ("material in capitals", literal(material='"COPPER"'), "material", "known_material"),
    ("material with Cyrillic о", literal(material='"cоpper"'), "material", "known_material"),
    ("material full-width", literal(material='"ｃopper"'), "material", "known_material"),
    ("material with zero-width joiner", literal(material='"copper\\u200d"'), "material", "known_material"),
    ("material with newline", literal(material='"copper\\n"'), "material", "known_material"),
    ("material lone surrogate", literal(material='"\\ud800"'), "material", "known_material"),
    ("quantity zero", literal(quantity="0"), "quantity", "positive"),
    ("quantity negative", literal(quantity="-3"), "quantity", "positive"),
    ("quantity negative zero", literal(quantity="-0"), "quantity", "positive"),
    ("quantity fraction", literal(quantity="2.5"), "quantity", "whole_number"),
    ("quantity with point", literal(quantity="3.0"), "quantity", "whole_number"),
    ("quantity with exponent", literal(quantity="1e2"), "quantity", "whole_number"),
    ("quantity NaN", literal(quantity="NaN"), "quantity", "whole_number"),
    ("quantity infinite", literal(quantity="Infinity"), "quantity", "whole_number"),
    ("quantity one too many", literal(quantity="1000001"), "quantity", "maximum"),
    ("quantity of 5000 digits", literal(quantity="9" * 5000), "quantity", "maximum"),
    ("quantity text", literal(quantity='"3"'), "quantity", "type"),
    ("quantity true", literal(quantity="true"), "quantity", "type"),
    ("quantity null", literal(quantity="null"), "quantity", "type"),
    ("quantity object", literal(quantity="{}"), "quantity", "type"),
    ("price off the tick", literal(price="12.51"), "price", "tick_size"),
    ("price off the tick as text", literal(price='"0.01"'), "price", "tick_size"),
    ("price with too many digits", literal(price="12.505"), "price", "currency_digits"),
    ("price tiny", literal(price="1e-400"), "price", "currency_digits"),
    ("price zero", literal(price="0.00"), "price", "positive"),
    ("price negative", literal(price="-12.5"), "price", "positive"),
    ("price beyond a float", literal(price="1e400"), "price", "maximum"),
    ("price exponent bomb", literal(price="1e999999999"), "price", "maximum"),
    ("price one digit too many", literal(price="10000000000"), "price", "maximum"),
    ("price of 5000 digits", literal(price="1" * 5000), "price", "digits"),
    ("price of 5000 decimals", literal(price="1." + "0" * 5000), "price", "digits"),
    ("price NaN", literal(price="NaN"), "price", "decimal_number"),
    ("price infinite", literal(price="-Infinity"), "price", "decimal_number"),
    ("price text NaN", literal(price='"NaN"'), "price", "decimal_number"),
    ("price empty", literal(price='""'), "price", "decimal_number"),
    ("price with space", literal(price='" 12.50"'), "price", "decimal_number"),
    ("price with newline", literal(price='"12.50\\n"'), "price", "decimal_number"),
    ("price with plus", literal(price='"+12.50"'), "price", "decimal_number"),
    ("price with underscore", literal(price='"1_000"'), "price", "decimal_number"),
    ("price with comma", literal(price='"12,50"'), "price", "decimal_number"),
    ("price with leading zero", literal(price='"012.50"'), "price", "decimal_number"),
    ("price hexadecimal", literal(price='"0x10"'), "price", "decimal_number"),
    ("price in Arabic-Indic digits", literal(price='"١٢"'), "price", "decimal_number"),
    ("price in full-width digits", literal(price='"１２"'), "price", "decimal_number"),
    ("price true", literal(price="true"), "price", "type"),
    ("price null", literal(price="null"), "price", "type"),
    ("price list", literal(price="[12.5]"), "price", "type"),
    ("client id null", literal(client_order_id="null"), "client_order_id", "type"),
    ("client id number", literal(client_order_id="7"), "client_order_id", "type"),
    ("client id empty", literal(client_order_id='""'), "client_order_id", "pattern"),
    ("client id too long", literal(client_order_id=f'"{"a" * 37}"'), "client_order_id", "pattern"),
    ("client id with tilde", literal(client_order_id='"~a"'), "client_order_id", "pattern"),
    ("client id with newline", literal(client_order_id='"a\\n"'), "client_order_id", "pattern"),
    ("client id with ä", literal(client_order_id='"ä"'), "client_order_id", "pattern"),
    ("type unknown", literal(type='"stop"'), "type", "choice"),
    ("type in capitals", literal(type='"LIMIT"'), "type", "choice"),
    ("type null", literal(type="null"), "type", "type"),
    (
        "limit order without price",
        json.dumps({"material": "copper", "quantity": 3, "type": "limit"}),
        "price",
        "required",
    ),
    ("market order with price", literal(type='"market"'), "price", "combination"),
    ("market order that rests", MARKET | {"time_in_force": "GTC"}, "time_in_force", "combination"),
    ("market order, all or nothing", MARKET | {"time_in_force": "FOK"}, "time_in_force", "combination"),
    ("market order, post-only", MARKET | {"post_only": True}, "post_only", "combination"),
    ("market order with an end", MARKET | {"expires_at": LATER}, "expires_at", "combination"),
    ("market order without quantity", {"material": "copper", "type": "market"}, "quantity", "required"),
    ("time in force unknown", literal(time_in_force='"DAY"'), "time_in_force", "choice"),
    ("time in force in small letters", literal(time_in_force='"gtc"'), "time_in_force", "choice"),
    ("time in force number", literal(time_in_force="1"), "time_in_force", "type"),
    ("an end of a GTC order", GOOD | {"expires_at": LATER}, "expires_at", "combination"),
    ("an end of an IOC order", GOOD | {"expires_at": LATER, "time_in_force": "IOC"}, "expires_at", "combination"),
    ("GTD without an end", GOOD | {"time_in_force": "GTD"}, "expires_at", "required"),
    ("an end as number", literal(time_in_force='"GTD"', expires_at="1795334400000"), "expires_at", "type"),
    ("an end null", literal(time_in_force='"GTD"', expires_at="null"), "expires_at", "type"),
    ("an end in words", GTD | {"expires_at": "tomorrow"}, "expires_at", "time"),
    ("an end in local time", GTD | {"expires_at": "2026-12-01T00:00:00"}, "expires_at", "time"),
    ("an end with offset", GTD | {"expires_at": "2026-12-01T00:00:00+01:00"}, "expires_at", "time"),
    ("an end on no day", GTD | {"expires_at": "2026-11-31T00:00:00Z"}, "expires_at", "time"),
    ("an end in Arabic-Indic digits", GTD | {"expires_at": "٢٠٢٦-12-01T00:00:00Z"}, "expires_at", "time"),
    ("an end in the past", GTD | {"expires_at": "2026-11-21T07:59:59.999Z"}, "expires_at", "future"),
    ("an end at this moment", GTD | {"expires_at": "2026-11-21T08:00:00Z"}, "expires_at", "future"),
    ("an end too far ahead", GTD | {"expires_at": "2027-02-19T09:00:00Z"}, "expires_at", "future"),
    ("post-only as text", literal(post_only='"true"'), "post_only", "type"),
    ("post-only as number", literal(post_only="1"), "post_only", "type"),
    ("post-only null", literal(post_only="null"), "post_only", "type"),
    ("post-only, immediate", GOOD | {"post_only": True, "time_in_force": "IOC"}, "post_only", "combination"),
    ("post-only, all or nothing", GOOD | {"post_only": True, "time_in_force": "FOK"}, "post_only", "combination"),
    ("worth too little", GOOD | {"quantity": 1, "price": "0.95"}, "quantity", "minimum_value"),
    ("same key twice", literal()[:-1] + ', "quantity": 1}', "quantity", "unique_keys"),
    ("same key twice, inside", literal(price='{"a": 1, "a": 2}'), "a", "unique_keys"),
]

BODY_CASES = [
    ("no body", None, "json"),
    ("empty body", "", "json"),
    ("not JSON", "material=copper", "json"),
    ("cut off", literal()[:-1], "json"),
    ("two documents", literal() + literal(), "json"),
    ("trailing comma", literal()[:-1] + ",}", "json"),
    ("leading zero", literal(quantity="03"), "json"),
    ("hexadecimal", literal(quantity="0x3"), "json"),
    ("byte order mark", "\ufeff" + literal(), "json"),
    ("lone surrogate", literal(material='"\ud800"'), "json"),
    ("control character", literal(material='"cop\nper"'), "json"),
    ("a list", "[]", "json_object"),
    ("a number", "7", "json_object"),
    ("null", "null", "json_object"),
    ("a string", '"copper"', "json_object"),
    ("deep list", "[" * 4000 + "]" * 4000, "json_object"),
    ("deep object", '{"a":' * 1300 + "1" + "}" * 1300, "json_object"),
    ("deep inside a field", literal(price="[" * 4000 + "]" * 4000), "json_object"),
]


@pytest.mark.parametrize("path", ["/asks", "/bids"])
def test_an_invalid_field_is_named_and_nothing_is_stored(path: str) -> None:
    with opened(MIN_ORDER_VALUE_MINOR="100") as market:
        answers = {name: market.send("POST", path, body) for name, body, _, _ in FIELD_CASES}
        assert not any(market.stored().values())
    expected = {name: (400, ("invalid_field", field, rule)) for name, _, field, rule in FIELD_CASES}
    assert {name: (answer.status, answer.error) for name, answer in answers.items()} == expected
    assert all(len(answer.body["error"]["value"] or "") <= 64 for answer in answers.values())


@pytest.mark.parametrize("path", ["/asks", "/bids"])
def test_a_body_that_is_no_json_object_is_refused_and_nothing_is_stored(market: FrontDoor, path: str) -> None:
    answers = {name: market.send("POST", path, body) for name, body, _ in BODY_CASES}
    found = {name: (answer.status, answer.error) for name, answer in answers.items()}
    assert found == {name: (400, ("invalid_field", "body", rule)) for name, _, rule in BODY_CASES}
    assert not any(market.stored().values())


@pytest.mark.parametrize("raw", [b"\xff\xfe", b"\xef\xbb\xbf{}", '{"material": "ä"}'.encode("latin-1"), b"\x00"])
def test_bytes_that_are_not_json_in_utf8_are_refused(market: FrontDoor, raw: bytes) -> None:
    assert market.send("POST", "/asks", raw, in_base64=True).error == ("invalid_field", "body", "json")


def test_a_body_in_base64_is_read_like_any_other(market: FrontDoor) -> None:
    assert market.send("POST", "/asks", GOOD, in_base64=True).status == 201


def test_only_the_size_in_bytes_counts(market: FrontDoor) -> None:
    fits = literal() + " " * (MAX_BODY_BYTES - len(literal()))
    for in_base64 in (False, True):
        assert market.send("POST", "/asks", fits, in_base64=in_base64).status == 201
        too_large = [market.send("POST", "/asks", body, in_base64=in_base64) for body in (fits + " ", "ä" * 4097)]
        assert [answer.status for answer in too_large] == [413, 413]
        assert {answer.error for answer in too_large} == {("body_too_large", "body", "maximum_bytes")}
    assert len(market.stored()["asks"]) == 2


@pytest.mark.parametrize("path", ["/asks", "/bids", "/materials/copper/trades"])
@pytest.mark.parametrize("limit", ["0", "101", "-1", "1.0", "1e1", "", " 5", "+5", "ten", "٥", "5,6", "9" * 5000])
def test_a_page_size_out_of_range_is_refused(market: FrontDoor, path: str, limit: str) -> None:
    reply = market.send("GET", path, query={"limit": limit})
    assert (reply.status, reply.error) == (400, ("invalid_field", "limit", "page_size"))


@pytest.mark.parametrize("depth", ["0", "101", "x"])
def test_a_depth_out_of_range_is_refused(market: FrontDoor, depth: str) -> None:
    reply = market.send("GET", "/materials/copper/book", query={"depth": depth})
    assert (reply.status, reply.error) == (400, ("invalid_field", "depth", "page_size"))
