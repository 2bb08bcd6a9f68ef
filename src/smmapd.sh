#!/bin/sh
# Starts the program. Node.js needs a moment until it can handle signals, a shell handles them at once. Under Cyrus'
# master(8) the difference matters: SIGHUP goes also to children that have hardly begun, an end by it counts as a crash,
# and after five of those master gives the service up. So there the shell stays, and passes signals on to the program once
# the program has said by SIGUSR1 that it handles them.
wanted=
isReady=
child=
signals=0
# Each trap passes on, so that no signal waits between two commands for the next one.
pass() {
  signals=$((signals + 1))
  [ -n "$wanted" ] && [ -n "$isReady" ] && [ -n "$child" ] || return 0
  kill -s "$wanted" "$child" 2>/dev/null
  wanted=
}
trap 'wanted=HUP; pass' HUP
trap 'wanted=TERM; pass' INT QUIT TERM
trap 'isReady=yes; pass' USR1

main=$(dirname "$(readlink -f "$0")")/../dist/src/main.js
if [ -z "$CYRUS_SERVICE" ] || [ ! -p /dev/fd/3 ]; then
  trap - HUP INT QUIT TERM USR1
  exec node "$main" "$@"
fi
# In its POSIX mode bash forgets the status of a child that ends while a signal interrupts the wait.
[ -z "$BASH_VERSION" ] || set +o posix

SMMAPD_SHELL=$$ node "$main" "$@" &
child=$!
pass

# A trapped signal interrupts a wait, whose status is then that of the signal: once more.
seen=
while [ "$seen" != "$signals" ]; do
  seen=$signals
  wait "$child"
  status=$?
done
child=
if [ -z "$isReady$wanted" ]; then
  logger -p mail.err -t "$CYRUS_SERVICE" "$main has not come up (status $status): run it by hand to see why"
  # Failures that are further apart than this do not add up. A signal ends the wait.
  sleep 11 3>&- 4>&- &
  wait $!
fi
exit "$status"
