#!/usr/bin/env bash
# Makes an authority of the office's own and from it the certificates by which Temporal and its clients know each other.
#
#   deploy/temporal/certificates.sh FOLDER [NAME...]
#
# FOLDER/ca.pem                     goes to everybody
# FOLDER/server.pem, server.key     the Temporal server; valid for NAME... (default: temporal, localhost)
# FOLDER/worker.pem, console.pem, connector.pem, operator.pem and their keys: one for each kind of client
# FOLDER/ca.key                     signs new ones: keep it off the servers
#
# What is there already stays; delete a pair to have it made anew. Valid for 825 days, the authority for ten years.
# A client reads its certificate when it starts: restart it, one by one, after a change.
set -euo pipefail
umask 077
folder=${1:?"用法 / usage: certificates.sh FOLDER [NAME...]"}
shift
names=("$@")
((${#names[@]})) || names=(temporal localhost)
mkdir -p "$folder"
cd "$folder"

if [[ ! -e ca.key ]]; then
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -sha256 \
        -subj "/O=Bihuan/CN=Bihuan Temporal CA" -addext "basicConstraints=critical,CA:TRUE,pathlen:0" \
        -addext "keyUsage=critical,keyCertSign,cRLSign" -keyout ca.key -out ca.pem 2>/dev/null
fi

# make NAME EXTENSIONS
make() {
    [[ ! -e $1.key ]] || return 0
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -sha256 -subj "/O=Bihuan/CN=$1" \
        -keyout "$1.key" -out "$1.csr" 2>/dev/null
    openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days 825 -sha256 \
        -extfile <(printf '%s\n' "basicConstraints=critical,CA:FALSE" "keyUsage=critical,digitalSignature" "$2") \
        -out "$1.pem" 2>/dev/null
    rm "$1.csr"
}

san=$(printf ',DNS:%s' "${names[@]}")
# The server's parts are clients of each other, with the same certificate.
make server "extendedKeyUsage=serverAuth,clientAuth
subjectAltName=${san:1}"
for client in worker console connector operator; do
    make "$client" "extendedKeyUsage=clientAuth
subjectAltName=DNS:$client"
done
chmod 644 ./*.pem
echo "证书在 / certificates in $PWD"
