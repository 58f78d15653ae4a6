"""The mapping's errors: it is written wrong, or a value cannot be made from it.

MappingError
├── TransformError    a transform is written wrong; found when the mapping is built
├── TransformFailed   a text does not suit a transform; found when it is applied
└── NotText           an attribute is not text; found when it is read
"""


class MappingError(ValueError):
    """The mapping is written wrong.

    Attributes:
        problem: what is wrong and an example of right; never an attribute's value.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


class TransformError(MappingError):
    """A transform is written wrong."""


class TransformFailed(MappingError):
    """A transform cannot do its work on this text.

    Attributes:
        transform: the transform's name and arguments, e.g. ``date('%d.%m.%Y')``.
    """

    def __init__(self, transform: str, problem: str) -> None:
        super().__init__(f"{transform}: {problem}")
        self.transform = transform


class NotText(MappingError):
    """The bytes of an attribute are not text (deviation D21).

    Attributes:
        variable: the attribute's variable.
    """

    def __init__(self, variable: str) -> None:
        super().__init__(f"{variable} is not text")
        self.variable = variable
