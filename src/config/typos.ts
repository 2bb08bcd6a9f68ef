/** Misspelt names in imapd.conf. */

/**
 * The nearest of the names, by the number of letters to insert, delete or replace; null where none is near.
 * @param max distance at which a name is still near
 */
export function nearestName(
  name: string,
  names: Iterable<string>,
  max = Math.max(2, Math.floor(name.length / 3)),
): string | null {
  let nearest: string | null = null;
  let best = max + 1;
  for (const candidate of names) {
    // So many letters there are to insert or delete at least; a name without end is compared with none.
    if (Math.abs(name.length - candidate.length) >= best) continue;
    const distance = editDistance(name, candidate, best);
    if (distance < best) {
      nearest = candidate;
      best = distance;
    }
  }
  return nearest;
}

/** Ends of options that exist for each server: HOST_password and others (Cyrus imap/backend.c). */
const perHost = /_(?:password|mechs|client_cert|client_key)$/;
/** Letters of a name in which two may be wrong; in a shorter one only one may be. */
const LONG = 8;

/**
 * The option that a name without our prefix is a misspelling of; null: none. The file is shared with the programs of
 * Cyrus and with others, so only a name that is hardly different counts, and none that has a form of its own: an option
 * of another service or channel (SERVICE_virtdomains, CHANNEL_sync_host) or server (HOST_password), an option of SASL.
 * @param read names of the options that we read
 * @param isKnown whether a name is an option's: one of Cyrus' or one of ours
 */
export function misspeltOption(
  name: string,
  read: Iterable<string>,
  isKnown: (name: string) => boolean,
): string | null {
  if (isKnown(name) || name.startsWith("sasl_") || perHost.test(name)) return null;
  // Of a service or a channel: up to the first underscore.
  if (isKnown(name.slice(name.indexOf("_", 1) + 1))) return null;
  return nearestName(name, read, name.length >= LONG ? 2 : 1);
}

/** Levenshtein's distance, row by row, up to a limit: a row has no number below those of the row above. */
function editDistance(from: string, to: string, limit: number): number {
  let above = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let i = 1; i <= from.length; i++) {
    const row = [i];
    for (let j = 1; j <= to.length; j++) {
      const [diagonal, up, left] = [above[j - 1], above[j], row[j - 1]] as [number, number, number];
      row.push(Math.min(diagonal + (from[i - 1] === to[j - 1] ? 0 : 1), up + 1, left + 1));
    }
    if (Math.min(...row) >= limit) return limit;
    above = row;
  }
  return above[to.length] as number;
}
