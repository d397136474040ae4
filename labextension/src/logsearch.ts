/** Finding text in a log: pure. */

import type { Segment } from './ansi';
import type { LogRow } from './log';

/** More places than these are not counted. */
export const MOST_MATCHES = 100_000;

/** Where it was found, in the row as it is read. */
export interface Match {
  readonly row: number;
  readonly start: number;
  readonly end: number;
}

/** A piece of a row; `mark` says whether it was found, and whether it is the one that is looked at. */
export interface MarkedSegment extends Segment {
  readonly mark: 'none' | 'found' | 'current';
}

/** All places with this text, in whatever case, in their order; none for no text. */
export function search(rows: readonly LogRow[], text: string): readonly Match[] {
  const found: Match[] = [];
  if (text === '') {
    return found;
  }
  const pattern = new RegExp(text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&'), 'giu');
  for (let row = 0; row < rows.length; row += 1) {
    const line = rows[row]?.plain ?? '';
    pattern.lastIndex = 0;
    for (let match = pattern.exec(line); match !== null; match = pattern.exec(line)) {
      found.push({ row, start: match.index, end: pattern.lastIndex });
      if (found.length === MOST_MATCHES) {
        return found;
      }
    }
  }
  return found;
}

/** The index of the first match at or after a row; the first of all when there is none, -1 without any. */
export function firstFrom(matches: readonly Match[], row: number): number {
  if (matches.length === 0) {
    return -1;
  }
  return Math.max(
    0,
    matches.findIndex(match => match.row >= row)
  );
}

/** The next index in this direction; after the last comes the first. */
export function stepped(index: number, by: 1 | -1, count: number): number {
  return count === 0 ? -1 : (Math.max(index, by === 1 ? -1 : 0) + by + count) % count;
}

/** Those of one row, by halving: they are in the order of rows. */
export function matchesOf(matches: readonly Match[], row: number): readonly Match[] {
  const first = firstAt(matches, row);
  const last = firstAt(matches, row + 1);
  return matches.slice(first, last);
}

function firstAt(matches: readonly Match[], row: number): number {
  let [low, high] = [0, matches.length];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if ((matches[middle]?.row ?? Infinity) < row) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

/** The pieces of a row, cut where a match begins and ends. */
export function marked(
  pieces: readonly Segment[],
  matches: readonly Match[],
  current: Match | null
): readonly MarkedSegment[] {
  const cut: MarkedSegment[] = [];
  let begin = 0;
  for (const piece of pieces) {
    let place = 0;
    const push = (end: number, mark: MarkedSegment['mark']) => {
      if (end > place) {
        cut.push({ ...piece, text: piece.text.slice(place, end), mark });
        place = end;
      }
    };
    for (const match of matches) {
      push(Math.min(piece.text.length, match.start - begin), 'none');
      push(Math.min(piece.text.length, match.end - begin), match === current ? 'current' : 'found');
    }
    push(piece.text.length, 'none');
    begin += piece.text.length;
  }
  return cut;
}
