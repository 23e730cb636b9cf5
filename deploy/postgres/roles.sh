#!/bin/bash
# Makes databases and logins on a new PostgreSQL server, once, as its superuser (psql finds the server by PG...).
#
#   bihuan         owns the ledger: bihuan migrate, registry load, rules import, calendar import, rebuild
#   bihuan_worker  workers and doors: append through the ledger's functions and read, nothing else (role bihuan_app)
#   temporal       owns Temporal's two databases and nothing of the ledger
#
# Passwords come from files, so that they stand in no process list and no log: one line each in
# SECRETS (default /run/secrets): postgres_owner, postgres_worker, postgres_temporal.
set -euo pipefail
SECRETS=${SECRETS:-/run/secrets}

for name in owner worker temporal; do
    test -s "$SECRETS/postgres_$name" || { echo "缺少口令文件 / missing: $SECRETS/postgres_$name" >&2; exit 1; }
done

# \getenv keeps the values out of the command line; format() quotes them.
OWNER_PASSWORD=$(<"$SECRETS/postgres_owner") WORKER_PASSWORD=$(<"$SECRETS/postgres_worker") \
    TEMPORAL_PASSWORD=$(<"$SECRETS/postgres_temporal") \
    psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" --dbname postgres <<'SQL'
set log_statement = 'none';
\getenv owner OWNER_PASSWORD
\getenv worker WORKER_PASSWORD
\getenv temporal TEMPORAL_PASSWORD
create role bihuan_app nologin;
create role bihuan login password :'owner';
create role bihuan_worker login password :'worker' in role bihuan_app;
create role temporal login password :'temporal';
grant bihuan_app to bihuan with admin option;
create database bihuan owner bihuan encoding 'UTF8' template template0;
create database temporal owner temporal encoding 'UTF8' template template0;
create database temporal_visibility owner temporal encoding 'UTF8' template template0;
revoke all on database bihuan, temporal, temporal_visibility from public;
grant connect on database bihuan to bihuan_worker;
SQL
