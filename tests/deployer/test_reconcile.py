"""The reconciler's decisions, with a resource type that only takes notes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from local.deployer.aws import Aws
from local.deployer.errors import DeployError, ProtectedResourceError
from local.deployer.reconcile import Reconciler, Registration
from local.deployer.resources.protocol import Created, Existing, Naming, ResourceType
from local.deployer.state import read_state

if TYPE_CHECKING:
    from pathlib import Path

Step = tuple[str, dict[str, Any], dict[str, Any]]


class Note(ResourceType):
    """Writes down what it is asked to do; refuses text that starts with "bad"."""

    token = "test:index:Note"
    mapped = frozenset({"name", "text", "paper"})
    replace_on = frozenset({"name", "paper"})
    naming = Naming(max_length=30)

    def __init__(self) -> None:
        self.log: list[str] = []

    def create(self, aws: Aws, inputs: dict[str, Any]) -> Created:
        self._check(inputs)
        self.log.append(f"create {_short(inputs['name'])}")
        return Created(inputs["name"], {"arn": f"arn:{inputs['name']}"})

    def update(self, aws: Aws, existing: Existing, inputs: dict[str, Any], changed: frozenset[str]) -> dict[str, Any]:
        self._check(inputs)
        self.log.append(f"update {_short(existing.id)} {','.join(sorted(changed))}")
        return {"arn": existing.outputs["arn"]}

    def delete(self, aws: Aws, existing: Existing) -> None:
        self.log.append(f"delete {_short(existing.id or existing.inputs['name'])}")

    def _check(self, inputs: dict[str, Any]) -> None:
        if str(inputs.get("text", "")).startswith("bad"):
            raise DeployError("the text is bad")
        if inputs.get("text") == "crash":
            raise KeyboardInterrupt


class Stack:
    """A program is a list of (logical name, inputs, options)."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "state.json"
        self.kind = Note()
        self.aws = Aws("http://127.0.0.1:1", "000000000000", "us-east-1")

    def up(self, *steps: Step) -> list[str]:
        reconciler = self._reconciler()
        self.kind.log.clear()
        for name, inputs, options in steps:
            reconciler.register(Registration(_urn(name), Note.token, name, "", custom=True, inputs=inputs, **options))
        reconciler.finish({})
        return self.kind.log

    def down(self) -> list[str]:
        self.kind.log.clear()
        self._reconciler().destroy()
        return self.kind.log

    @property
    def names(self) -> dict[str, str]:
        return {resource.name: resource.id for resource in read_state(self.path).resources}

    def _reconciler(self) -> Reconciler:
        return Reconciler(self.aws, {Note.token: self.kind}, read_state(self.path), self.path)


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    return Stack(tmp_path)


def test_a_chosen_name_is_the_logical_one_with_seven_hex_digits_and_stays(stack: Stack) -> None:
    stack.up(_note("a"), _note("x" * 40))
    first = stack.names
    assert all(set(name.rsplit("-", 1)[1]) <= set("0123456789abcdef") for name in first.values())
    assert [len(name) for name in first.values()] == [len("a-1234567"), 30]
    stack.up(_note("a", text="new"), _note("x" * 40))
    assert stack.names == first


def test_a_replacement_is_made_before_its_predecessor_is_deleted_at_the_end(stack: Stack) -> None:
    stack.up(_note("a", paper="white"), _note("b"))
    assert stack.up(_note("a", paper="red"), _note("b", text="new")) == ["create a", "update b text", "delete a"]


def test_a_replacement_under_the_same_given_name_waits_for_the_deletion(stack: Stack) -> None:
    stack.up(_note("a", name="fixed", paper="white"))
    assert stack.up(_note("a", name="fixed", paper="red")) == ["delete fixed", "create fixed"]


def test_dropped_resources_are_deleted_in_reverse_order(stack: Stack) -> None:
    stack.up(_note("a"), _note("b"), _note("c"))
    assert stack.up(_note("b")) == ["delete c", "delete a"]


def test_protection_stops_up_but_not_down(stack: Stack) -> None:
    stack.up(_note("a", protect=True), _note("b"))
    with pytest.raises(ProtectedResourceError, match=r"'a' .* deleted"):
        stack.up(_note("b"))
    with pytest.raises(ProtectedResourceError, match=r"'a' .* replaced"):
        stack.up(_note("a", paper="red", protect=True), _note("b"))
    assert sorted(stack.down()) == ["delete a", "delete b"]
    assert stack.names == {}


def test_a_retained_resource_is_forgotten_not_deleted(stack: Stack) -> None:
    stack.up(_note("a", retain_on_delete=True))
    assert stack.up() == []
    assert stack.names == {}


@pytest.mark.parametrize("failing_step", ["creation", "update", "replacement"])
def test_after_a_failed_up_the_next_one_goes_on(stack: Stack, failing_step: str) -> None:
    if failing_step != "creation":
        stack.up(_note("b"))
    paper = {"paper": "red"} if failing_step == "replacement" else {}
    with pytest.raises(DeployError, match=r"'b' \(test:index:Note\): the text is bad"):
        stack.up(_note("a"), _note("b", text="bad", **paper), _note("c"))
    first = stack.names["a"]
    stack.up(_note("a"), _note("b", text="fine", **paper), _note("c"))
    assert stack.names["a"] == first, "what succeeded is not repeated"
    assert stack.up(_note("a"), _note("b", text="fine", **paper), _note("c")) == []
    assert list(stack.names) == ["a", "b", "c"]


def test_a_creation_that_was_cut_off_is_cleared_away_and_repeated(stack: Stack) -> None:
    with pytest.raises(KeyboardInterrupt):
        stack.up(_note("a", text="crash"))
    (unfinished,) = read_state(stack.path).creating
    assert unfinished.id == ""
    assert stack.up(_note("a", text="fine")) == ["delete a", "create a"]
    assert read_state(stack.path).creating == []


def test_a_creation_that_was_cut_off_is_cleared_away_by_down(stack: Stack) -> None:
    with pytest.raises(KeyboardInterrupt):
        stack.up(_note("a", text="crash"))
    assert stack.down() == ["delete a"]


def test_a_failed_replacement_leaves_the_old_resource_in_its_place(stack: Stack) -> None:
    stack.up(_note("a", paper="white"))
    before = stack.names
    with pytest.raises(DeployError):
        stack.up(_note("a", paper="red", text="bad"))
    stack.up(_note("a", paper="white"))
    assert stack.names == before


def test_an_alias_takes_over_the_resource_of_the_old_name(stack: Stack) -> None:
    stack.up(_note("old"))
    name = stack.names["old"]
    assert stack.up(_note("new", aliases=[_urn("old")])) == []
    assert stack.names == {"new": name}


def test_ignored_changes_are_no_changes(stack: Stack) -> None:
    stack.up(_note("a", text="one"))
    assert stack.up(_note("a", text="two", ignore_changes=["text"])) == []


def _note(logical_name: str, **values: Any) -> Step:
    inputs = {key: value for key, value in values.items() if key in Note.mapped}
    return logical_name, inputs, {key: value for key, value in values.items() if key not in Note.mapped}


def _urn(name: str) -> str:
    return f"urn:pulumi:test::sample::{Note.token}::{name}"


def _short(name: str) -> str:
    return name.rsplit("-", 1)[0]
