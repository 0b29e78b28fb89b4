#!/bin/sh
# Print ENGINE, if set, or the first of docker, podman and buildah that works here: a client of
# docker alone builds nothing.
[ -z "${ENGINE:-}" ] || { echo "$ENGINE"; exit; }

works() { "$@" info >/dev/null 2>&1; }

for engine in docker podman buildah; do
    # Asked twice: buildah without its usual storage answers once, and fails from then on.
    if works "$engine" && works "$engine"; then
        echo "$engine"
        exit
    fi
done
if works buildah --storage-driver vfs; then
    echo buildah --storage-driver vfs # inside a container, say
    exit
fi
echo "Needed: docker with its engine running, podman or buildah (apt-get install buildah)" >&2
exit 69
