"""A game shop whose orders are transactions: a `Processor`, the shop's table, a counter, and an operator's tool."""

from pathlib import Path

import pulumi

from components.function import Function
from components.processor import Processor
from components.runtime_layer import RuntimeLayer
from components.table import Table

code = pulumi.AssetArchive(
    {
        f"handlers/{path.name}": pulumi.FileAsset(str(path))
        for path in sorted((Path(__file__).parent / "handlers").glob("*.py"))
    }
)
libraries = RuntimeLayer("libraries", {})
shop = Table("shop", {"hash_key": "name", "point_in_time_recovery": False, "deletion_protection": False})

orders = Processor(
    "orders",
    {
        "handler": "handlers.fulfilment.handler",
        "code": code,
        "variables": {"SHOP_TABLE": shop.table_name},
        "max_attempts": 3,
        "runtime_layer_arn": libraries.arn,
    },
)
shop.grant(orders.function, "UpdateItem")  # what the steps' actions do

counter = Function(
    "counter",
    {
        "handler": "handlers.counter.handler",
        "code": code,
        "variables": orders.submitter_variables,
        "layers": [libraries.arn],
        "log_retention_days": 7,
    },
)
orders.grant_submit(counter)

operator = Function(
    "operator",
    {
        "handler": "handlers.operator.handler",
        "code": code,
        "variables": orders.submitter_variables,
        "layers": [libraries.arn],
        "log_retention_days": 7,
    },
)
orders.grant_operate(operator)

pulumi.export("shop_table_name", shop.table_name)
pulumi.export("orders_table_name", orders.table_name)
pulumi.export("fulfilment_function_name", orders.function_name)
pulumi.export("counter_function_name", counter.function_name)
pulumi.export("operator_function_name", operator.function_name)
