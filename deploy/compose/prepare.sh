#!/usr/bin/env bash
# Makes what compose.yaml needs beside the images: passwords, addresses, keys, certificates, folders, .env. Once, as root:
# only root can hand the files to the containers' users. What is there already stays as it is. No secret is printed.
#
#   ./prepare.sh bihuan.example.gov.cn
set -euo pipefail
umask 027
cd "$(dirname "${BASH_SOURCE[0]}")"
site=${1:-}
program=10001 readers=10002

if [[ ! -e .env ]]; then
    [[ -n $site ]] || { echo "用法 / usage: prepare.sh 域名" >&2; exit 2; }
    sed "s/^SITE=.*/SITE=$site/" env.example >.env
fi
mkdir -p secrets/keys secrets/tls secrets/authority secrets/temporal backups

# once FILE COMMAND...: the output of the command, where there is no file yet
once() {
    local file=$1
    shift
    [[ -e $file ]] || { "$@" >"$file.part" && mv "$file.part" "$file"; }
}
password() { head -c 24 /dev/urandom | od -An -v -tx1 | tr -d ' \n'; }
address() { printf 'postgresql://%s:%s@postgres:5432/bihuan\n' "$1" "$(<"secrets/$2")"; }

for name in postgres_superuser postgres_owner postgres_worker postgres_temporal grafana_admin; do
    once "secrets/$name" password
done
once secrets/database_url_owner address bihuan postgres_owner
once secrets/database_url_worker address bihuan_worker postgres_worker
# Empty means: no e-mail. For the connector: docker compose run --rm office key payload --out /etc/bihuan/keys/payload.key
once secrets/smtp_url true
once secrets/payload_key true
../temporal/certificates.sh secrets/temporal temporal localhost

# 32 bytes of chance each, as `bihuan key create` makes them.
once secrets/keys/master.key head -c 32 /dev/urandom
once secrets/keys/signing.key head -c 32 /dev/urandom

if [[ $EUID -ne 0 ]]; then
    echo "不是 root，文件未交给容器的用户 / not root: the files were not handed to the containers' users" >&2
    chown() { :; }
    chgrp() { :; }
fi
chgrp -R "$readers" secrets
chmod 0750 secrets secrets/temporal secrets/tls
find secrets -maxdepth 1 -type f -exec chmod 0440 {} +
find secrets/temporal secrets/tls -type f -exec chmod 0440 {} +
# The authority's own key signs new certificates: no container may read it.
chmod 0400 secrets/temporal/ca.key
chgrp 0 secrets/temporal/ca.key
# The program owns its keys (a rotation writes beside them), the proxy its authority, backups are written by `office`.
chown -R "$program:$program" secrets/keys secrets/authority backups
chmod 0700 secrets/keys secrets/authority backups
chmod 0600 secrets/keys/*.key
echo "已备好 / ready: $PWD/.env, $PWD/secrets"
echo "请把 secrets/keys 另行备份 / back secrets/keys up elsewhere now"
