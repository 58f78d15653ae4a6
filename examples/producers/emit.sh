#!/bin/sh
# Tell Fieldfare that a ticket was created. Needs redis-cli (Debian: redis-tools).
# Usage: REDIS_URL=redis://127.0.0.1:6379/0 emit.sh TICKET_ID
# Where Redis asks for a user: REDIS_USER=producer REDISCLI_AUTH=password
set -eu
redis-cli -e -u "${REDIS_URL:-redis://127.0.0.1:6379/0}" ${REDIS_USER:+--user "$REDIS_USER"} \
    XADD fieldfare:events '*' type ticket.created ticket_id "$1"
