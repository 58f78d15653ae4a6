"""How does a command take many options as one argument? Other commands take the same ones."""

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

Command: TypeAlias = Callable[..., None]


def option(name: str, annotation: Any, default: Any = None) -> inspect.Parameter:
    """An option as Typer reads it from a signature."""
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, kind, default=default, annotation=annotation)


def together(
    argument: str,
    options: Sequence[inspect.Parameter],
    gathered: Callable[[Mapping[str, Any]], Any],
) -> Callable[[Command], Command]:
    """Give a command some options, which it takes as one argument.

    Args:
        argument: of the command, by keyword; on the command line the options stand in its place.
        options: from ``option``.
        gathered: makes the argument of what was given, by the options' names.
    """

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def taking(**given: Any) -> None:
            own = {one.name: given.pop(one.name) for one in options}
            command(**{argument: gathered(own)}, **given)

        parameters = [
            one
            for parameter in inspect.signature(command).parameters.values()
            for one in (options if parameter.name == argument else [parameter])
        ]
        # Typer reads both.
        taking.__dict__["__signature__"] = inspect.Signature(parameters)
        taking.__annotations__ = {one.name: one.annotation for one in parameters}
        return taking

    return decorate
