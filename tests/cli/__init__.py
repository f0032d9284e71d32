"""The `market` command, against a stand-in of the HTTP API on loopback and a mocked player pool."""
