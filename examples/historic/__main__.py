"""A guild bank: accounts whose every change is on record, a teller that signs, an auditor that asks."""

from pathlib import Path

import pulumi

from components.function import Function
from components.historic import Historic
from components.runtime_layer import RuntimeLayer

handlers = pulumi.AssetArchive(
    {
        f"handlers/{path.name}": pulumi.FileAsset(str(path))
        for path in sorted((Path(__file__).parent / "handlers").glob("*.py"))
    }
)
libraries = RuntimeLayer("libraries", {})

accounts = Historic(
    "accounts",
    {
        "source_name": "accounts",
        "hash_key": "guild",
        "range_key": "account",
        "hot_days": 30,
        # An example is taken down again; leave protection out, and tables and archive are protected.
        "deletion_protection": False,
    },
)

teller = Function(
    "teller",
    {
        "handler": "handlers.teller.handler",
        "code": handlers,
        "layers": [libraries.arn],
        "variables": {"ACCOUNTS_TABLE": accounts.table_name},
        "log_retention_days": 30,
    },
)
teller.allow("keeps-accounts", [{"actions": ["dynamodb:UpdateItem"], "resources": [accounts.table_arn]}])

auditor = Function(
    "auditor",
    {
        "handler": "handlers.auditor.handler",
        "code": handlers,
        "layers": [libraries.arn],
        "variables": {
            "HISTORY_TABLE": accounts.history_table_name,
            "HISTORY_ARCHIVE_BUCKET": accounts.archive_bucket_name,
        },
        "log_retention_days": 30,
    },
)
accounts.grant_read(auditor)

pulumi.export("teller", teller.function_name)
pulumi.export("auditor", auditor.function_name)
pulumi.export("accounts_table", accounts.table_name)
pulumi.export("history_table", accounts.history_table_name)
pulumi.export("archive_bucket", accounts.archive_bucket_name)
