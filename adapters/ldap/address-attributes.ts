/**
 * A filter finds a recipient by any of several attributes: (|(mail=%u)(mailAlternateAddress=%u)). A server that hides
 * one of them finds nothing by it and calls that a success, so each has to be looked at by itself.
 */
import type { Filter } from "ldapts";
import { exemplifyFilter, type FilterTemplate, filterHasToken, generaliseFilter } from "./filter.ts";
import { rootQuery } from "./search-query.ts";

/** One way in which a filter finds entries. */
export interface AddressAttribute {
  /** The attributes that hold parts of an address, usually one; for a part without tokens "any address". */
  readonly name: string;
  /** Each of them. */
  readonly attributes: readonly string[];
  /** Finds every entry that can be found in this way. */
  readonly filter: Filter;
  /** Finds an entry with these values as a look-up does; null where there is no such filter. */
  readonly exemplify: (valueFor: (attribute: string) => string | null) => Filter | null;
}

/** Beyond so many ways, the filter counts as one. */
const ALTERNATIVES_MAX = 32;

/** The ways in which a filter finds entries, one for each attribute; at least one. */
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

/** Filters that together find what the filter finds. In none of them do tokens stand on both sides of an "or". */
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

/** Each once, as the filter spells it first. What is negated finds nothing by an address. */
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
