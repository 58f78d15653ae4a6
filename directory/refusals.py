"""Why was something not written? A code, the field and the rule, for programs and for people.

Nothing was written when one of these is raised.
"""

from typing import Literal, TypeAlias

from directory.errors import DirectoryError

Refusal: TypeAlias = Literal[
    "cannot_be_deleted",
    "changed_meanwhile",
    "duplicate_assignment",
    "duplicate_customer",
    "duplicate_email",
    "duplicate_login",
    "invalid_customer",
    "no_match",
    "no_password_column",
    "not_a_choice",
    "not_a_date",
    "not_a_number",
    "not_assigned",
    "not_valid_utf8",
    "read_only_field",
    "read_only_source",
    "refused_by_database",
    "required",
    "too_long",
    "unknown_customer",
    "unknown_customer_user",
    "unknown_field",
    "unknown_source",
    "wrong_arguments",
    "wrong_email",
]
"""What a caller can tell apart; documented for those who call the tasks."""


class Refused(DirectoryError):
    """A write was against a rule.

    Attributes:
        error: the code.
        message: what is wrong and what to do; it names logins, customer ids and variables, and
            repeats no other value.
        field: the variable concerned, e.g. ``UserEmail``; empty if it is none.
        source: ``CustomerUser1``, ``CustomerCompany``; empty if it is none.
    """

    def __init__(self, error: Refusal, message: str, *, field: str = "", source: str = "") -> None:
        super().__init__(message)
        self.error = error
        self.message = message
        self.field = field
        self.source = source
