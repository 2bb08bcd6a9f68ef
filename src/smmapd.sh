#!/bin/sh
# Starts the program. Node.js needs some time until it can handle signals; a shell handles them immediately. Under Cyrus'
# master(8) this matters: master sends SIGHUP also to children that are starting, counts an exit by a signal as a crash, and
# disables the service after five crashes. Under master(8) the shell therefore keeps running, and passes signals on to the
# program once the program has sent SIGUSR1, which means that its handlers are installed.
wanted=
isReady=
child=
signals=0
# Every trap calls pass, so that no signal is held back until the next one arrives.
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
# In POSIX mode, bash loses the status of a child that exits while a signal interrupts the wait.
[ -z "$BASH_VERSION" ] || set +o posix

SMMAPD_SHELL=$$ node "$main" "$@" &
child=$!
pass

# A trapped signal interrupts wait, which then returns the status of the signal, so wait is called again.
seen=
while [ "$seen" != "$signals" ]; do
  seen=$signals
  wait "$child"
  status=$?
done
child=
if [ -z "$isReady$wanted" ]; then
  logger -p mail.err -t "$CYRUS_SERVICE" "$main has not come up (status $status): run it by hand to see why"
  # Master does not add up failures that are further apart than this. A signal ends the wait.
  sleep 11 3>&- 4>&- &
  wait $!
fi
exit "$status"
