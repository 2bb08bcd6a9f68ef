/**
 * A filter finds a recipient by any of several attributes: (|(mail=%u)(mailAlternateAddress=%u)). A server that hides
 * one of them reports success with no entries for it, so each attribute is checked separately.
 */
import type { Filter } from "ldapts";
import { exemplifyFilter, type FilterTemplate, filterHasToken, generaliseFilter } from "./filter.ts";
import { rootQuery } from "./search-query.ts";

/** One alternative by which a filter finds entries. */
export interface AddressAttribute {
  /** The attributes that contain parts of an address, usually one; "any address" for a part without tokens. */
  readonly name: string;
  /** Their names. */
  readonly attributes: readonly string[];
  /** Matches every entry that this alternative can find. */
  readonly filter: Filter;
  /** A filter that finds an entry with these values as a look-up does; null if there is none. */
  readonly exemplify: (valueFor: (attribute: string) => string | null) => Filter | null;
}

/** A filter with more alternatives counts as one. */
const ALTERNATIVES_MAX = 32;

/** The alternatives of a filter, one for each attribute; at least one. */
export function addressAttributes(filter: FilterTemplate): readonly AddressAttribute[] {
  const byName = new Map<string, FilterTemplate[]>();
  for (const alternative of alternatives(filter)) {
    const name = attributesWithTokens(alternative).join(" with ") || "any address";
    byName.set(name, [...(byName.get(name) ?? []), alternative]);
  }
  return [...byName].map(([name, parts]) => {
    const alternative: FilterTemplate = parts.length === 1 ? (parts[0] as FilterTemplate) : { kind: "or", parts };
    return {
      name,
      attributes: attributesWithTokens(alternative),
      filter: generaliseFilter(alternative) ?? anything,
      exemplify: (valueFor) => exemplifyFilter(alternative, valueFor),
    };
  });
}

const anything = rootQuery.filter;

/** Filters whose union is the filter. In none of them are there tokens on both sides of an "or". */
function alternatives(filter: FilterTemplate): readonly FilterTemplate[] {
  if (!filterHasToken(filter) || filter.kind === "not" || filter.kind === "assertion") return [filter];
  const parts = filter.parts.map(alternatives);
  if (filter.kind === "or") {
    const all = parts.flat();
    return all.length > ALTERNATIVES_MAX ? [filter] : all;
  }
  const count = parts.reduce((product, { length }) => product * length, 1);
  if (count > ALTERNATIVES_MAX) return [filter];
  const none: readonly (readonly FilterTemplate[])[] = [[]];
  const combined = parts.reduce((all, ways) => all.flatMap((some) => ways.map((way) => [...some, way])), none);
  return combined.map((some) => ({ kind: "and", parts: some }));
}

/** Each name once, in its first spelling. Negated parts are skipped, because they do not find entries by an address. */
function attributesWithTokens(filter: FilterTemplate): readonly string[] {
  const names = new Map<string, string>();
  const visit = (part: FilterTemplate): void => {
    if (part.kind === "and" || part.kind === "or") part.parts.forEach(visit);
    else if (part.kind === "assertion" && filterHasToken(part)) {
      const key = part.attribute.toLowerCase();
      if (!names.has(key)) names.set(key, part.attribute);
    }
  };
  visit(filter);
  return [...names.values()];
}
