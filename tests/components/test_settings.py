"""Settings accept what the stack files say, and refuse everything else by key, value and rule."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from components.settings import (
    MATERIAL_NAME,
    SelfTradePrevention,
    Settings,
    SettingsError,
    Tracing,
    load_settings,
    read_settings,
)
from market.feed.channels import market_channel
from tests.components.graph import ENVIRONMENTS, PROJECT, environment_graph, record, stack_configuration

VALID = {
    "materials": '["copper", "wheat"]',
    "currencyDigits": "2",
    "tickSize": "0.05",
    "maxQuantity": "1000",
    "minOrderValue": "1.00",
    "maxOpenOrders": "50",
    "makerFeeBps": "10",
    "takerFeeBps": "25",
    "selfTradePrevention": "CANCEL_MAKER",
    "logRetentionDays": "30",
    "deletionProtection": "true",
    "pointInTimeRecovery": "true",
    "historyHotDays": "90",
    "kinesisShards": "2",
    "enhancedFanOut": "true",
    "matcherParallelization": "4",
    "expressLane": "true",
    "liveFeed": "true",
    "provisionedConcurrency": "2",
    "snapStart": "false",
    "tracing": "XRAY",
    "allowedOrigins": '["https://game.example:8443"]',
    "adminSignIn": "false",
    "jwtIssuer": "",
    "jwtAudience": "",
    "alarmEmail": "market@example.com",
}
EXTERNAL_ISSUER = {"jwtIssuer": "https://id.example/game", "jwtAudience": "market"}


def test_a_valid_configuration_is_read() -> None:
    assert read_settings("prod", VALID) == Settings(
        environment="prod",
        materials=("copper", "wheat"),
        currency_digits=2,
        tick_size="0.05",
        max_quantity=1000,
        min_order_value="1.00",
        max_open_orders=50,
        maker_fee_bps=10,
        taker_fee_bps=25,
        self_trade_prevention=SelfTradePrevention.CANCEL_MAKER,
        log_retention_days=30,
        deletion_protection=True,
        point_in_time_recovery=True,
        history_hot_days=90,
        kinesis_shards=2,
        enhanced_fan_out=True,
        matcher_parallelization=4,
        express_lane=True,
        live_feed=True,
        provisioned_concurrency=2,
        snap_start=False,
        tracing=Tracing.XRAY,
        allowed_origins=("https://game.example:8443",),
        admin_sign_in=False,
        jwt_issuer=None,
        jwt_audience=None,
        alarm_email="market@example.com",
    )


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_stack_files_are_valid(environment: str) -> None:
    prefix = f"{PROJECT}:"
    configuration = stack_configuration(environment)
    read_settings(environment, {key.removeprefix(prefix): configuration[key] for key in configuration if prefix in key})


def test_with_the_pulumi_command_line_every_service_of_the_local_stack_is_the_emulator() -> None:
    """A service without an endpoint would be asked for at AWS, with the emulator's keys."""
    (endpoints,) = json.loads(stack_configuration("local")["aws:endpoints"])
    types = {node.type.split(":")[1] for node in environment_graph("local").nodes if node.type.startswith("aws:")}
    services = {type_.partition("/")[0] for type_ in types} - {"cognito"} | {"cognitoidp", "cloudwatchlogs", "sts"}
    assert services <= endpoints.keys()
    assert len(set(endpoints.values())) == 1


@pytest.mark.parametrize(
    ("digits", "tick_size", "tick_minor"), [("2", "0.05", 5), ("0", "1", 1), ("6", "0.000001", 1), ("2", "10", 1000)]
)
def test_the_tick_is_whole_minor_units(digits: str, tick_size: str, tick_minor: int) -> None:
    settings = read_settings("dev", VALID | {"currencyDigits": digits, "tickSize": tick_size})
    assert settings.tick_minor == tick_minor


def test_the_smallest_order_value_is_whole_minor_units() -> None:
    assert read_settings("dev", VALID | {"minOrderValue": "2.50"}).min_order_value_minor == 250


def test_large_integers_may_come_as_the_engine_prints_them() -> None:
    assert read_settings("dev", VALID | {"maxQuantity": "1e+06"}).max_quantity == 1_000_000


@pytest.mark.parametrize(
    ("environment", "change", "key", "value", "rule"),
    [
        ("dev", {"materials": "copper"}, "materials", "copper", "list of strings"),
        ("dev", {"materials": "[1]"}, "materials", 1, "list of strings"),
        ("dev", {"materials": "[]"}, "materials", [], "at least one"),
        ("dev", {"materials": '["Copper"]'}, "materials", "Copper", "must match"),
        ("dev", {"materials": '["сopper"]'}, "materials", "сopper", "must match"),  # Cyrillic es
        ("dev", {"materials": '["money"]'}, "materials", "money", "not one of them"),
        ("dev", {"materials": '["a,b"]'}, "materials", "a,b", "must match"),
        ("dev", {"materials": '["salt", "salt"]'}, "materials", "salt", "once"),
        (
            "dev",
            {"materials": json.dumps([f"{n:032x}".replace("0", "m", 1) for n in range(99)])},
            "materials",
            "3266",
            "3000",
        ),
        ("dev", {"currencyDigits": "two"}, "currencyDigits", "two", "integer"),
        ("dev", {"currencyDigits": "1.5e+00"}, "currencyDigits", "1.5e+00", "integer"),
        ("dev", {"currencyDigits": "7"}, "currencyDigits", 7, "0..6"),
        ("dev", {"tickSize": "-1"}, "tickSize", "-1", "decimal"),
        ("dev", {"tickSize": "1e-2"}, "tickSize", "1e-2", "decimal"),
        ("dev", {"tickSize": "0"}, "tickSize", "0", "above zero"),
        ("dev", {"tickSize": "0.005"}, "tickSize", "0.005", "multiple of 0.01"),
        ("dev", {"maxQuantity": "0"}, "maxQuantity", 0, "1..1000000000"),
        ("dev", {"minOrderValue": "0.005"}, "minOrderValue", "0.005", "multiple of 0.01"),
        ("dev", {"minOrderValue": "-1"}, "minOrderValue", "-1", "decimal"),
        ("dev", {"maxOpenOrders": "201"}, "maxOpenOrders", 201, "1..200"),
        ("dev", {"makerFeeBps": "1001"}, "makerFeeBps", 1001, "0..1000"),
        ("dev", {"takerFeeBps": "-1"}, "takerFeeBps", -1, "0..1000"),
        ("dev", {"selfTradePrevention": "NONE"}, "selfTradePrevention", "NONE", "CANCEL_TAKER, CANCEL_MAKER"),
        ("dev", {"logRetentionDays": "8"}, "logRetentionDays", 8, "one of 1, 3, 5, 7"),
        ("dev", {"deletionProtection": "yes"}, "deletionProtection", "yes", "true or false"),
        ("dev", {"historyHotDays": "6"}, "historyHotDays", 6, "7..36500"),
        ("dev", {"historyHotDays": "-1"}, "historyHotDays", -1, "7..36500"),
        ("dev", {"kinesisShards": "0"}, "kinesisShards", 0, "1..500"),
        ("dev", {"matcherParallelization": "11"}, "matcherParallelization", 11, "1..10"),
        ("dev", {"provisionedConcurrency": "101"}, "provisionedConcurrency", 101, "0..100"),
        ("dev", {"snapStart": "true"}, "snapStart", True, "provisionedConcurrency"),
        ("dev", {"tracing": "OTEL"}, "tracing", "OTEL", "NONE, XRAY"),
        ("dev", {"allowedOrigins": '["game.example"]'}, "allowedOrigins", "game.example", "scheme"),
        ("dev", {"allowedOrigins": '["*", "https://a.b"]'}, "allowedOrigins", "https://a.b", "alone"),
        ("dev", {"jwtIssuer": "https://id.example"}, "jwtAudience", None, "together"),
        ("dev", {"jwtAudience": "market"}, "jwtIssuer", None, "together"),
        ("dev", EXTERNAL_ISSUER | {"jwtIssuer": "http://id.example"}, "jwtIssuer", "http://id.example", "https://"),
        ("dev", EXTERNAL_ISSUER | {"adminSignIn": "true"}, "adminSignIn", True, "external jwtIssuer"),
        ("dev", {"alarmEmail": "nobody"}, "alarmEmail", "nobody", "e-mail"),
        ("dev", {"materails": "[]"}, "materails", "[]", "unknown key; known: adminSignIn"),
        ("prod", {"deletionProtection": "false"}, "deletionProtection", False, "true in prod"),
        ("prod", {"pointInTimeRecovery": "false"}, "pointInTimeRecovery", False, "true in prod"),
        ("prod", {"adminSignIn": "true"}, "adminSignIn", True, "false in prod"),
        ("prod", {"allowedOrigins": '["*"]'}, "allowedOrigins", "*", "in prod"),
    ],
)
def test_a_wrong_value_is_refused(environment: str, change: dict[str, str], key: str, value: object, rule: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings(environment, VALID | change)
    assert caught.value.key == key
    assert str(value) in str(caught.value.value)
    assert rule in caught.value.rule
    assert key in str(caught.value)
    assert rule in str(caught.value)


@given(name=st.from_regex(MATERIAL_NAME, fullmatch=True))
@example("a" + 9 * "-" + 22 * "a")
@example("a" + 10 * "_" + 21 * "a")
def test_with_a_live_feed_every_material_has_a_channel(name: str) -> None:
    materials = {"materials": json.dumps([name])}
    assert read_settings("dev", VALID | materials | {"liveFeed": "false"}).materials == (name,)
    if market_channel(name) is not None:
        assert read_settings("dev", VALID | materials).materials == (name,)
        return
    with pytest.raises(SettingsError, match="50 characters with liveFeed") as caught:
        read_settings("dev", VALID | materials)
    assert (caught.value.key, caught.value.value) == ("materials", name)


@pytest.mark.parametrize("key", sorted(VALID.keys() - {"jwtIssuer", "jwtAudience", "alarmEmail"}))
def test_a_missing_key_is_refused(key: str) -> None:
    with pytest.raises(SettingsError, match=f"'{key}' = None: is missing"):
        read_settings("dev", {name: text for name, text in VALID.items() if name != key})


def test_an_unknown_key_of_the_project_stops_the_program() -> None:
    config = {f"{PROJECT}:{key}": text for key, text in VALID.items()} | {"aws:region": "eu-central-1"}
    record(load_settings, config=config)
    with pytest.raises(SettingsError, match=r"'tickSise' = '0\.01': unknown key"):
        record(load_settings, config=config | {f"{PROJECT}:tickSise": "0.01"})


def test_the_engine_passes_configuration_in_the_process_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    config = {f"{PROJECT}:{key}": text for key, text in VALID.items()} | {f"{PROJECT}:tickSise": "0.01"}
    monkeypatch.setenv("PULUMI_CONFIG", json.dumps(config))
    with pytest.raises(SettingsError, match=r"'tickSise' = '0\.01': unknown key"):
        record(load_settings)


def test_settings_do_not_change() -> None:
    settings = read_settings("dev", VALID)
    with pytest.raises(FrozenInstanceError):
        settings.tick_size = "1"  # pyright: ignore[reportAttributeAccessIssue]
