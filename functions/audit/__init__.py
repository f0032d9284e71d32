"""The audit of a running market in parts; `market.audit` and `market.order_audit` judge what is read here."""
