"""Two aggregators of a web shop: tell sales about engaged sessions, and mail recommendations after a login."""

from pathlib import Path

import pulumi

from components.aggregator import Aggregator
from components.function import Function
from components.runtime_layer import RuntimeLayer
from components.table import Table

HERE = Path(__file__).resolve().parent

code = pulumi.AssetArchive(
    {f"handlers/{file.name}": pulumi.FileAsset(str(file)) for file in sorted((HERE / "handlers").glob("*.py"))}
)
layer = RuntimeLayer("libraries", {})
outbox = Table("outbox", {"hash_key": "message_id", "point_in_time_recovery": False, "deletion_protection": False})

# One statement each: the table, the function that is called once for each complete group, the alarms, the timeouts.
sessions = Aggregator(
    "sessions",
    {
        "handler": "handlers.tell_sales.handler",
        "code": code,
        "complete_at_count": 10,
        "retention_days": 30,
        "runtime_layer_arn": layer.arn,
        "variables": {"OUTBOX_TABLE": outbox.table_name},
        "rights": [{"actions": ["dynamodb:PutItem"], "resources": [outbox.arn]}],
    },
)
mails = Aggregator(
    "mails",
    {
        "handler": "handlers.mail_recommendations.handler",
        "code": code,
        "complete_with_kinds": ["login", "recommendations"],
        "timeout_s": 7 * 24 * 3600,
        "timeout_check": "rate(1 hour)",
        "runtime_layer_arn": layer.arn,
        "variables": {"OUTBOX_TABLE": outbox.table_name},
        "rights": [{"actions": ["dynamodb:PutItem"], "resources": [outbox.arn]}],
    },
)

for aggregator, name in ((sessions, "clicks"), (mails, "events")):
    collector = Function(
        name,
        {
            "handler": f"handlers.{name}.handler",
            "code": code,
            "layers": [layer.arn],
            "variables": aggregator.adding_variables,
            "log_retention_days": 7,
        },
    )
    aggregator.grant_adding(collector)
    pulumi.export(f"{name}_function_name", collector.function_name)

operator = Function(
    "operator",
    {
        "handler": "handlers.operate.handler",
        "code": code,
        "layers": [layer.arn],
        "variables": {**mails.adding_variables, "OUTBOX_TABLE": outbox.table_name},
        "log_retention_days": 7,
    },
)
mails.grant_operate(operator)
outbox.grant(operator, "PutItem")  # what the action it fires writes
pulumi.export("operator_function_name", operator.function_name)
pulumi.export("outbox_table_name", outbox.table_name)
pulumi.export("sessions_table_name", sessions.table_name)
pulumi.export("mails_table_name", mails.table_name)
