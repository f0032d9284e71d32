"""Entry of `python -m cli` and of the console script `market`."""

from __future__ import annotations

from cli.app import app


def main() -> None:
    """Run the command line; never returns."""
    app(prog_name="market")


if __name__ == "__main__":
    main()
