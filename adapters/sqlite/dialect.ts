/** SQLite's tokens (https://www.sqlite.org/lang_expr.html) and placeholders. */
import type { Dialect } from "../sql/dialect.ts";

/**
 * In a database with statistics (ANALYZE) the planner reads the value of a bare "?" and plans the statement anew for each
 * address, at several times the cost of the look-up. The unary "+" hides the value from the planner.
 */
export const PLACEHOLDER = "+?";

const tokens = new RegExp(
  [
    /(?<comment>--.*|\/\*[\s\S]*?(?:\*\/|$))/u,
    /(?<text>'(?:[^']|'')*'|"(?:[^"]|"")*")/u,
    /(?<identifier>`(?:[^`]|``)*`|\[[^\]]*\])/u,
    /(?<unclosed>['"`[])/u,
    /(?<cyrus>%(?:%|[uUdR1-9](?!\w)))/u,
    /:(?<name>\w+)/u,
    /(?<foreign>\?\d*|[@$]\w+)/u,
    /(?<word>[\p{L}_][\p{L}\p{N}_$]*)/u,
    /(?<other>[\d.]+\w*|[\s\S])/u,
  ]
    .map(({ source }) => source)
    .join("|"),
  "gu",
);

export const sqliteDialect: Dialect = {
  engine: "sqlite",
  tokens,
  // The planner has to read a pattern, otherwise it does not use the column's index.
  placeholder: (_position, before) => (/\b(?:LIKE|GLOB)\s*$/i.test(before) ? "?" : PLACEHOLDER),
};
