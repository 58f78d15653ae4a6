#!/bin/sh
# Prints the users of a Redis 7 or Valkey as an ACL file: who may do what with Fieldfare's keys.
#
# Usage: sh users.sh FOLDER [DATABASE] > users.acl
#
# FOLDER has the password of each user in a file: redis_producer, redis_worker, redis_admin,
# redis_caller, redis_resync, redis_monitor. What is printed has only their hashes. DATABASE is the number at the end of
# redis.url, 0 if nothing is said.
set -eu
folder=${1:?say in which folder the passwords are}
database=${2:-0}

hash() {
    password=$(cat "$folder/redis_$1")
    if [ -z "$password" ]; then
        echo "users.sh: $folder/redis_$1 is empty; write a password into it" >&2
        exit 1
    fi
    printf %s "$password" | sha256sum | cut -d ' ' -f 1
}

producer=$(hash producer)
worker=$(hash worker)
admin=$(hash admin)
caller=$(hash caller)
resync=$(hash resync)
monitor=$(hash monitor)

# What connects a client, and nothing that looks at others or changes the server.
connect='+@connection -@admin -@dangerous'
# What a worker does with its own keys: all that concerns data, and INFO to tell how Redis is.
work='+@all -@admin -@dangerous +info'
# Celery's channels: remote control of workers, and their signs of life. Who subscribes to a pattern
# must be allowed that very pattern.
channel="&fieldfare:celery:/$database"
control="$channel.celery.pidbox $channel.celeryev/* $channel.celeryev/worker.*"
# Where Celery keeps which queue is bound to which exchange, and answers to remote control.
celery='~fieldfare:celery:_kombu.* ~fieldfare:celery:*.celery.pidbox*'

# To call admin workers: put calls into their queue and take them back, see who is at work, and take
# answers. Which key an answer has only who called knows, and nothing here lists keys.
call='(+lpush +lrange +lrem ~fieldfare:celery:admin) (+zrange %R~fieldfare:workers) (+mget %R~fieldfare:worker:*) (+get +mget +del ~fieldfare:celery:celery-task-meta-*)'

# To append events, and to ring.
emit='(%W~fieldfare:events +xadd) (%W~fieldfare:bell +set) (%W~fieldfare:celery:events +lpush)'

cat <<ACL
user default on nopass resetkeys resetchannels -@all +ping
user producer on #$producer resetkeys resetchannels -@all $connect $emit
user worker on #$worker resetkeys resetchannels $control $work (+hgetall %R~fieldfare:jobs:standing) ~fieldfare:events ~fieldfare:bell ~fieldfare:dead ~fieldfare:waiting:* ~fieldfare:handled ~fieldfare:announced ~fieldfare:sweep ~fieldfare:sweep:* ~fieldfare:cache:* ~fieldfare:sources ~fieldfare:guard ~fieldfare:guard:* ~fieldfare:added ~fieldfare:watch:* ~fieldfare:refresh ~fieldfare:refresh:* ~fieldfare:workers ~fieldfare:worker:* ~fieldfare:celery:events* ~fieldfare:celery:unacked* $celery
user admin on #$admin resetkeys resetchannels $control &fieldfare:celery:celery-task-meta-* $work ~fieldfare:cache:* ~fieldfare:sources ~fieldfare:workers ~fieldfare:worker:* ~fieldfare:celery:admin* ~fieldfare:celery:celery-task-meta-* ~fieldfare:audit ~fieldfare:begun ~fieldfare:renames $celery $emit
user caller on #$caller resetkeys resetchannels &fieldfare:celery:celery-task-meta-* -@all $connect +subscribe +unsubscribe +psubscribe +punsubscribe $call
user resync on #$resync resetkeys resetchannels $control &fieldfare:celery:celery-task-meta-* $work (+xlen %R~fieldfare:events) (+hget %R~fieldfare:guard) ~fieldfare:jobs ~fieldfare:jobs:* ~fieldfare:job:* ~fieldfare:cache:* ~fieldfare:sources ~fieldfare:added ~fieldfare:workers ~fieldfare:worker:* ~fieldfare:celery:resync* ~fieldfare:celery:celery-task-meta-* $celery
user monitor on #$monitor resetkeys resetchannels $control -@all $connect +@transaction +@pubsub +info +time (+@read -@dangerous %R~fieldfare:events %R~fieldfare:dead %R~fieldfare:waiting:* %R~fieldfare:bell %R~fieldfare:sweep %R~fieldfare:sweep:* %R~fieldfare:sources %R~fieldfare:guard %R~fieldfare:workers %R~fieldfare:worker:*) (+hgetall %R~fieldfare:jobs:standing) (+zcard %R~fieldfare:refresh) (+xgroup|create %W~fieldfare:events) (+llen ~fieldfare:celery:events* ~fieldfare:celery:admin* ~fieldfare:celery:resync*) ($work $celery ~fieldfare:celery:monitor.* ~fieldfare:celery:celeryev.*)
ACL
