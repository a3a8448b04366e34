#!/usr/bin/env bash
# Runs a command on one machine of all, puts what it prints into a param, and prints that on every machine: a certificate, an
# address, a key to join with. Where the machine dies before the param is set, the next one runs the command.
#
# usage: once.sh PROFILE PARAM COMMAND [ARGUMENT]...
set -euo pipefail
flotilla=${FLOTILLA:-flotilla}

# As the leader, which calls this script once more.
if [[ ${1:-} == --lead ]]; then
  profile=$2 param=$3
  shift 3
  # Whoever led before may have done it.
  "$flotilla" profile get "$profile" param "$param" >/dev/null 2>&1 && exit
  made=$("$@")
  # Sent with the fence of this leader: one that was replaced meanwhile writes nothing.
  exec "$flotilla" profile add "$profile" param "$param" to "$made" --string >/dev/null
fi

profile=${1:?usage: once.sh PROFILE PARAM COMMAND...} param=${2:?PARAM is missing}
shift 2
# A name for the election of this param: digits and dots, whatever the param is called.
election=once.$(printf '%s/%s' "$profile" "$param" | cksum | tr ' ' .)

if ! "$flotilla" profile get "$profile" param "$param" >/dev/null 2>&1; then
  "$flotilla" elect "$election" -- bash "$0" --lead "$profile" "$param" "$@"
fi
"$flotilla" wait "$profile" param "$param" --exists >/dev/null
"$flotilla" profile get "$profile" param "$param" --raw
