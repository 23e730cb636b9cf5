#!/usr/bin/env bash
# Rolls a release out: first the schema and the namespace (what is labelled rollout=first), then the processes.
#
#   deploy/kubernetes/roll-out.sh office|district|city [CONTEXT]
#
# Before it: back up, and `bihuan upgrade --check` with the new release (docs/operations/upgrade.md). While it runs, the
# old release goes on beside the new schema. It ends with an error where a new process does not become ready; the old
# ones then still serve.
set -euo pipefail
overlay=${1:?"用法 / usage: roll-out.sh office|district|city [context]"}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
kubectl=(kubectl)
[[ -z ${2:-} ]] || kubectl+=(--context "$2")

manifests=$(kubectl kustomize "$here/overlays/$overlay")
# Jobs cannot be changed, only made anew.
"${kubectl[@]}" --namespace bihuan delete job migrate namespace --ignore-not-found --wait
"${kubectl[@]}" apply --filename - --selector rollout=first <<<"$manifests"
"${kubectl[@]}" --namespace bihuan wait --for=condition=complete --timeout=30m job/migrate job/namespace
"${kubectl[@]}" apply --filename - <<<"$manifests"
for deployment in worker witness console proxy; do
    "${kubectl[@]}" --namespace bihuan rollout status --timeout=15m "deployment/$deployment"
done
