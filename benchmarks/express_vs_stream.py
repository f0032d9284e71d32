"""From request to every client: the express lane against the stream path, in one run.

Two local environments run side by side: one with express lane and enhanced fan-out, one whose orders reach the matcher
by the table's change stream, the Pipe and a polled read only; both with the live feed. The harness of `market latency`
drives one and then the other, some rounds of each, so whatever else the machine does meets both.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final, cast

import yaml
from rich.table import Table

from cli.environments import LOCAL, Environment
from cli.latency.figures import GOAL_MS
from cli.latency.measuring import Progress, RunPlan, measure
from cli.latency.patterns import Pattern
from cli.latency.statistics import share_under, summarize
from cli.latency.wording import latency_text, share_text
from cli.screen import screen
from local.environment import PROJECT_ROOT, down, up

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

EXPRESS: Final[Mapping[str, bool]] = {"expressLane": True, "enhancedFanOut": True, "liveFeed": True}
STREAM: Final[Mapping[str, bool]] = {"expressLane": False, "enhancedFanOut": False, "liveFeed": True}
GOAL_RATIO: Final = 0.5

_PROJECT: Final = "commodities-market"
_ROUNDS: Final = 3
_RATE_PER_S, _MINUTES = 10.0, 0.25
_PLAYERS, _WATCHERS = 8, 2


@contextmanager
def environment_with(settings: Mapping[str, bool]) -> Generator[Environment]:
    """Run a local environment of one's own, with settings instead of those in its stack file.

    Parameters
    ----------
    settings
        Key of the project's configuration → value.
    """
    with TemporaryDirectory() as folder:
        project = Path(folder) / "project"
        project.mkdir()
        stack_file = f"Pulumi.{LOCAL}.yaml"
        for entry in PROJECT_ROOT.iterdir():
            if entry.name != stack_file and not entry.name.startswith("."):
                (project / entry.name).symlink_to(entry)
        document = cast("dict[str, Any]", yaml.safe_load((PROJECT_ROOT / stack_file).read_text(encoding="utf-8")))
        document["config"] |= {f"{_PROJECT}:{key}": value for key, value in settings.items()}
        (project / stack_file).write_text(yaml.safe_dump(document), encoding="utf-8")
        running = up(LOCAL, root=project, folder=Path(folder) / "environment")
        try:
            yield Environment(LOCAL, running.outputs, running.client, running.feed_url)
        finally:
            down(LOCAL, root=project, folder=Path(folder) / "environment")


def main() -> int:
    """Print both ways' figures and their ratio; returns 1 if the goal is missed, or a run ended early."""
    console = screen()
    latencies: dict[str, list[float]] = {"express lane": [], "stream path": []}
    with ExitStack() as running:
        environments = {
            "express lane": running.enter_context(environment_with(EXPRESS)),
            "stream path": running.enter_context(environment_with(STREAM)),
        }
        silent = Progress(lambda _step, _total: None, lambda: None)
        for number in range(_ROUNDS):
            plan = RunPlan(Pattern.STEADY, _RATE_PER_S, _MINUTES, _PLAYERS, _WATCHERS, seed=number)
            for name, environment in environments.items():
                run = measure(environment, plan, silent)
                if run.ended_early is not None:
                    console.print(f"{name}: {run.ended_early}")
                    return 1
                latencies[name] += [sample.whole_ms(run.watchers) for sample in run.samples if sample.counts]
    table = Table(box=None, pad_edge=False, title="from request to every client, ms", title_justify="left")
    table.add_column("")
    for heading in ("mutations", "p50", "p90", "p99", "max", f"under {GOAL_MS} ms"):
        table.add_column(heading, justify="right")
    for name, values in latencies.items():
        figures = summarize(values)
        shown = map(latency_text, (figures.p50_ms, figures.p90_ms, figures.p99_ms, figures.max_ms))
        table.add_row(name, f"{figures.count:,}", *shown, share_text(share_under(values, GOAL_MS)))
    console.print(table)
    express, stream = (summarize(values).p50_ms for values in latencies.values())
    ratio = express / stream
    met = ratio <= GOAL_RATIO
    console.print(f"p50 ratio {ratio:.2f}, goal {GOAL_RATIO:g} or less: {'met' if met else 'missed'}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
