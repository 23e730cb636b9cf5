#!/bin/sh
# Makes or updates the schema of Temporal's two databases; run before the server, again before each newer server.
# In the image temporalio/admin-tools of the same version as the server. Running it again changes nothing.
set -eu
SQL_PASSWORD=$(cat /run/secrets/postgres_temporal)
export SQL_PASSWORD
export SQL_PLUGIN=postgres12 SQL_HOST="${POSTGRES_SEEDS:-postgres}" SQL_PORT="${DB_PORT:-5432}" SQL_USER=temporal

for kind in temporal visibility; do
    case $kind in
        temporal) export SQL_DATABASE=temporal ;;
        visibility) export SQL_DATABASE=temporal_visibility ;;
    esac
    # "setup-schema -v 0.0" makes the table of versions; on a database that has one it is refused, which is no failure.
    temporal-sql-tool setup-schema -v 0.0 || true
    temporal-sql-tool update-schema -d "/etc/temporal/schema/postgresql/v12/$kind/versioned"
done
