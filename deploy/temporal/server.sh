#!/bin/sh
# Starts the Temporal server with the password of its databases from a file: the image itself knows only the variable.
set -eu
POSTGRES_PWD=$(cat /run/secrets/postgres_temporal)
export POSTGRES_PWD
exec /etc/temporal/entrypoint.sh
