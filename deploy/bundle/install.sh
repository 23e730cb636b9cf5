#!/usr/bin/env bash
# Installs Bihuan from this folder; needs no network and no compiler, only the Python named in PLATFORM with venv.
#
#   ./install.sh [FOLDER]           default /opt/bihuan
#
# The folder may hold an older release: it is replaced as a whole, data and settings lie elsewhere (/var/lib/bihuan,
# /etc/bihuan). Stop the services first; `bihuan upgrade --check` belongs before that (docs/operations/upgrade.md).
set -euo pipefail
umask 022
cd "$(dirname "${BASH_SOURCE[0]}")"
target=${1:-/opt/bihuan}
declare -A platform
while IFS='=' read -r name value; do platform[$name]=$value; done <PLATFORM
fail() { echo "$1" >&2; exit 1; }

[[ $(uname -s) == "${platform[system]}" && $(uname -m) == "${platform[arch]}" ]] \
    || fail "安装包适用于 ${platform[system]} ${platform[arch]} / this bundle is for ${platform[system]} ${platform[arch]}"
python=python${platform[python]}
command -v "$python" >/dev/null || fail "需要 $python / $python is needed"
sha256sum --check --quiet --strict SHA256SUMS || fail "文件有损坏，请重新拷贝 / files are damaged, copy them again"

new=$target.new
rm -rf "$new"
"$python" -m venv "$new"
# Hashes once more, by the installer itself; --isolated and --no-index: nothing is looked for anywhere else.
"$new/bin/python" -m pip install --isolated --disable-pip-version-check --quiet --no-index --find-links wheels --no-deps \
    --require-hashes --requirement requirements.txt
"$new/bin/python" -m pip install --isolated --disable-pip-version-check --quiet --no-index --no-deps wheels/bihuan-*.whl
cp -R deploy docs README.md README.zh-CN.md CHANGELOG.md SECURITY.md "$new/"
# Programs of a virtual environment know where they stand: they are told the place to which they move.
grep -rlIF "$new" "$new/bin" "$new/pyvenv.cfg" | xargs sed -i "s|$new|$target|g"
rm -rf "$target.old"
[[ ! -e $target ]] || mv "$target" "$target.old"
mv "$new" "$target"
rm -rf "$target.old"
"$target/bin/bihuan" settings --json >/dev/null
echo "已安装到 $target / installed in $target"
