"""Guild banks: a log of deposits and withdrawals, two consumers of it, and a counter that takes orders."""

from pathlib import Path

import pulumi

from components.function import Function
from components.runtime_layer import RuntimeLayer
from components.sequenced_log import SequencedLog
from components.table import Table

code = pulumi.AssetArchive(
    {
        f"handlers/{path.name}": pulumi.FileAsset(str(path))
        for path in sorted((Path(__file__).parent / "handlers").glob("*.py"))
    }
)
libraries = RuntimeLayer("libraries", {})
balances = Table("balances", {"hash_key": "guild", "point_in_time_recovery": False, "deletion_protection": False})

ledger = SequencedLog(
    "ledger",
    {
        "handler": "handlers.balances.handler",
        "code": code,
        "variables": {"BALANCES_TABLE": balances.table_name},
        "max_attempts": 3,
        "sweepers": 2,
        "runtime_layer_arn": libraries.arn,
    },
)
balances.grant(ledger.function, "UpdateItem")  # what the handler's actions do

activity = SequencedLog(
    "activity",
    {
        "handler": "handlers.activity.handler",
        "code": code,
        "variables": {"BALANCES_TABLE": balances.table_name},
        "table_name": ledger.table_name,
        "table_arn": ledger.table_arn,
        "table_stream_arn": ledger.table_stream_arn,
        "log_name": "ledger",
        "partitions_table_name": ledger.partitions_table_name,
        "partitions_table_arn": ledger.partitions_table_arn,
        "runtime_layer_arn": libraries.arn,
    },
)
balances.grant(activity.function, "UpdateItem")

counter = Function(
    "counter",
    {
        "handler": "handlers.counter.handler",
        "code": code,
        "variables": ledger.appender_variables,
        "layers": [libraries.arn],
        "log_retention_days": 7,
    },
)
ledger.grant_append(counter)
ledger.grant_split(counter)

pulumi.export("balances_table_name", balances.table_name)
pulumi.export("events_table_name", ledger.table_name)
pulumi.export("consumers_table_name", ledger.consumers_table_name)
pulumi.export("consumer_function_name", ledger.function_name)
pulumi.export("counter_function_name", counter.function_name)
