/** Determines the naming context of a server that contains a base. */

/** The longest naming context that contains the base; null if none does. */
export function contextOf(base: string, contexts: readonly string[]): string | null {
  const normalisedBase = normalise(base);
  const contains = (context: string) => {
    const suffix = normalise(context);
    return suffix === "" || normalisedBase === suffix || normalisedBase.endsWith(`,${suffix}`);
  };
  const [longest = null] = contexts.filter(contains).sort((one, other) => other.length - one.length);
  return longest;
}

/** Normalises case and blanks only; DNs with other differences in spelling do not match. */
function normalise(dn: string): string {
  return dn
    .toLowerCase()
    .replace(/\s*([,=+])\s*/g, "$1")
    .trim();
}
