/** Finds misspelt names in imapd.conf. */

/**
 * The nearest of the names, by the number of letters to insert, delete or replace; null if none is near.
 * @param max largest distance of a near name
 */
export function nearestName(
  name: string,
  names: Iterable<string>,
  max = Math.max(2, Math.floor(name.length / 3)),
): string | null {
  let nearest: string | null = null;
  let best = max + 1;
  for (const candidate of names) {
    // The difference in length is a lower bound of the distance. It also avoids work for very long names.
    if (Math.abs(name.length - candidate.length) >= best) continue;
    const distance = editDistance(name, candidate, best);
    if (distance < best) {
      nearest = candidate;
      best = distance;
    }
  }
  return nearest;
}

/** Suffixes of options that exist for each server: HOST_password and others (Cyrus imap/backend.c). */
const perHost = /_(?:password|mechs|client_cert|client_key)$/;
/** Length from which a name may have two wrong letters; a shorter name may have one. */
const LONG = 8;

/**
 * The option whose name is misspelt as a name without our prefix; null: none. Cyrus and other programs read the same file,
 * so only very similar names count, and no name of a special form: an option of another service or channel
 * (SERVICE_virtdomains, CHANNEL_sync_host) or server (HOST_password), or an option of SASL.
 * @param read names of the options that are read
 * @param isKnown true if the name is an option of Cyrus or of smmapd
 */
export function misspeltOption(
  name: string,
  read: Iterable<string>,
  isKnown: (name: string) => boolean,
): string | null {
  if (isKnown(name) || name.startsWith("sasl_") || perHost.test(name)) return null;
  // The name of a service or channel ends at the first underscore.
  if (isKnown(name.slice(name.indexOf("_", 1) + 1))) return null;
  return nearestName(name, read, name.length >= LONG ? 2 : 1);
}

/** Levenshtein distance, computed row by row up to a limit. The minimum of a row is never below that of the row above. */
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
