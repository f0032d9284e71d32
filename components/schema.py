"""The package's schema, from which Pulumi makes SDKs: ``python -m components.schema`` writes it to ``schema.json``."""

import json
from pathlib import Path

from components.package import PackageProvider

SCHEMA_FILE = Path(__file__).with_name("schema.json")


def package_schema() -> str:
    """Analyze the components as Pulumi does when a program adds the package.

    Returns
    -------
    str
        JSON text, the same for the same sources.
    """
    return json.dumps(json.loads(PackageProvider().schema or "{}"), indent=2, sort_keys=True) + "\n"


if __name__ == "__main__":
    SCHEMA_FILE.write_text(package_schema(), encoding="utf-8")
    print(f"{SCHEMA_FILE.name} is written")
