/** The log of a job, as far as it is shown: pure. */

/** Characters of the log that are kept; the whole of it can be downloaded. */
const KEPT = 400_000;
const CUT = '[…]';

/**
 * What there is of the log, with what has come since; its beginning goes when it gets too long.
 *
 * A carriage return writes over the line and a backspace takes a character away, as in a terminal and in JupyterLab's
 * own output. A return at the very end is kept, because what it writes over comes with the next piece.
 */
export function append(log: string, text: string, skipped: boolean): string {
  const joined = overwritten(log, skipped ? `\n${CUT}\n${text}` : text);
  return joined.length <= KEPT ? joined : shortened(joined);
}

function overwritten(log: string, text: string): string {
  const start = log.lastIndexOf('\n') + 1;
  const line = erased(log.slice(start) + text);
  if (!line.includes('\r')) {
    return log.slice(0, start) + line;
  }
  return log.slice(0, start) + line.replace(/\r+\n/g, '\n').split('\n').map(collapsed).join('\n');
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

/** Cut at a line's begin, or within a line that has none; never within a character of two units. */
function shortened(log: string): string {
  const place = log.length - KEPT;
  const line = log.indexOf('\n', place);
  if (line !== -1 && line - place < KEPT / 2) {
    return CUT + log.slice(line);
  }
  const unit = log.charCodeAt(place);
  return `${CUT}\n${log.slice(unit >= 0xdc00 && unit <= 0xdfff ? place + 1 : place)}`;
}

/**
 * How many bytes of this attempt's log are here; empty for none. `place` is an event's id, "attempt.bytes": each
 * attempt's log begins anew.
 */
export function placeOf(place: string, attempt: number): string {
  const [of, bytes] = place.split('.');
  return of === String(attempt) ? (bytes ?? '') : '';
}
