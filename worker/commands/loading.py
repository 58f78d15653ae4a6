"""Where does a command get the settings? Here, when it runs: to know them takes a moment."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from worker.settings import Settings


def load() -> "Settings":
    """Read the settings from all their places.

    Raises:
        SettingsError: with file, key path, what is wrong, and what right would look like.
    """
    from worker import settings  # noqa: PLC0415 - heavy imports only where needed

    return settings.load()
