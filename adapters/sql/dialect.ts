/** The differences between SQL engines in the text of a site's query. */
export interface Dialect {
  /** Value of sql_engine. */
  readonly engine: "sqlite" | "pgsql" | "mysql";
  /**
   * The engine's tokens, as far as they are needed to recognize parameters. Global, and each match begins where the last one
   * ended. Named groups: `comment`; `text`, a string or what the engine takes for one; `identifier`, quoted; `unclosed`, an
   * opening quote without its end; `cyrus`, a token such as %u; `name`, of a parameter such as :address; `foreign`, a
   * parameter in a notation that is refused; `word`; `other`.
   */
  readonly tokens: RegExp;
  /**
   * The placeholder of a parameter in the statement.
   * @param position of the parameter, counted from 1
   * @param before the statement up to the placeholder
   */
  placeholder(position: number, before: string): string;
}
