"""Which environment variables are ours? One for each setting, and two that say where others are."""

ENV_PREFIX = "FIELDFARE_"
CONFIG_VARIABLE = "FIELDFARE_CONFIG"
SECRETS_VARIABLE = "FIELDFARE_SECRETS_DIR"
RESERVED_VARIABLES = frozenset({CONFIG_VARIABLE, SECRETS_VARIABLE})
