#!/bin/sh
# Run by multi-gitter in a clone of one service's repository; it commits what this changes.
# Each run has a copy of the fleet's folder of its own, since they run side by side.
set -eu
name=${REPOSITORY#*/}
fleet=$(mktemp -d)
trap 'rm -rf "$fleet"' EXIT
cp -R "$STAMPEDE_FLEET/." "$fleet"
mkdir -p "$fleet/repositories"
ln -s "$PWD" "$fleet/repositories/$name"
# 3 awaits a person: nothing may be committed, and multi-gitter says which repository it was.
stampede apply "$fleet/fleet.yml" --only "repositories/$name" --jobs 1
