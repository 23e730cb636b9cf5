#!/usr/bin/env bash
# Collects everything an installation without a network needs into build/bundle and one archive beside it: the wheels of
# the lock for one platform, our own wheel, deploy/, the documents, the bill of materials, checksums, install.sh.
#
#   make bundle                     for this machine's processor and this Python
#   make bundle ARCH=aarch64        for another processor (x86_64, aarch64), the same Python, Linux
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
here=$(uname -m)
arch=${1:-$here}
uv=${UV:-uv} bin=${BIN:-.venv/bin} out=build/bundle
python=$("$bin/python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')

rm -rf "$out"
mkdir -p "$out/wheels"
"$uv" export --offline --frozen --no-dev --all-extras --no-emit-project --quiet --output-file "$out/requirements.txt"
choice=()
if [[ $arch != "$here" ]]; then
    # What a wheel for Linux may call itself, from newest to oldest.
    for libc in manylinux_2_34 manylinux_2_28 manylinux_2_24 manylinux_2_17 manylinux2014 linux; do
        choice+=(--platform "${libc}_$arch")
    done
    choice+=(--python-version "$python" --implementation cp)
fi
# --only-binary: where it is installed there is no compiler either.
"$uv" tool run --from 'pip>=25,<27' pip download --disable-pip-version-check --quiet --no-deps --only-binary :all: --require-hashes \
    "${choice[@]}" --dest "$out/wheels" --requirement "$out/requirements.txt"
"$bin/hatchling" build --target wheel --directory "$out/wheels" >/dev/null
cp -R deploy docs README.md README.zh-CN.md CHANGELOG.md SECURITY.md "$out/"
rm -rf "$out"/deploy/compose/{secrets,backups,.env}
[[ ! -e build/sbom.json ]] || cp build/sbom.json "$out/"
install -m 0755 deploy/bundle/install.sh "$out/install.sh"
printf 'python=%s\narch=%s\nsystem=%s\n' "$python" "$arch" "$(uname -s)" >"$out/PLATFORM"
(cd "$out" && find . -type f ! -name SHA256SUMS -print0 | LC_ALL=C sort -z | xargs -0 "${SHA256SUM:-sha256sum}" >SHA256SUMS)
version=$(basename "$out"/wheels/bihuan-*.whl | cut -d- -f2)
archive="build/bihuan-$version-$(uname -s | tr '[:upper:]' '[:lower:]')-$arch-py$python.tar.gz"
tar -C build -czf "$archive" bundle
echo "$archive"
