"""Guild raids of another game: parties that fill up (Aggregator), raids that run once (Processor), characters whose
every change is on record (Historic) and which nobody overwrites unseen (optimistic locking, library only).
"""

from pathlib import Path

import pulumi

from components.aggregator import Aggregator
from components.function import Function
from components.historic import Historic
from components.processor import Processor
from components.runtime_layer import RuntimeLayer

PARTY_SIZE = 3

code = pulumi.AssetArchive(
    {
        f"handlers/{path.name}": pulumi.FileAsset(str(path))
        for path in sorted((Path(__file__).parent / "handlers").glob("*.py"))
    }
)
libraries = RuntimeLayer("libraries", {})

characters = Historic(
    "characters",
    # A trial stack is taken down again: for a real one leave this out, and the tables are protected.
    {"source_name": "characters", "hash_key": "character", "deletion_protection": False},
)
raids = Processor(
    "raids",
    {
        "handler": "handlers.raid.handler",
        "code": code,
        "variables": {"CHARACTERS_TABLE": characters.table_name},
        "runtime_layer_arn": libraries.arn,
    },
)
raids.function.allow(
    "changes-characters",
    [{"actions": ["dynamodb:GetItem", "dynamodb:UpdateItem"], "resources": [characters.table_arn]}],
)
parties = Aggregator(
    "parties",
    {
        "handler": "handlers.start_raid.handler",
        "code": code,
        "complete_at_count": PARTY_SIZE,
        "variables": raids.submitter_variables,
        # A full party submits its raid in the transaction that closes the party.
        "rights": [{"actions": ["dynamodb:PutItem"], "resources": [raids.table_arn]}],
        "runtime_layer_arn": libraries.arn,
    },
)

tavern = Function(
    "tavern",
    {
        "handler": "handlers.tavern.handler",
        "code": code,
        "layers": [libraries.arn],
        "variables": {
            **parties.adding_variables,
            **raids.submitter_variables,
            "CHARACTERS_TABLE": characters.table_name,
            "HISTORY_TABLE": characters.history_table_name,
        },
        "log_retention_days": 7,
    },
)
tavern.allow(
    "changes-characters",
    [{"actions": ["dynamodb:GetItem", "dynamodb:PutItem"], "resources": [characters.table_arn]}],
)
parties.grant_adding(tavern)
raids.grant_submit(tavern)
characters.grant_read(tavern)

pulumi.export("tavern_function_name", tavern.function_name)
pulumi.export("raids_table_name", raids.table_name)
pulumi.export("characters_table_name", characters.table_name)
