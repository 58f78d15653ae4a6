#!/bin/sh
# Tell Fieldfare that a ticket was created. Needs redis-cli (Debian: redis-tools).
# Usage: REDIS_URL=redis://127.0.0.1:6379/0 emit.sh TICKET_ID
set -eu
redis-cli -e -u "${REDIS_URL:-redis://127.0.0.1:6379/0}" \
    XADD fieldfare:events '*' type ticket.created ticket_id "$1"
