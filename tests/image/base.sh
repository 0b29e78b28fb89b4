#!/usr/bin/env bash
# Print the base image to build on: that of the Dockerfile or, if no registry responds, a similar one
# made from Debian's packages. Making it takes two minutes, once.
set -euo pipefail
cd "$(dirname "$0")/../.."
engine=$(scripts/container_engine.sh)
own=$(sed -n 's/^ARG BASE=//p' Dockerfile)
made=localhost/debian-python:bookworm

has() { $engine inspect --type image "$1" >/dev/null 2>&1; }

if has "$own" || { ! has "$made" && $engine pull --quiet "$own" >/dev/null; }; then
    echo "$own"
    exit
fi
if ! has "$made"; then
    echo "No registry responds: making a base image with debootstrap" >&2
    if [ "$(id -u)" != 0 ] || ! type debootstrap >/dev/null 2>&1; then
        echo "This needs root and debootstrap (apt-get install debootstrap)" >&2
        exit 69
    fi
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    debootstrap --variant=minbase --include=ca-certificates,python3,python3-venv bookworm \
        "$folder" >"$folder.log" || { cat "$folder.log" >&2; exit 1; }
    rm "$folder.log"
    # A slim image does not have these either.
    rm -rf "$folder"/usr/share/{doc,info,locale,man}/* "$folder"/var/cache/apt/* \
        "$folder"/var/lib/apt/lists/* "$folder"/var/log/*
    if [ "${engine%% *}" = buildah ]; then
        container=$($engine from scratch)
        $engine add --quiet "$container" "$folder" / >/dev/null
        $engine commit --quiet --rm "$container" "$made" >/dev/null
    else
        tar --create --directory "$folder" . | $engine import - "$made" >/dev/null
    fi
fi
echo "$made"
