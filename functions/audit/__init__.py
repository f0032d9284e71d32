"""The audit of a running market in parts; `market.auditing` judges what is read here."""
