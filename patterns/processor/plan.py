"""The steps of a processor in their order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from patterns.processor.errors import InvalidSettingError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from patterns.processor.steps import Step

S = TypeVar("S")


class Plan(Generic[S]):
    """Which step comes next, forwards and backwards.

    Raises
    ------
    InvalidSettingError
        There is no step, or two have one name.
    """

    def __init__(self, steps: Sequence[Step[S]]) -> None:
        self._order = [step.name for step in steps]
        self._steps = {step.name: step for step in steps}
        if not steps or len(self._steps) != len(steps):
            raise InvalidSettingError("steps", self._order, "must be one or more steps with unique names")

    @property
    def longest_budget_ms(self) -> int:
        """The longest of the steps' budgets."""
        return max(step.budget_ms for step in self._steps.values())

    def step(self, name: str) -> Step[S] | None:
        """Return the step of this name, if this code has one."""
        return self._steps.get(name)

    def step_after(self, completed: Sequence[str]) -> str:
        """Return the step that follows the furthest of the completed ones; empty if there is none.

        A step that is inserted before it while the transaction is under way is not gone back to.
        """
        done = max((self._order.index(name) for name in completed if name in self._steps), default=-1)
        return self._order[done + 1] if done + 1 < len(self._order) else ""

    def to_undo(self, undo: tuple[str, ...]) -> tuple[str, ...]:
        """Take steps without compensation off the end; a step this code does not know stays, to be parked."""
        while undo and (step := self.step(undo[-1])) is not None and step.compensate is None:
            undo = undo[:-1]
        return undo
