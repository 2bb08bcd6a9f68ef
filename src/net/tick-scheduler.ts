/**
 * Turns of the event loop. Replies wait until the end of one, when every request that has arrived is answered: the
 * clients wake up together and their next requests arrive together, which saves both sides a good part of their system
 * calls. Whoever has more to do than is fair goes on in the turns that follow, in the order of asking, so that what
 * others have sent meanwhile is seen in between.
 */

/** Who may have more to do than is fair. */
export interface Continuing {
  goOn(): void;
}

/** Milliseconds after which those who still want to go on wait for one more turn. */
const SHARE = 2;

/** Grows with each turn in which a reply was sent or somebody went on. */
export let turn = 0;

let isEnding = false;
const flushing: (() => void)[] = [];
const continuing: Continuing[] = [];

/** Calls back at the end of this turn, before the program waits for anything. */
export function atEndOfTurn(flush: () => void): void {
  flushing.push(flush);
  endSoon();
}

/** Lets somebody go on in a later turn, soon. */
export function inLaterTurn(who: Continuing): void {
  continuing.push(who);
  endSoon();
}

function endSoon(): void {
  if (isEnding) return;
  isEnding = true;
  setImmediate(end);
}

function end(): void {
  isEnding = false;
  for (const flush of flushing.splice(0)) flush();
  turn++;
  if (continuing.length > 0) proceed();
}

function proceed(): void {
  const all = continuing.splice(0);
  const late = performance.now() + SHARE;
  let done = 0;
  while (done < all.length && (done === 0 || performance.now() < late)) all[done++]?.goOn();
  if (done === all.length) return;
  // Before those who have just asked to go on once more.
  continuing.unshift(...all.slice(done));
  endSoon();
}
