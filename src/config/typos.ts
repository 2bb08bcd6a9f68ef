/** Names in imapd.conf that are meant for us and that nobody knows. */

/**
 * The nearest of the names, by the number of letters to insert, delete or replace; null where none is at all alike.
 */
export function nearestName(name: string, names: Iterable<string>): string | null {
  let nearest: string | null = null;
  let best = Math.max(2, Math.floor(name.length / 3)) + 1;
  for (const candidate of names) {
    // So many letters there are to insert or delete at least; a name without end is compared with none.
    if (Math.abs(name.length - candidate.length) >= best) continue;
    const distance = editDistance(name, candidate);
    if (distance < best) {
      nearest = candidate;
      best = distance;
    }
  }
  return nearest;
}

/** Levenshtein's distance, row by row. */
function editDistance(from: string, to: string): number {
  let above = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let i = 1; i <= from.length; i++) {
    const row = [i];
    for (let j = 1; j <= to.length; j++) {
      const [diagonal, up, left] = [above[j - 1], above[j], row[j - 1]] as [number, number, number];
      row.push(Math.min(diagonal + (from[i - 1] === to[j - 1] ? 0 : 1), up + 1, left + 1));
    }
    above = row;
  }
  return above[to.length] as number;
}
