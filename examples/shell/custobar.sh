#!/usr/bin/env bash
# Custobar into a target, from cron: each run continues from the state of the one before.
#
# Usage: custobar.sh FOLDER [TARGET]
#
# FOLDER holds tap.json and target.json (chmod 600: they hold secrets) and, where fields are
# selected, catalog.json. The tap and the target (target-postgres by default) are on the PATH.
# All output goes to FOLDER/log. A failed run prints its last lines, which cron mails to MAILTO,
# posts a line of JSON to CUSTOBAR_WEBHOOK if that is set, and ends with the exit code of the
# program that failed. A run that succeeds prints nothing. A second run at the same time ends with 75.
set -euo pipefail
exec 3>&2

report() {
  local code=$?
  [ "$code" -ne 0 ] || return 0
  echo "custobar.sh failed with exit code $code in ${1:-no folder}" >&3
  if [ -n "${log_start:-}" ]; then
    tail --bytes "+$((log_start + 1))" log | tail --lines 20 >&3
  fi
  [ -n "${CUSTOBAR_WEBHOOK:-}" ] || return 0
  local job
  job=$(basename "${1:-custobar}" | tr --complement '[:alnum:]._\n-' _)
  # The URL may hold a secret: on stdin no list of processes shows it.
  curl --silent --show-error --fail --max-time 30 --output /dev/null --config - \
    --header 'Content-Type: application/json' --data \
    "{\"job\": \"$job\", \"exit_code\": $code, \"text\": \"$job: exit code $code\"}" \
    <<< "url = \"$CUSTOBAR_WEBHOOK\"" 2>&3 || echo "CUSTOBAR_WEBHOOK could not be reached." >&3
}
trap 'report "$@"' EXIT

cd "${1:?"usage: custobar.sh FOLDER [TARGET]"}"
target=${2:-target-postgres}
export PGTZ=UTC # target-postgres stores date-times in the zone of its session

exec 9> lock
flock --nonblock 9 || { echo "The previous run is still running." >&2; exit 75; }

exec 2>> log
log_start=$(wc --bytes < log)

options=(--config tap.json)
for kind in catalog state; do
  if [ -s "$kind.json" ]; then options+=("--$kind" "$kind.json"); fi
done

# A target writes a state once all records before it are stored. Each complete line replaces the
# previous state atomically; without any, the next run starts where this one did.
tap-custobar "${options[@]}" | "$target" --config target.json | while IFS= read -r state; do
  printf '%s\n' "$state" > state.json.new
  mv state.json.new state.json
done
