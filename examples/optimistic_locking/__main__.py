"""A guild bank: chests that many players change at once, and a nightly audit that nobody may do twice."""

from pathlib import Path

import pulumi

from components.function import Function
from components.optimistic_locking import VersionedTable
from components.runtime_layer import RuntimeLayer

HERE = Path(__file__).resolve().parent

code = pulumi.AssetArchive(
    {f"handlers/{file.name}": pulumi.FileAsset(str(file)) for file in sorted((HERE / "handlers").glob("*.py"))}
)
layer = RuntimeLayer("libraries", {})

# One statement: the table of versioned items, the function, its rights on the table, its alarms.
chests = VersionedTable(
    "chests",
    {"hash_key": "chest", "handler": "handlers.chests.handler", "code": code, "runtime_layer_arn": layer.arn},
)

audit = Function(
    "audit",
    {
        "handler": "handlers.audit.handler",
        "code": code,
        "layers": [layer.arn],
        "variables": chests.function_variables,
        "log_retention_days": 30,
    },
)
chests.grant(audit)

pulumi.export("chests_function_name", chests.function_name)
pulumi.export("audit_function_name", audit.function_name)
pulumi.export("chests_table_name", chests.table_name)
