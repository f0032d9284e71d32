"""The plugin process that Pulumi runs when another program uses this package, in whatever language."""

import sys
from pathlib import Path

# Pulumi starts this file by its folder; the components import each other as `components.…`, and package `patterns`.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from pulumi.provider import main

from components.package import PackageProvider

if __name__ == "__main__":
    # What Pulumi's `component_provider_host` does, with a provider that gets integers right.
    main(PackageProvider(), sys.argv[1:])
