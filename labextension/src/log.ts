/** The log of a job, as far as it is shown: pure. */

import { type Look, lookAfter, withoutCodes } from './ansi';

/** What is kept of a log on the page; the whole of it can be downloaded. */
const MOST_CHARACTERS = 8_000_000;
const MOST_ROWS = 300_000;
/** Characters. A line that is longer is several rows, since a row is drawn as a whole. */
const LONGEST_ROW = 10_000;
/** Characters. No code of a colour is longer. */
const LONGEST_CODE = 32;
const CUT = '[…]';

/** One row of a log: a line, or a part of a very long one. */
export interface LogRow {
  /** As it was printed, with its codes of colours. */
  readonly text: string;
  /** As it is read. */
  readonly plain: string;
  /** The colours that the rows before it left on; null for none. */
  readonly look: Look | null;
}

export interface Log {
  readonly rows: readonly LogRow[];
  /** The text of the last line, to which more may come. */
  readonly open: string;
  /** How many rows the last line has. */
  readonly openRows: number;
  /** Characters of all rows. */
  readonly size: number;
}

/** Of a job that has printed nothing. */
export const NOTHING_PRINTED: Log = { rows: [], open: '', openRows: 0, size: 0 };

/**
 * What there is of the log, with what has come since; its beginning goes when it gets too long.
 *
 * A carriage return writes over the line and a backspace takes a character away, as in a terminal and in JupyterLab's
 * own output. A return at the very end is kept, because what it writes over comes with the next piece.
 */
export function append(log: Log, text: string, skipped: boolean): Log {
  const lines = overwritten(log.open + (skipped ? `\n${CUT}\n${text}` : text)).split('\n');
  const rows = log.rows.slice(0, log.rows.length - log.openRows);
  let look = log.rows[rows.length]?.look ?? lookAtEnd(rows);
  let size = log.size - log.open.length;
  let openRows = 0;
  for (const line of lines) {
    const parts = rowsOf(line, look);
    openRows = parts.length;
    rows.push(...parts);
    look = lookAtEnd(parts);
    size += line.length;
  }
  return shortened({ rows, open: lines[lines.length - 1] ?? '', openRows, size });
}

/** The rows that are shown: an empty last line is only where the next one begins. */
export function shownRows({ rows, open }: Log): readonly LogRow[] {
  return open === '' ? rows.slice(0, -1) : rows;
}

function lookAtEnd(rows: readonly LogRow[]): Look | null {
  const last = rows[rows.length - 1];
  return last === undefined ? null : lookAfter(last.text, last.look);
}

function rowsOf(line: string, before: Look | null): readonly LogRow[] {
  const rows: LogRow[] = [];
  let look = before;
  let rest = line;
  while (rest.length > LONGEST_ROW) {
    const place = cutBefore(rest, LONGEST_ROW);
    rows.push(rowOf(rest.slice(0, place), look));
    look = lookAtEnd(rows);
    rest = rest.slice(place);
  }
  rows.push(rowOf(rest, look));
  return rows;
}

// Everything that `withoutCodes` takes away has one of these.
// eslint-disable-next-line no-control-regex
const CONTROLS = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/;

function rowOf(text: string, look: Look | null): LogRow {
  return { text, plain: CONTROLS.test(text) ? withoutCodes(text) : text, look };
}

/** A place at or shortly before `place` that is neither within a character of two units nor within a code. */
function cutBefore(text: string, place: number): number {
  const code = text.lastIndexOf('\x1b', place);
  if (code > place - LONGEST_CODE) {
    return code;
  }
  const unit = text.charCodeAt(place);
  return unit >= 0xdc00 && unit <= 0xdfff ? place - 1 : place;
}

/** The text after all its carriage returns and backspaces. */
function overwritten(text: string): string {
  const kept = erased(text);
  return kept.includes('\r') ? kept.replace(/\r+\n/g, '\n').split('\n').map(collapsed).join('\n') : kept;
}

/** The text after all its backspaces: each takes the character before it in its line, and no code of a colour. */
function erased(text: string): string {
  if (!text.includes('\b')) {
    return text;
  }
  const kept: string[] = [];
  // eslint-disable-next-line no-control-regex
  for (const [token] of text.matchAll(/\x1b\[[0-9;:]*[ -/]*[@-~]|[^]/gu)) {
    if (token !== '\b') {
      kept.push(token);
      continue;
    }
    let place = kept.length - 1;
    while (kept[place]?.startsWith('\x1b[')) {
      place -= 1;
    }
    if (place >= 0 && !'\r\n'.includes(kept[place] ?? '')) {
      kept.splice(place, 1);
    }
  }
  return kept.join('');
}

/** One line after all its carriage returns. */
function collapsed(line: string): string {
  const parts = line.split('\r');
  const open = parts.length > 1 && parts[parts.length - 1] === '';
  let shown = '';
  for (const part of parts) {
    // Behind codes of colours a character has no fixed place, so the whole line is replaced.
    const whole =
      part === '' || part.length >= shown.length || part.includes('\x1b') || shown.includes('\x1b');
    shown = part === '' ? shown : whole ? part : part + shown.slice(part.length);
  }
  return open ? `${shown}\r` : shown;
}

/** Without its first rows, where there is too much; somewhat more goes, so that not each new line cuts again. */
function shortened(log: Log): Log {
  if (log.size <= MOST_CHARACTERS && log.rows.length <= MOST_ROWS) {
    return log;
  }
  let { size } = log;
  let first = 0;
  while (size > 0.9 * MOST_CHARACTERS || log.rows.length - first > 0.9 * MOST_ROWS) {
    size -= log.rows[first]?.text.length ?? 0;
    first += 1;
  }
  const rows = [rowOf(CUT, null), ...log.rows.slice(first)];
  const openRows = Math.min(log.openRows, rows.length - 1);
  const open = openRows === log.openRows ? log.open : log.open.slice(-size);
  return { rows, open, openRows, size };
}

/**
 * How many bytes of this attempt's log are here; empty for none. `place` is an event's id, "attempt.bytes": each
 * attempt's log begins anew.
 */
export function placeOf(place: string, attempt: number): string {
  const [of, bytes] = place.split('.');
  return of === String(attempt) ? (bytes ?? '') : '';
}
