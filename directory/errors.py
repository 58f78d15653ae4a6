"""The directory's errors: a source did not answer, or can never answer as it is configured."""


class DirectoryError(Exception):
    """Something is wrong with the customer user directory."""


class SourceUnavailable(DirectoryError):
    """A customer user source did not answer.

    Attributes:
        slot: the source's slot.
        reason: error class and message, free of secrets and attribute values.
    """

    def __init__(self, slot: str, reason: str) -> None:
        super().__init__(f"source CustomerUser{slot} did not answer: {reason}")
        self.slot = slot
        self.reason = reason


class SourceOutcomeUnknown(SourceUnavailable):
    """Whether a source has written something is not known: its last answer never came."""


class SourceMisconfigured(DirectoryError):
    """A customer user source cannot work as it is configured.

    Attributes:
        slot: the source's slot.
        problem: what is wrong, where, and what to do.
    """

    def __init__(self, slot: str, problem: str) -> None:
        super().__init__(f"source CustomerUser{slot}: {problem}")
        self.slot = slot
        self.problem = problem


class SourceKindUnusable(DirectoryError, ValueError):
    """A kind of customer user source cannot be used; a ``ValueError`` where settings are checked.

    Attributes:
        kind: the kind's name in the settings.
        problem: what is wrong, of which package, and what to do.
    """

    def __init__(self, kind: str, problem: str) -> None:
        super().__init__(f'kind "{kind}": {problem}')
        self.kind = kind
        self.problem = problem
