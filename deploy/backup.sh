#!/bin/sh
# Once a day: the database first, then the models, since a model is written before the record names it.
# Runs in the image of the database, whose tools fit its version.
set -eu

folder=/backup
keep=${KEEP_DAYS:-14}
every=${EVERY_S:-86400}
PGPASSWORD=$(cat /run/secrets/postgres_password)
export PGPASSWORD

back_up() {
    name=$folder/$(date -u +%Y%m%dT%H%M%SZ)
    mkdir -p "$name.part"
    pg_dump --host=postgres --username=filmloop --format=custom --no-owner --file="$name.part/record.dump" filmloop
    cp -a /artifacts "$name.part/artifacts"
    sync
    mv "$name.part" "$name"
    touch "$folder/newest"
    find "$folder" -maxdepth 1 -type d -name '20*Z' -mtime "+$keep" -exec rm -rf {} +
    find "$folder" -maxdepth 1 -type d -name '20*Z.part' -mtime +1 -exec rm -rf {} +
}

case ${1:-serve} in
    once) back_up ;;
    fresh) test -n "$(find "$folder/newest" -mmin "-$((every / 60 + 120))")" ;;
    serve)
        while :; do
            back_up || echo "the backup failed; the next try is in an hour" >&2
            if sh "$0" fresh; then sleep "$every"; else sleep 3600; fi
        done
        ;;
esac
