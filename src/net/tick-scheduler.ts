/**
 * Schedules work by ticks of the event loop. Replies are sent at the end of a tick, when every request that has arrived
 * is answered: clients then wake up together and their next requests arrive together, which saves both sides a good
 * part of their system calls. Work beyond the tick budget resumes in later ticks, first come, first served, and the
 * event loop reads new input in between.
 */

/** Work that can be continued in a later tick. */
export interface Resumable {
  resume(): void;
}

/** Milliseconds of resumed work in one tick; the rest is resumed in the next one. */
const RESUME_TIME = 2;

/** Number of the current tick; only ticks that had callbacks or deferred work are counted. */
export let tick = 0;

let isScheduled = false;
const endCallbacks: (() => void)[] = [];
const deferred: Resumable[] = [];

/** Calls back at the end of this tick, before the event loop waits for input. */
export function onTickEnd(callback: () => void): void {
  endCallbacks.push(callback);
  schedule();
}

/** Resumes work in a later tick, after the work that was deferred before it. */
export function deferToNextTick(work: Resumable): void {
  deferred.push(work);
  schedule();
}

function schedule(): void {
  if (isScheduled) return;
  isScheduled = true;
  setImmediate(endTick);
}

function endTick(): void {
  isScheduled = false;
  for (const callback of endCallbacks.splice(0)) callback();
  tick++;
  if (deferred.length > 0) resumeDeferred();
}

function resumeDeferred(): void {
  const all = deferred.splice(0);
  const deadline = performance.now() + RESUME_TIME;
  let done = 0;
  while (done < all.length && (done === 0 || performance.now() < deadline)) all[done++]?.resume();
  if (done === all.length) return;
  // Ahead of work that was deferred meanwhile.
  deferred.unshift(...all.slice(done));
  schedule();
}
