/**
 * Text with tokens, as in Cyrus' ldap_filter and ldap_base (its ptclient/ldap.c). It is parsed once, when the
 * configuration is read, so that the value of a token is never parsed as syntax.
 */

/**
 * Values of the tokens in one look-up, by letter. Several values are alternative spellings of the same value. A token
 * that is missing has no value in this look-up: text that contains it matches nothing.
 */
export type TokenValues = ReadonlyMap<string, readonly [string, ...string[]]>;

/** Literal text and tokens, in any order. */
export type Template = readonly (string | Token)[];

export interface Token {
  /** The letter or digit after the percent sign. */
  readonly token: string;
}

/** A syntax error in a template; the message does not name the option. */
export class TemplateError extends Error {
  override readonly name = "TemplateError";
}

/** @param allowed letters of the tokens that are available */
export function parseTemplate(text: string, allowed: string): Template {
  const pieces: (string | Token)[] = [];
  let literal = "";
  for (let at = 0; at < text.length; at++) {
    if (text[at] !== "%") {
      literal += text[at];
      continue;
    }
    const letter = text[++at] ?? "";
    if (letter === "%") {
      literal += letter;
    } else if (letter !== "" && allowed.includes(letter)) {
      if (literal !== "") pieces.push(literal);
      literal = "";
      pieces.push({ token: letter });
    } else {
      throw new TemplateError(unknownToken(letter, allowed));
    }
  }
  if (literal !== "") pieces.push(literal);
  return pieces;
}

function unknownToken(letter: string, allowed: string): string {
  if (letter === "D") return "%D is the DN of a user entry and is not available in this search";
  const known = [...allowed].map((one) => `%${one}`).join(" ");
  return `%${letter} is not available here (available: ${known} %%)`;
}

export function hasToken(template: Template, letters?: string): boolean {
  return template.some((piece) => typeof piece !== "string" && (letters?.includes(piece.token) ?? true));
}

/** Substitutes the tokens; one result per spelling. [] if a token has no value. */
export function expandTemplate(template: Template, values: TokenValues): readonly string[] {
  let spellings = 1;
  for (const piece of template) {
    if (typeof piece === "string") continue;
    spellings = Math.max(spellings, values.get(piece.token)?.length ?? 0);
    if (!values.has(piece.token)) return [];
  }
  return Array.from({ length: spellings }, (_, i) =>
    template.map((piece) => (typeof piece === "string" ? piece : spelling(values, piece.token, i))).join(""),
  );
}

function spelling(values: TokenValues, token: string, index: number): string {
  const known = values.get(token) ?? [""];
  return known[index] ?? known[0];
}

/** A base DN with the first spelling of each value, escaped by RFC 4514 section 2.4. null if a token has no value. */
export function expandBase(template: Template, values: TokenValues): string | null {
  let dn = "";
  for (const piece of template) {
    if (typeof piece === "string") {
      dn += piece;
    } else {
      const known = values.get(piece.token);
      if (known === undefined) return null;
      dn += escapeDnValue(known[0]);
    }
  }
  return dn;
}

/**
 * Escapes a value for a DN. Blanks and number signs are escaped everywhere, although they need it only at the ends,
 * because the position of the token in the DN is not considered.
 */
export function escapeDnValue(value: string): string {
  return value.replace(/[\0-\x1f "#+,;<=>\\\x7f]/g, (char) => `\\${char.charCodeAt(0).toString(16).padStart(2, "0")}`);
}
