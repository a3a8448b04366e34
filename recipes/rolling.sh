#!/usr/bin/env bash
# Runs a command on every machine, on so many at a time, in order of coming: a restart, an upgrade. A machine that dies makes room.
# Where the command fails, the exit code is its own, and the param PROFILE rolling/stop keeps those behind it from beginning.
#
# usage: rolling.sh PROFILE WIDTH NODE COMMAND [ARGUMENT]...
set -euo pipefail
flotilla=${FLOTILLA:-flotilla}

# When its turn has come, the lock calls this script once more.
if [[ ${1:-} == --turn ]]; then
  profile=$2 node=$3
  shift 3
  if reason=$("$flotilla" profile get "$profile" param rolling/stop 2>/dev/null); then
    "$flotilla" progress "$node" --color red --phase stopped --message "$reason" --waiting-on "" >/dev/null
    echo "not begun: $reason" >&2
    exit 4
  fi
  "$flotilla" progress "$node" --icon ship --color yellow --phase working --waiting-on "" >/dev/null
  code=0
  "$@" || code=$?
  if [[ $code -ne 0 ]]; then
    "$flotilla" profile set "$profile" param rolling/stop to "failed on $node" --string >/dev/null
    "$flotilla" progress "$node" --color red --phase failed >/dev/null
    exit "$code"
  fi
  exec "$flotilla" progress "$node" --icon anchor --color green --phase done --percent 100 >/dev/null
fi

profile=${1:?usage: rolling.sh PROFILE WIDTH NODE COMMAND...} width=${2:?WIDTH is missing} node=${3:?NODE is missing}
shift 3
"$flotilla" progress "$node" --icon ship --color yellow --phase waiting --waiting-on "rolling $profile" >/dev/null
exec "$flotilla" lock "rolling.$profile" --slots "$width" --id "$node" -- bash "$0" --turn "$profile" "$node" "$@"
