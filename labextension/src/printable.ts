/** Text that others wrote, shown so that nothing of it hides or reorders what stands beside it. */

// Controls, formats such as bidirectional overrides, halves of characters, separators of lines. What joins letters and
// the parts of an emoji stays.
const UNSAFE = /(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/** The text as one line: what does not print is written as its escape, for example `\u202e`. */
export function printable(text: string): string {
  return text.replace(UNSAFE, char => {
    const code = char.codePointAt(0) ?? 0;
    return code > 0xffff ? `\\u{${code.toString(16)}}` : `\\u${code.toString(16).padStart(4, '0')}`;
  });
}

/** A name for a file that the browser saves: the last part, and never hidden. */
export function savedName(path: string): string {
  const name = printable(path.split('/').pop() ?? '').replace(/^\.+/, '');
  return name === '' ? 'file' : name;
}
