#!/usr/bin/env bash
# Custobar into a target, from cron: each run goes on from the state of the one before.
#
# Usage: custobar.sh FOLDER [TARGET]
#
# FOLDER holds tap.json and target.json (chmod 600: they hold secrets) and, where fields are
# selected, catalog.json. The tap and the target (target-postgres unless told otherwise) are
# on the PATH. What it ends with is the exit code of what failed, 0 where nothing did.
set -euo pipefail
cd "${1:?"usage: custobar.sh FOLDER [TARGET]"}"
target=${2:-target-postgres}
export PGTZ=UTC # target-postgres stores date-times in the zone of its session

exec 9> lock
flock --nonblock 9 || { echo "The run before is still at it." >&2; exit 75; }

options=(--config tap.json)
for kind in catalog state; do
  if [ -s "$kind.json" ]; then options+=("--$kind" "$kind.json"); fi
done

# A target writes a state once all that it stands for is stored. Each whole line of it takes
# the place of the one before at once; without any, the next run begins where this one did.
tap-custobar "${options[@]}" | "$target" --config target.json | while IFS= read -r state; do
  printf '%s\n' "$state" > state.json.new
  mv state.json.new state.json
done
