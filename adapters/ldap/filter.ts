/**
 * Search filters with tokens in their values. The text is parsed before any value is known, and values are put into
 * the parsed filter as they are: there is nothing to escape, and no way for an address to become syntax.
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
  /** "" only in an extensible match by a rule. */
  readonly attribute: string;
  readonly operator: "=" | ">=" | "<=" | "~=" | ":=";
  /** Matching rule of ":="; "" without one. */
  readonly rule: string;
  /** ":dn" of ":=". */
  readonly dnAttributes: boolean;
  /** The value; with "=", what lies between its asterisks. */
  readonly pieces: readonly Template[];
}

/** Whether one of these tokens, or any, occurs in the filter. */
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
 * The filter with values in place of its tokens. An assertion whose token has no value is Undefined (RFC 4511 section
 * 4.5.1.7) and is left out where that changes nothing. null: the whole filter can match nothing.
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
 * The filter with "anything" in place of its tokens: what finds all that it could ever find. null: no restriction.
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
      // What it shuts out may be a single value.
      return filterHasToken(filter) ? null : expandFilter(filter, new Map());
    case "assertion":
      return generaliseAssertion(filter);
  }
}

/**
 * The filter with a whole value of the attribute in place of each value that has tokens: what finds an entry with these
 * values in the way in which look-ups find it. null: there is no such value, or no such way.
 * @param valueFor a value of an attribute; null: there is none
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

/** @param parts the value; several where asterisks stand between them */
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

/** The literal texts of a value, with an asterisk between them wherever one or a token stood. */
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
