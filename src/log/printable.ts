/** What a terminal or a log's reader may act on: control characters, line ends, changes of direction, half characters. */
const harmful = /[\p{Cc}\p{Bidi_Control}\p{Cs}\u2028\u2029]/gu;

/** Such characters as \xNN or \uNNNN, so that text from outside can neither break a line nor drive a terminal. */
export function printable(text: string): string {
  if (/^[ -~]*$/.test(text)) return text;
  return text.replace(harmful, (char) => {
    const code = char.charCodeAt(0);
    return code > 0xff ? unicodeEscape(code) : `\\x${code.toString(16).padStart(2, "0")}`;
  });
}

/** The same for JSON, whose strings may hold most of them as they are. */
export function printableJson(json: string): string {
  return json.replace(harmful, (char) => unicodeEscape(char.charCodeAt(0)));
}

function unicodeEscape(code: number): string {
  return `\\u${code.toString(16).padStart(4, "0")}`;
}
