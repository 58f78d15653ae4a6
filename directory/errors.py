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
