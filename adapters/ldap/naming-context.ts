/** Which naming context of a server holds a base. */

/** The longest that holds it; null: none does. */
export function contextOf(base: string, contexts: readonly string[]): string | null {
  const wanted = normalise(base);
  const holds = (context: string) => {
    const suffix = normalise(context);
    return suffix === "" || wanted === suffix || wanted.endsWith(`,${suffix}`);
  };
  const [longest = null] = contexts.filter(holds).sort((one, other) => other.length - one.length);
  return longest;
}

/** Enough to compare what is written alike but for case and blanks. */
function normalise(dn: string): string {
  return dn
    .toLowerCase()
    .replace(/\s*([,=+])\s*/g, "$1")
    .trim();
}
