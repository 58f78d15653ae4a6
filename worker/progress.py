"""How does work that takes long tell how far it has come?"""

from collections.abc import Callable
from typing import TypeAlias

Progress: TypeAlias = Callable[[str, int, int], None]
"""Is told a step, how much of it is done, and how much there is."""
