"""How does a case end? Play its steps in a world of its own, and compare each."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from tests.conformance.comparison import Comparison
from tests.conformance.deviations import Listed
from tests.conformance.observation import Observation, observe
from tests.conformance.player import CannotPlay, Player
from tests.conformance.recordings import Case
from tests.conformance.worker_side import Fieldfare, Stuck
from tests.conformance.world import World


class End(StrEnum):
    """How a case ended."""

    AGREES = "agrees"
    DEVIATES = "deviates as listed"
    FAILS = "fails"


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a case ended, and why.

    Attributes:
        problems: what differs, with the number of the step.
        rules: the rules of ``deviations.toml`` that explain what differed.
    """

    case: Case
    end: End
    problems: Sequence[str] = ()
    rules: Sequence[str] = ()


def conduct(world: World, case: Case, listed: Listed) -> Verdict:
    """Play a case."""
    problems = list(listed.problems.get(case.id, ()))
    comparison = Comparison(case)
    try:
        world.reset(case)
        with _folder() as folder, Fieldfare(world, case, folder) as fieldfare:
            problems += _steps(Player(world, case, fieldfare), comparison, listed)
            if problems and fieldfare.refusal:
                problems.append(f"the worker does not start: {fieldfare.refusal}")
    except Exception as error:  # noqa: BLE001 - whatever it is, the other cases are to be played
        problems.append(f"cannot be played: {type(error).__name__}: {error}")
    if problems:
        return Verdict(case, End.FAILS, problems)
    rules = sorted(comparison.rules)
    return Verdict(case, End.DEVIATES if rules else End.AGREES, rules=rules)


def _steps(player: Player, comparison: Comparison, listed: Listed) -> Iterator[str]:
    newest: dict[str, int] = {}
    for step in player.case.steps:
        try:
            player.play(step)
        except (CannotPlay, Stuck) as error:
            yield f"step {step.number}: cannot be played: {error}"
            return
        seen: dict[str, Observation] = {}
        for name, ticket_id in player.tickets.items():
            seen[name] = observe(player.world.otobo, ticket_id, newest.get(name, 0))
            newest[name] = seen[name].newest
        entries = listed.of(player.case.id, step.number, player.world.database)
        for problem in comparison.step(step, player, seen, entries):
            yield f"step {step.number}: {problem}"
    steps = {step.number for step in player.case.steps}
    for entry in listed.entries:
        if entry.case == player.case.id and entry.step not in steps:
            yield f"step {entry.step} is listed under {entry.rule}, and the case has no such step"


@contextmanager
def _folder() -> Iterator[Path]:
    """A folder for the settings file, which holds passwords."""
    with tempfile.TemporaryDirectory(prefix="fieldfare-conformance-") as name:
        yield Path(name)
