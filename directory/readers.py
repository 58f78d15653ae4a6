"""Which readers add what the ticket system knows of customer users? ``directory.companions``."""

PREFERENCES, COMPANIES, DYNAMIC_FIELDS = "preferences", "companies", "dynamic_fields"
"""The readers by name, as their circuits are kept."""

READERS = (PREFERENCES, COMPANIES, DYNAMIC_FIELDS)
