#!/usr/bin/env bash
# Runs a command on as many machines as may lead at once. One that dies, freezes or is cut off is replaced by the next in line,
# and its command is ended before. The others show that they wait.
#
# usage: lead.sh ELECTION SEATS NODE COMMAND [ARGUMENT]...
set -euo pipefail
flotilla=${FLOTILLA:-flotilla}
election=${1:?usage: lead.sh ELECTION SEATS NODE COMMAND...} seats=${2:?SEATS is missing} node=${3:?NODE is missing}
shift 3

"$flotilla" progress "$node" --icon ship --color yellow --phase waiting --waiting-on "$election" >/dev/null
exec "$flotilla" elect "$election" --seats "$seats" --id "$node" --node "$node" -- \
  bash -c '"$0" progress "$1" --icon anchor --color purple --phase leading --waiting-on "" >/dev/null && shift && exec "$@"' \
  "$flotilla" "$node" "$@"
