#!/bin/sh
# Writes a random password into each file that docker-compose.yml asks for and that is not there.
#
# Usage: sh secrets.sh FOLDER
#
# Write passwords that exist already, such as that of the database user, into their files first. The
# folder is for its owner alone; the files are readable, because containers that run as different
# users are given single ones.
set -eu
folder=${1:?say into which folder}

mkdir -p "$folder"
chmod 700 "$folder"
for name in tickets__password redis_producer redis_worker redis_admin redis_caller \
    redis_resync redis_monitor flower_password grafana_admin demo_otobo; do
    if [ ! -s "$folder/$name" ]; then
        head -c 32 /dev/urandom | sha256sum | cut -c 1-48 >"$folder/$name"
    fi
    chmod 444 "$folder/$name"
done
