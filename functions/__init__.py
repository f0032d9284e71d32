"""Lambda handlers: parse, call `market` and `patterns`, answer."""
