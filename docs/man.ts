/**
 * From Markdown to roff: the manual pages that are installed are those that are read in docs/. Knows as much of Markdown
 * as they use, and refuses the rest.
 *
 * By hand, because the libraries for it lose what a manual page is made of: remark-man writes options as bullets in place
 * of .TP, and hyphens that cannot be pasted into a shell; marked-man breaks lines where the Markdown does, and leaves
 * "&#39;" in code. Neither writes a NAME section that whatis(1) can read from our titles.
 *
 * A first heading "# NAME(SECTION): what it is" becomes the title. A list item whose first line ends in a backslash is a
 * term with its explanation.
 */

export interface Page {
  /** Such as "smmapd". */
  readonly name: string;
  /** Such as "8". */
  readonly section: string;
  readonly roff: string;
}

/** @param version for the foot of the page; @param name in place of that in the title */
export function renderPage(markdown: string, version: string, name?: string): Page {
  const [title = "", ...rest] = blocksOf(markdown);
  const match = /^# (\S+)\((\d)\):? (.+)$/.exec(title);
  if (match === null) throw new Error(`not the title of a manual page: ${title}`);
  const [, written = "", section = "", purpose = ""] = match;
  const page = name ?? written;
  const head = [
    `.TH "${page.toUpperCase()}" "${section}" "" "${version}" ""`,
    // Examples are to be copied as they stand.
    ".nh",
    ".ad l",
    ".SH NAME",
    `${quote(page)} \\- ${quote(purpose)}`,
    rest[0]?.startsWith("## ") ? "" : ".SH DESCRIPTION\n",
  ];
  return { name: page, section, roff: head.join("\n") + rest.map(renderBlock).join("") };
}

/** Paragraphs, headings, lists and code blocks. */
function blocksOf(markdown: string): readonly string[] {
  const blocks: string[] = [];
  let block: string[] = [];
  let isCode = false;
  for (const line of markdown.split("\n")) {
    if (line.startsWith("```")) isCode = !isCode;
    if (line !== "" || isCode) {
      block.push(line);
    } else if (block.length > 0) {
      blocks.push(block.join("\n"));
      block = [];
    }
  }
  return block.length > 0 ? [...blocks, block.join("\n")] : blocks;
}

function renderBlock(block: string): string {
  if (block.startsWith("## ")) return `.SH ${quote(block.slice("## ".length).toUpperCase())}\n`;
  if (block.startsWith("### ")) return `.SS ${quote(block.slice("### ".length))}\n`;
  if (block.startsWith("```")) return renderCode(block.split("\n").slice(1, -1));
  if (block.startsWith("- "))
    return block
      .split(/\n(?=- )/)
      .map(renderItem)
      .join("");
  if (/^(?:#|\||>|\d+\. |\* )/.test(block)) throw new Error(`a manual page has no such block: ${block}`);
  return `.PP\n${renderText(block)}`;
}

function renderCode(lines: readonly string[]): string {
  return `.PP\n.RS 4\n.nf\n${lines.map((line) => `${protect(quote(line))}\n`).join("")}.fi\n.RE\n`;
}

function renderItem(item: string): string {
  const [first = "", ...rest] = item
    .replace(/^- /, "")
    .split("\n")
    .map((line) => line.replace(/^ {2}/, ""));
  if (!first.endsWith("\\")) return `.IP \\(bu 2\n${renderText([first, ...rest].join("\n"))}`;
  return `.TP\n${renderText(first.slice(0, -1))}${renderText(rest.join("\n"))}`;
}

/** Lines of text, each a line of roff. */
function renderText(text: string): string {
  return renderInline(text)
    .split("\n")
    .map((line) => `${protect(line)}\n`)
    .join("");
}

const inline = /`([^`]+)`|\*\*([^*]+)\*\*|(?<!\w)_([^_]+)_(?!\w)|\[([^\]]+)\]\(([^)]+)\)/g;

function renderInline(text: string): string {
  let roff = "";
  let at = 0;
  for (const match of text.matchAll(inline)) {
    const [whole, code, bold, italic, label, target = ""] = match;
    roff += plain(text.slice(at, match.index));
    // A blank in code is no place for a new line.
    if (code !== undefined) roff += `\\fB${quote(code).replaceAll(" ", "\\ ")}\\fP`;
    else if (bold !== undefined) roff += `\\fB${quote(bold)}\\fP`;
    else if (label === undefined) roff += `\\fI${quote((italic ?? "").replaceAll("`", ""))}\\fP`;
    else roff += /^https?:/.test(target) ? `${renderInline(label)} <${quote(target)}>` : renderInline(label);
    at = match.index + whole.length;
  }
  return roff + plain(text.slice(at));
}

/** Characters that roff takes for something else, or sets as others than what can be typed. */
function quote(text: string): string {
  return text.replace(/[\\\-~^'`]/g, (char) => special[char] ?? char);
}

/** Text outside of code, where a backslash makes an ordinary character of the next one. */
function plain(text: string): string {
  return quote(text.replace(/\\(?=[^\w\s])/g, ""));
}

const special: Readonly<Record<string, string>> = {
  "\\": "\\e",
  "-": "\\-",
  "~": "\\(ti",
  "^": "\\(ha",
  "'": "\\(aq",
  "`": "\\(ga",
};

/** A line of text that would be a request. */
function protect(line: string): string {
  return line.startsWith(".") ? `\\&${line}` : line;
}
