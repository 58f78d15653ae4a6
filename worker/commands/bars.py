"""How far has a command come? Bars on a terminal, nothing elsewhere."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from worker.progress import Progress as Tell


@contextmanager
def bars(words: Mapping[str, str]) -> Iterator[Tell]:
    """What is to be told of each step what is done of it; gone from the screen in the end.

    They are drawn on standard error, so that what is printed stays what it is.

    Args:
        words: what each step is called on the screen.
    """
    from rich.console import Console  # noqa: PLC0415 - heavy imports only where needed
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        Progress,
        TaskID,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    tasks: dict[str, TaskID] = {}
    hidden = not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=hidden) as shown:

        def tell(step: str, done: int, total: int) -> None:
            if step not in tasks:
                tasks[step] = shown.add_task(words[step])
            shown.update(tasks[step], completed=done, total=total)

        yield tell
