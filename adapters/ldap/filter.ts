/**
 * Search filters with tokens in their values. The text is parsed once, and values are inserted into the parsed filter
 * unchanged, so nothing has to be escaped, and an address is never parsed as syntax.
 */
import {
  AndFilter,
  ApproximateFilter,
  EqualityFilter,
  ExtensibleFilter,
  type Filter,
  GreaterThanEqualsFilter,
  LessThanEqualsFilter,
  NotFilter,
  OrFilter,
  PresenceFilter,
  SubstringFilter,
} from "ldapts";
import { expandTemplate, hasToken, type Template, type TokenValues } from "./template.ts";

export type FilterTemplate =
  | { readonly kind: "and" | "or"; readonly parts: readonly FilterTemplate[] }
  | { readonly kind: "not"; readonly part: FilterTemplate }
  | Assertion;

export interface Assertion {
  readonly kind: "assertion";
  /** "" only in an extensible match by a matching rule. */
  readonly attribute: string;
  readonly operator: "=" | ">=" | "<=" | "~=" | ":=";
  /** Matching rule of ":="; "" without one. */
  readonly rule: string;
  /** Whether ":=" has ":dn". */
  readonly dnAttributes: boolean;
  /** The value; with "=", its parts between asterisks. */
  readonly pieces: readonly Template[];
}

/** Whether one of these tokens occurs in the filter. @param letters all tokens if left out */
export function filterHasToken(filter: FilterTemplate, letters?: string): boolean {
  switch (filter.kind) {
    case "and":
    case "or":
      return filter.parts.some((part) => filterHasToken(part, letters));
    case "not":
      return filterHasToken(filter.part, letters);
    case "assertion":
      return filter.pieces.some((piece) => hasToken(piece, letters));
  }
}

/**
 * Substitutes the tokens of a filter. An assertion whose token has no value is Undefined (RFC 4511 section 4.5.1.7) and
 * is left out if that does not change the result. null if the whole filter cannot match anything.
 */
export function expandFilter(filter: FilterTemplate, values: TokenValues): Filter | null {
  switch (filter.kind) {
    case "and": {
      const parts = filter.parts.map((part) => expandFilter(part, values));
      return parts.includes(null) ? null : new AndFilter({ filters: known(parts) });
    }
    case "or":
      return anyOf(known(filter.parts.map((part) => expandFilter(part, values))));
    case "not": {
      const part = expandFilter(filter.part, values);
      return part === null ? null : new NotFilter({ filter: part });
    }
    case "assertion":
      return expandAssertion(filter, values);
  }
}

/**
 * Replaces each token by a wildcard, so that the result matches every entry that the filter can find with any values.
 * null if there is no restriction.
 */
export function generaliseFilter(filter: FilterTemplate): Filter | null {
  switch (filter.kind) {
    case "and": {
      const parts = known(filter.parts.map(generaliseFilter));
      return parts.length === 0 ? null : new AndFilter({ filters: parts });
    }
    case "or": {
      const parts = filter.parts.map(generaliseFilter);
      return parts.includes(null) ? null : anyOf(known(parts));
    }
    case "not":
      // The negation may exclude a single value only, so it cannot be generalised.
      return filterHasToken(filter) ? null : expandFilter(filter, new Map());
    case "assertion":
      return generaliseAssertion(filter);
  }
}

/**
 * Replaces each value with tokens by a whole value of the attribute, so that the result finds an entry with these
 * values in the same way as look-ups. null if a value is missing or the filter has no equality assertion for it.
 * @param valueFor returns a value of an attribute, or null
 */
export function exemplifyFilter(filter: FilterTemplate, valueFor: (attribute: string) => string | null): Filter | null {
  if (!filterHasToken(filter)) return expandFilter(filter, new Map());
  switch (filter.kind) {
    case "and": {
      const parts = filter.parts.map((part) => exemplifyFilter(part, valueFor));
      return parts.includes(null) ? null : new AndFilter({ filters: known(parts) });
    }
    case "or":
      return anyOf(known(filter.parts.map((part) => exemplifyFilter(part, valueFor))));
    case "not":
      return null;
    case "assertion": {
      const { attribute, operator, pieces } = filter;
      const value = operator === "=" && pieces.length === 1 ? valueFor(attribute) : null;
      return value === null ? null : new EqualityFilter({ attribute, value });
    }
  }
}

function expandAssertion(assertion: Assertion, values: TokenValues): Filter | null {
  const pieces = assertion.pieces.map((piece) => expandTemplate(piece, values));
  if (pieces.some((spellings) => spellings.length === 0)) return null;
  const spellings = Math.max(...pieces.map(({ length }) => length));
  const filters = Array.from({ length: spellings }, (_, i) =>
    assertionFilter(
      assertion,
      pieces.map((known) => known[i] ?? (known[0] as string)),
    ),
  );
  return anyOf(filters);
}

/** @param parts the value; several parts if it has asterisks between them */
function assertionFilter({ attribute, operator, rule, dnAttributes }: Assertion, parts: readonly string[]): Filter {
  const [value = ""] = parts;
  switch (operator) {
    case "=":
      return parts.length === 1 ? new EqualityFilter({ attribute, value }) : substringFilter(attribute, parts);
    case ">=":
      return new GreaterThanEqualsFilter({ attribute, value });
    case "<=":
      return new LessThanEqualsFilter({ attribute, value });
    case "~=":
      return new ApproximateFilter({ attribute, value });
    case ":=":
      return new ExtensibleFilter({ matchType: attribute, rule, dnAttributes, value });
  }
}

function substringFilter(attribute: string, parts: readonly string[]): Filter {
  if (parts.every((part) => part === "")) return new PresenceFilter({ attribute });
  const any = parts.slice(1, -1).filter((part) => part !== "");
  return new SubstringFilter({ attribute, initial: parts[0] ?? "", any, final: parts.at(-1) ?? "" });
}

function generaliseAssertion(assertion: Assertion): Filter | null {
  if (!filterHasToken(assertion)) return expandAssertion(assertion, new Map());
  if (assertion.operator === "=") return substringFilter(assertion.attribute, generaliseParts(assertion.pieces));
  return assertion.attribute === "" ? null : new PresenceFilter({ attribute: assertion.attribute });
}

/** The literal parts of a value: each asterisk and each token separates two parts. */
function generaliseParts(pieces: readonly Template[]): readonly string[] {
  return pieces.flatMap((piece) => {
    const parts = [""];
    for (const element of piece) {
      if (typeof element === "string") parts[parts.length - 1] += element;
      else parts.push("");
    }
    return parts;
  });
}

function anyOf(filters: readonly Filter[]): Filter | null {
  const [first = null] = filters;
  return filters.length > 1 ? new OrFilter({ filters: [...filters] }) : first;
}

function known(filters: readonly (Filter | null)[]): Filter[] {
  return filters.filter((filter) => filter !== null);
}
