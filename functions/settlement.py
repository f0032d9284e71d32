"""Lambda handler that settles commits: a processor, woken by its table's stream and a schedule."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from time import sleep

from functions.accounts.ledger import Ledger
from functions.clock import now_ms
from functions.environment import SettlementEnvironment
from functions.observability import build_logger
from functions.settling.gathering import is_complete
from functions.settling.settlement import SETTLEMENT_CODEC
from functions.settling.steps import SettlementSteps
from functions.settling.tape_reader import TapeReader
from patterns.aggregator.settings import AggregatorSettings
from patterns.dynamodb.client import dynamodb_client
from patterns.dynamodb.retries import JITTER
from patterns.processor.lambda_events import lambda_handler
from patterns.processor.processor import Processor
from patterns.processor.settings import ProcessorSettings

_environment = SettlementEnvironment.from_environ(os.environ)
_logger = build_logger(_environment)
_client = dynamodb_client()
# Orders share nothing but the client: gathered side by side, forty take as long as five.
_threads = ThreadPoolExecutor(max_workers=8)
_steps = SettlementSteps(
    tape=TapeReader(_client, _environment.tape_table),
    ledger=Ledger(_client, _environment.accounts_table, _environment.journal_table),
    orders=AggregatorSettings.from_environ(os.environ, is_complete).aggregator(
        _client, clock=now_ms, sleep=sleep, random=JITTER
    ),
    notifications_table=_environment.notifications_table,
    spread=_threads.map,
)
handler = lambda_handler(
    Processor(_client, ProcessorSettings.from_environ(os.environ), SETTLEMENT_CODEC, _steps.steps(), clock=now_ms)
)
