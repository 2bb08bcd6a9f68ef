/**
 * Parses a site's own query: one SELECT with parameters by name (:address) or as Cyrus' tokens (%u). Each becomes a bound
 * parameter; no part of an address becomes part of the text.
 */
import type { ConfigError } from "../../src/store/store.ts";
import type { Dialect } from "./dialect.ts";
import { cyrusTokens, type Parameter, parameterNames } from "./parameters.ts";

export interface Query {
  /** The query as it is configured, for errors. */
  readonly text: string;
  /** The same without comments, and with a placeholder of the dialect for each parameter. */
  readonly sql: string;
  /** The parameter of each placeholder, in order. */
  readonly parameters: readonly Parameter[];
}

/**
 * @param refuse makes the error that names the key
 * @throws ConfigError if the text is not one SELECT, or has an unknown parameter
 */
export function parseQuery(text: string, dialect: Dialect, refuse: (problem: string) => ConfigError): Query {
  const parameters: Parameter[] = [];
  const verbs: string[] = [];
  let sql = "";
  let depth = 0;
  let isOver = false;
  for (const { 0: token, groups = {} } of text.matchAll(dialect.tokens)) {
    if (groups.comment !== undefined || /^\s$/.test(token)) {
      sql += " ";
      continue;
    }
    if (isOver) throw refuse("has more than one statement");
    if (token === ";") {
      isOver = true;
      continue;
    }
    if (groups.unclosed !== undefined) throw refuse(`has a ${token} that is never closed`);
    if (groups.foreign !== undefined) throw refuse(`${token} is no parameter: ${known}`);
    if (token === "(") depth++;
    if (token === ")") depth--;
    if (depth === 0 && groups.word !== undefined && isVerb(token, verbs)) verbs.push(token.toUpperCase());
    const parameter = parameterOf(token, groups.name, refuse);
    if (parameter === null) sql += unescapePercent(token, refuse);
    else {
      parameters.push(parameter);
      sql += dialect.placeholder(parameters.length, sql);
    }
  }
  const [first = "", main = first] = verbs;
  if (!reading.has(main) || !(reading.has(first) || first === "WITH")) {
    throw refuse("is not one SELECT: the database is only read");
  }
  return { text, sql: sql.trim(), parameters };
}

const known = `the parameters are ${parameterNames.map((name) => `:${name}`).join(" ")} and Cyrus' %u %U %d %R %1 to %9`;
const reading: ReadonlySet<string> = new Set(["SELECT", "VALUES"]);
const verbsOfWith: ReadonlySet<string> = new Set([...reading, "INSERT", "REPLACE", "UPDATE", "DELETE"]);

/** True for the first word of the statement and, after WITH, for the verb of the main statement. */
function isVerb(word: string, verbs: readonly string[]): boolean {
  if (verbs.length === 0) return true;
  return verbs.length === 1 && verbs[0] === "WITH" && verbsOfWith.has(word.toUpperCase());
}

/** The parameter of a token; also of a token in quotes, as '%u', which is usual where text is substituted. */
function parameterOf(token: string, name: string | undefined, refuse: (problem: string) => ConfigError) {
  if (name !== undefined) {
    const parameter = parameterNames.find((one) => one === name);
    if (parameter === undefined) throw refuse(`:${name} is no parameter: ${known}`);
    return parameter;
  }
  const isQuoted = /^(['"]).*\1$/su.test(token);
  const inner = isQuoted ? token.slice(1, -1) : token;
  if (isQuoted && parameterNames.some((one) => inner === `:${one}`)) {
    throw refuse(`the text ${token} is the same for every address: write ${inner} without the quotes`);
  }
  return cyrusTokens.get(inner) ?? null;
}

/** Replaces %% by %. A token within a longer string is refused: it could be meant literally or as a parameter. */
function unescapePercent(token: string, refuse: (problem: string) => ConfigError): string {
  if (token === "%%") return "%";
  if (!token.startsWith("'")) return token;
  return token.replaceAll(/%([%uUdR1-9])/g, (found, letter: string) => {
    if (letter === "%") return "%";
    throw refuse(
      `the text ${token} contains ${found}: write %%${letter} for the characters themselves, ` +
        `or concatenate strings, as in :localpart || '@example.org'`,
    );
  });
}
