/** Characters that terminals or log readers interpret: control characters, line ends, bidi controls, lone surrogates. */
const harmful = /[\p{Cc}\p{Bidi_Control}\p{Cs}\u2028\u2029]/gu;

/** Escapes such characters as \xNN or \uNNNN, so that text from outside can neither break a line nor control a terminal. */
export function printable(text: string): string {
  if (/^[ -~]*$/.test(text)) return text;
  return text.replace(harmful, (char) => {
    const code = char.charCodeAt(0);
    return code > 0xff ? unicodeEscape(code) : `\\x${code.toString(16).padStart(2, "0")}`;
  });
}

/** The same for JSON text, whose strings may contain most of them unescaped. */
export function printableJson(json: string): string {
  return json.replace(harmful, (char) => unicodeEscape(char.charCodeAt(0)));
}

function unicodeEscape(code: number): string {
  return `\\u${code.toString(16).padStart(4, "0")}`;
}
