#!/usr/bin/env bash
# Every machine puts something of itself on a list in the profile, waits until all have, and prints the whole list, as JSON: members
# with their addresses, for a configuration that names them all. Nobody is on it twice, however often this runs.
#
# usage: gather.sh PROFILE PARAM PARTIES NODE VALUE [TIMEOUT]
set -euo pipefail
flotilla=${FLOTILLA:-flotilla}
profile=${1:?usage: gather.sh PROFILE PARAM PARTIES NODE VALUE [TIMEOUT]} param=${2:?PARAM is missing}
parties=${3:?PARTIES is missing} node=${4:?NODE is missing} value=${5:?VALUE is missing} timeout=${6:-10m}

# One call, however many do the same: nobody loses, nobody's entry is lost.
"$flotilla" profile append "$profile" param "$param" to "$value" >/dev/null
"$flotilla" progress "$node" --icon ship --color yellow --phase gathering --waiting-on "$param" >/dev/null
# 3 when not all came in time: the barrier says how many are missing.
"$flotilla" barrier "gather.$profile" --parties "$parties" --id "$node" --timeout "$timeout" >&2
"$flotilla" progress "$node" --icon anchor --color green --phase gathered --waiting-on "" >/dev/null
"$flotilla" profile get "$profile" param "$param"
