"""A leaderboard for every minute of every level: scores go into buckets, a schedule turns each into a board once."""

from pathlib import Path

import pulumi

from components.function import Function
from components.periodic_aggregator import LateRecords, PeriodicAggregator
from components.runtime_layer import RuntimeLayer
from components.table import Table

HERE = Path(__file__).resolve().parent

code = pulumi.AssetArchive(
    {f"handlers/{file.name}": pulumi.FileAsset(str(file)) for file in sorted((HERE / "handlers").glob("*.py"))}
)
layer = RuntimeLayer("libraries", {})
boards = Table("boards", {"hash_key": "board_id", "point_in_time_recovery": False, "deletion_protection": False})

# One statement: the table, the schedule, the function it calls, the alarms.
scores = PeriodicAggregator(
    "scores",
    {
        "handler": "handlers.close_minutes.handler",
        "code": code,
        "width_s": 60,
        "late_records": LateRecords.REOPEN,
        "shards": 2,
        "retention_days": 7,
        "runtime_layer_arn": layer.arn,
        "variables": {"BOARDS_TABLE": boards.table_name},
        "rights": [{"actions": ["dynamodb:PutItem"], "resources": [boards.arn]}],
    },
)

collector = Function(
    "score",
    {
        "handler": "handlers.score.handler",
        "code": code,
        "layers": [layer.arn],
        "variables": scores.adding_variables,
        "log_retention_days": 7,
    },
)
scores.grant_adding(collector)
asking = Function(
    "ask",
    {
        "handler": "handlers.ask.handler",
        "code": code,
        "layers": [layer.arn],
        "variables": scores.adding_variables,
        "log_retention_days": 7,
    },
)
scores.grant_read(asking)
pulumi.export("score_function_name", collector.function_name)
pulumi.export("ask_function_name", asking.function_name)
pulumi.export("closing_function_name", scores.function_name)
pulumi.export("boards_table_name", boards.table_name)
