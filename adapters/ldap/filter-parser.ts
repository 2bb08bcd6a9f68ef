/** Parses the text of a search filter (RFC 4515) whose values may contain tokens. */
import type { Assertion, FilterTemplate } from "./filter.ts";
import { parseTemplate, type Template, TemplateError } from "./template.ts";

/** Limit of nested parentheses; filters in use have about five. */
const DEPTH_MAX = 100;

/**
 * @param allowed letters of the tokens that are available
 * @throws TemplateError
 */
export function parseFilter(text: string, allowed: string): FilterTemplate {
  // A filter without outer parentheses is accepted, as in OpenLDAP's library.
  const parser = new FilterParser(text.startsWith("(") ? text : `(${text})`, allowed);
  return parser.parse();
}

class FilterParser {
  readonly #text: string;
  readonly #allowed: string;
  #at = 0;

  constructor(text: string, allowed: string) {
    this.#text = text;
    this.#allowed = allowed;
  }

  parse(): FilterTemplate {
    const filter = this.#filter(0);
    if (this.#at < this.#text.length) throw this.#error("unexpected text after its end");
    return filter;
  }

  #filter(depth: number): FilterTemplate {
    if (depth > DEPTH_MAX) throw this.#error("too many parentheses");
    this.#expect("(");
    const filter = this.#inner(depth);
    this.#expect(")");
    return filter;
  }

  #inner(depth: number): FilterTemplate {
    const operator = this.#text[this.#at];
    if (operator === "&" || operator === "|") {
      this.#at++;
      const parts: FilterTemplate[] = [];
      while (this.#text[this.#at] === "(") parts.push(this.#filter(depth + 1));
      if (parts.length === 0) throw this.#error(`nothing follows "${operator}"`);
      return { kind: operator === "&" ? "and" : "or", parts };
    }
    if (operator === "!") {
      this.#at++;
      return { kind: "not", part: this.#filter(depth + 1) };
    }
    return this.#assertion();
  }

  #assertion(): Assertion {
    const rest = this.#text.slice(this.#at);
    const match = /^([A-Za-z0-9][\w.;-]*)?((?::dn)?)((?::[A-Za-z0-9][\w.-]*)?)([<>~:]?=)([^()]*)/i.exec(rest);
    const [whole = "", attribute = "", dn = "", rule = "", operator = "", value = ""] = match ?? [];
    const isExtensible = operator === ":=";
    if (match === null || (!isExtensible && (dn !== "" || rule !== "" || attribute === ""))) {
      throw this.#error("an assertion must have the form attribute=value");
    }
    if (isExtensible && attribute === "" && rule === "") throw this.#error('":=" requires an attribute or a rule');
    this.#at += whole.length;
    const texts = operator === "=" ? value.split("*") : [value];
    if (operator !== "=" && value.includes("*")) throw this.#error(`an asterisk is not allowed after "${operator}"`);
    return {
      kind: "assertion",
      attribute,
      operator: operator as Assertion["operator"],
      rule: rule.slice(1),
      dnAttributes: dn !== "",
      pieces: texts.map((text) => unescapeTemplate(parseTemplate(text, this.#allowed))),
    };
  }

  #expect(char: string): void {
    if (this.#text[this.#at] !== char) throw this.#error(`"${char}" is missing`);
    this.#at++;
  }

  #error(problem: string): TemplateError {
    return new TemplateError(`the filter is malformed at character ${this.#at + 1}: ${problem}`);
  }
}

/** Decodes octets written as "\2a"; consecutive ones are decoded together as UTF-8. */
function unescapeTemplate(template: Template): Template {
  return template.map((piece) => (typeof piece === "string" ? unescapeText(piece) : piece));
}

function unescapeText(text: string): string {
  return text.replace(/((?:\\[0-9a-f]{2})+)|\\/gi, (_, run: string | undefined) => {
    if (run === undefined) throw new TemplateError("a backslash must be followed by two hexadecimal digits");
    const octets = Buffer.from(run.replaceAll("\\", ""), "hex");
    const decoded = octets.toString("utf8");
    if (!Buffer.from(decoded, "utf8").equals(octets)) throw new TemplateError(`${run} is not UTF-8`);
    return decoded;
  });
}
