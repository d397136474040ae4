/** Terminal codes in a job's output: colours become JupyterLab's classes for them, everything else goes. Pure. */

const NAMES = ['black', 'red', 'green', 'yellow', 'blue', 'magenta', 'cyan', 'white'] as const;
// Colours and other control sequences (ECMA-48), titles and links (OSC), escapes of two characters, and controls.
const CODES =
  // eslint-disable-next-line no-control-regex
  /\x1b\[([0-9;:]*)[ -/]*([@-~])|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[ -/]*[0-~]|[\x00-\x08\x0b-\x1f\x7f-\x9f]/g;
const LEAST_CODES = 3;

/** Text of one look. `classes` are JupyterLab's; colours without a name are in `color` and `background`. */
export interface Segment {
  readonly text: string;
  readonly classes: string;
  readonly color?: string;
  readonly background?: string;
}

/** Which colours are on. */
export interface Look {
  readonly bold: boolean;
  readonly underline: boolean;
  readonly inverse: boolean;
  readonly fg: string | null;
  readonly bg: string | null;
}

type Changing = { -readonly [Part in keyof Look]: Look[Part] };

const NONE: Look = { bold: false, underline: false, inverse: false, fg: null, bg: null };

/** The text in pieces, each with its look; `before` is what the text before it left on, null for nothing. */
export function segments(text: string, before: Look | null = null): readonly Segment[] {
  const found: Segment[] = [];
  const look: Changing = { ...(before ?? NONE) };
  let place = 0;
  for (const code of text.matchAll(CODES)) {
    push(found, text.slice(place, code.index), look);
    place = code.index + code[0].length;
    obey(look, code);
  }
  push(found, text.slice(place), look);
  return found;
}

/** What this text leaves on for the text after it; null for nothing. */
export function lookAfter(text: string, before: Look | null): Look | null {
  if (!text.includes('\x1b')) {
    return before;
  }
  const look: Changing = { ...(before ?? NONE) };
  for (const code of text.matchAll(CODES)) {
    obey(look, code);
  }
  const on = look.bold || look.underline || look.inverse || look.fg !== null || look.bg !== null;
  return on ? look : null;
}

/** The text as `segments` has it, without its looks. */
export function withoutCodes(text: string): string {
  return text.replace(CODES, '');
}

function obey(look: Changing, code: RegExpMatchArray): void {
  if (code[2] === 'm') {
    apply(look, (code[1] ?? '').split(/[;:]/).map(Number));
  }
}

function push(found: Segment[], text: string, look: Look): void {
  if (text === '') {
    return;
  }
  const made = segment(text, look);
  const last = found[found.length - 1];
  if (last !== undefined && same(last, made)) {
    found[found.length - 1] = { ...last, text: last.text + text };
  } else {
    found.push(made);
  }
}

function segment(text: string, look: Look): Segment {
  const [fg, bg] = look.inverse ? [look.bg, look.fg] : [look.fg, look.bg];
  const classes = [
    ...(look.bold ? ['ansi-bold'] : []),
    ...(look.underline ? ['ansi-underline'] : []),
    ...named(fg, 'fg', look.inverse),
    ...named(bg, 'bg', look.inverse)
  ];
  return {
    text,
    classes: classes.join(' '),
    ...(fg?.startsWith('#') ? { color: fg } : {}),
    ...(bg?.startsWith('#') ? { background: bg } : {})
  };
}

function named(colour: string | null, where: 'fg' | 'bg', inverse: boolean): string[] {
  if (colour === null) {
    return inverse ? [`ansi-default-inverse-${where}`] : [];
  }
  return colour.startsWith('#') ? [] : [`ansi-${colour}-${where}`];
}

function same(one: Segment, other: Segment): boolean {
  return one.classes === other.classes && one.color === other.color && one.background === other.background;
}

function apply(look: Changing, codes: number[]): void {
  for (let index = 0; index < codes.length; index += 1) {
    const code = codes[index] ?? 0;
    if (code === 38 || code === 48) {
      const [colour, used] = extended(codes.slice(index + 1));
      look[code === 38 ? 'fg' : 'bg'] = colour;
      index += used;
    } else {
      one(look, code);
    }
  }
}

function one(look: Changing, code: number): void {
  if (code === 0) {
    Object.assign(look, NONE);
  } else if (code === 1 || code === 22) {
    look.bold = code === 1;
  } else if (code === 4 || code === 24) {
    look.underline = code === 4;
  } else if (code === 7 || code === 27) {
    look.inverse = code === 7;
  } else if (code === 39) {
    look.fg = null;
  } else if (code === 49) {
    look.bg = null;
  } else {
    plain(look, code);
  }
}

/** 30 to 37 and 90 to 97 are letters' colours, 40 to 47 and 100 to 107 those behind them. */
function plain(look: Changing, code: number): void {
  const name = NAMES[code % 10];
  if (name === undefined) {
    return;
  }
  const tens = Math.floor(code / 10);
  if (tens === 3 || tens === 9) {
    look.fg = tens === 3 ? name : `${name}-intense`;
  } else if (tens === 4 || tens === 10) {
    look.bg = tens === 4 ? name : `${name}-intense`;
  }
}

/** The colour behind 38 or 48, and how many codes it took: 5;n of 256, or 2;r;g;b. */
function extended(codes: number[]): [string | null, number] {
  const [kind, a, b, c] = codes;
  if (kind === 5 && a !== undefined) {
    return [of256(a), 2];
  }
  if (kind === 2 && codes.length > LEAST_CODES) {
    return [hex(a ?? 0, b ?? 0, c ?? 0), 4];
  }
  return [null, codes.length];
}

function of256(n: number): string | null {
  if (n < 16) {
    const name = NAMES[n % 8];
    return name === undefined ? null : n < 8 ? name : `${name}-intense`;
  }
  if (n < 232) {
    const [r, g, b] = [Math.floor((n - 16) / 36), Math.floor((n - 16) / 6) % 6, (n - 16) % 6];
    return hex(step(r), step(g), step(b));
  }
  return n < 256 ? hex(8 + (n - 232) * 10, 8 + (n - 232) * 10, 8 + (n - 232) * 10) : null;
}

function step(n: number): number {
  return n === 0 ? 0 : 55 + n * 40;
}

function hex(...parts: number[]): string {
  return `#${parts
    .map(part =>
      Math.min(255, Math.max(0, part || 0))
        .toString(16)
        .padStart(2, '0')
    )
    .join('')}`;
}
