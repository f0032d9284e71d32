"""Lambda handler of the operator's routes to settlements: which are parked, and have a commit settled that is not."""

from __future__ import annotations

import os
import re
from itertools import islice
from typing import TYPE_CHECKING

from functions.api.contention import with_retries
from functions.api.http_api import Answer, HttpApi
from functions.api.problems import Problem
from functions.api.timestamps import iso_utc
from functions.clock import now_ms
from functions.environment import SettlementsApiEnvironment
from functions.observability import build_logger
from functions.settling.settlement import Settlement, settlement_store
from functions.settling.tape_reader import CommitMissingError, TapeReader
from patterns.dynamodb.client import dynamodb_client
from patterns.processor.errors import NotParkedError
from patterns.processor.settings import ProcessorSettings
from patterns.processor.transaction import Status

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

    from functions.api.request import Request
    from functions.clock import Clock

MOST_LISTED = 100
"""Parked settlements in an answer; there should be none at all."""

_ID = re.compile(r"(.+)-([1-9][0-9]{0,17})", re.ASCII)


def build(environment: SettlementsApiEnvironment, client: DynamoDBClient, clock: Clock) -> HttpApi:
    """Return the handler for an environment.

    Parameters
    ----------
    environment
        Names of the tables.
    client
        Low-level DynamoDB client.
    clock
        Measures a request's duration, and times what is submitted.
    """
    tape = TapeReader(client, environment.tape_table)
    settings = ProcessorSettings(table=environment.processor_table, shards=environment.processor_shards)
    settlements = settlement_store(client, settings, clock)

    def parked(_request: Request) -> Answer:
        found = with_retries(lambda: list(islice(settlements.parked(), MOST_LISTED)))
        listed: list[dict[str, object]] = []
        for entry in found:
            settlement = settlements.get(entry.transaction_id)
            listed.append(
                {
                    "id": entry.transaction_id,
                    "since": iso_utc(entry.since_ms),
                    "step": settlement.step,
                    "error": settlement.error,
                }
            )
        return Answer(200, {"parked": listed})

    def settle(_request: Request, settlement_id: str) -> Answer:
        place = _ID.fullmatch(settlement_id)
        if place is None:
            raise _no_commit(settlement_id)
        material, sequence = place[1], int(place[2])
        try:
            commit = with_retries(lambda: tape.commit(material, sequence))
        except CommitMissingError:
            raise _no_commit(settlement_id) from None
        status = with_retries(lambda: _settle(settlement_id, material, sequence)) if commit.orders else "NOTHING_TO_DO"
        return Answer(202, {"id": settlement_id, "status": status}, log={"settlement_id": settlement_id})

    def _settle(settlement_id: str, material: str, sequence: int) -> str:
        submission = settlements.submit(settlement_id, Settlement(material, sequence))
        if submission.created:
            return "SUBMITTED"
        if submission.transaction.status is Status.PARKED:
            try:
                settlements.redrive(settlement_id)
            except NotParkedError as error:  # somebody else did, a moment ago
                return error.status
            return "REDRIVEN"
        return submission.transaction.status.value

    routes = {
        ("GET", "/operator/settlements"): parked,
        ("POST", "/operator/settlements/<settlement_id>"): settle,
    }
    return HttpApi(routes, build_logger(environment), clock)


def _no_commit(settlement_id: str) -> Problem:
    message = "id must be a material and the sequence number of one of its commits, such as copper-12"
    return Problem(404, "not_found", message, field="id", value=settlement_id)


handler = build(SettlementsApiEnvironment.from_environ(os.environ), dynamodb_client(), now_ms)
