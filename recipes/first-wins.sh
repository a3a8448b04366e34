#!/usr/bin/env bash
# Of all that run it at the same moment, exactly one puts its name into the param, where "none" is; all print the winner.
# The name stays until somebody sets it back. For a leader that is replaced when it dies, see lead.sh.
#
# usage: first-wins.sh PROFILE PARAM WHO
set -euo pipefail
flotilla=${FLOTILLA:-flotilla}
profile=${1:?usage: first-wins.sh PROFILE PARAM WHO} param=${2:?PARAM is missing} me=${3:?WHO is missing}

# `profile get` prints a text without quotes: with them, [[ $leader == none ]] would never be true.
leader=$("$flotilla" profile get "$profile" param "$param")
while [[ $leader == none ]]; do
  code=0
  "$flotilla" profile set "$profile" param "$param" to "$me" --string -r "$leader" >/dev/null 2>&1 || code=$?
  # 0: we have it. 5: somebody else was faster, and has it. Anything else is no lost race: nobody should go on as if it were.
  [[ $code -eq 0 || $code -eq 5 ]] || exit "$code"
  leader=$("$flotilla" profile get "$profile" param "$param")
done
echo "$leader"
