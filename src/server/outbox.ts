/**
 * Replies wait until the end of the event loop's turn, when every request that has arrived is answered: the clients wake
 * up together and their next requests arrive together, which saves both sides a good part of their system calls.
 */
const waiting: (() => void)[] = [];

/** Calls back at the end of this turn, before the program waits for anything. */
export function atEndOfTurn(flush: () => void): void {
  if (waiting.length === 0) setImmediate(flushAll);
  waiting.push(flush);
}

function flushAll(): void {
  for (const flush of waiting.splice(0)) flush();
}
