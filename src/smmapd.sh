#!/bin/sh
# Starts the program. Node.js needs a moment until it can heed signals, a shell heeds them at once. Under Cyrus' master(8)
# the difference matters: SIGHUP goes also to children that have hardly begun, an end by it counts as a crash, and after
# five of those master gives the service up. So there the shell stays, and hands signals on once the program says so.
wanted=
heeds=
trap 'wanted=HUP' HUP
trap 'wanted=TERM' INT QUIT TERM
trap 'heeds=yes' USR1

main=$(dirname "$(readlink -f "$0")")/../dist/src/main.js
if [ -z "$CYRUS_SERVICE" ] || [ ! -p /dev/fd/3 ]; then
  trap - HUP INT QUIT TERM USR1
  exec node "$main" "$@"
fi

SMMAPD_SHELL=$$ node "$main" "$@" &
child=$!
while kill -s 0 "$child" 2>/dev/null; do
  if [ -n "$heeds" ] && [ -n "$wanted" ]; then
    kill -s "$wanted" "$child"
    wanted=
    # Once is enough, and on its way out it heeds nothing any more.
    trap '' HUP
  fi
  # Until it ends, or a signal comes.
  wait "$child"
done
wait "$child"
status=$?
if [ -z "$heeds$wanted" ]; then
  logger -p mail.err -t "$CYRUS_SERVICE" "$main has not come up (status $status): run it by hand to see why"
  # Failures that are further apart than this do not add up.
  sleep 11 3>&- 4>&- &
  wait $!
fi
exit "$status"
