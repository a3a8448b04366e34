#!/usr/bin/env bash
# Makes what a cluster shares: a profile that names itself, so that scripts find it. Run it on every machine:
# one makes it, the others find it made. Running it again changes nothing.
#
# usage: initialise.sh PROFILE [PARAMS_AS_JSON]
set -euo pipefail
flotilla=${FLOTILLA:-flotilla}
profile=${1:?usage: initialise.sh PROFILE [PARAMS_AS_JSON]}
params=${2:-'{}'}

code=0
"$flotilla" profile create "$profile" "{\"params\": $params, \"meta\": {\"icon\": \"object group outline\", \"color\": \"green\"}}" \
  >/dev/null 2>&1 || code=$?
case $code in
  0) echo "made $profile" ;;
  # Somebody else was first: that is what it is for.
  5) echo "found $profile" ;;
  *) echo "profile $profile could not be made" >&2; exit "$code" ;;
esac
# Of several that add it one does; all would say the same.
"$flotilla" profile add "$profile" param cluster/profile to "$profile" --string >/dev/null 2>&1 || [[ $? -eq 5 ]]
