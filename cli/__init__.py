"""`market`, the command a person uses against any environment: it starts the local one, trades through the HTTP API,
plays a seeded trading day, and checks the books afterwards."""
