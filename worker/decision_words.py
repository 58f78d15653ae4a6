"""Why was a field written, emptied or left alone, in words for people?"""

from collections.abc import Mapping

from mapping.model import Reason

REASONS: Mapping[Reason, str] = {
    Reason.FOUND: "the customer user's value",
    Reason.EMPTY: "the customer user has no value for it",
    Reason.DEFAULT: "the customer user has no value for it; the rule's default stands in",
    Reason.UNKNOWN_CUSTOMER_USER: "no source knows the customer user",
    Reason.NO_CUSTOMER_USER: "the ticket has no customer user",
    Reason.WRITTEN_LATER: "somebody wrote the field after the customer user was set",
    Reason.OWNED_BY_SCREEN: "the field is enabled on the screen that raised the event",
    Reason.SUBMITTED: "the request submitted the field",
    Reason.MANUAL_EDIT: 'somebody typed a value, and the rule says on_manual_edit = "keep"',
    Reason.NO_SUCH_FIELD: "the ticket system has no dynamic field of this name",
    Reason.INVALID_FIELD: "the dynamic field is not valid",
    Reason.WRONG_OBJECT_TYPE: "the dynamic field does not belong to tickets",
    Reason.UNSUPPORTED_TYPE: "fields of this type cannot be filled from a directory",
    Reason.SECRET: "passwords are never written into a ticket",
    Reason.NOT_TEXT: "the directory's value is not text",
    Reason.INVALID_VALUE: "the field type refuses the directory's value",
    Reason.TRANSFORM_FAILED: "a transform cannot work on the directory's value",
    Reason.STALE: "the source is away; what it said before has no value, and empties nothing",
    Reason.NOT_EMPTY: "the field holds a value, and only empty ones are filled",
    Reason.OVERLONG: 'the value is longer than 3800 characters, and overlong = "keep"',
}
"""What each reason means, for people."""
