import { segments } from '../src/ansi';
import { append, type LogRow, NOTHING_PRINTED, shownRows } from '../src/log';
import { firstFrom, marked, matchesOf, MOST_MATCHES, search, stepped } from '../src/logsearch';

function rows(text: string): readonly LogRow[] {
  return shownRows(append(NOTHING_PRINTED, text, false));
}

test('text is found in whatever case, as it is read and not as a pattern', () => {
  expect(search(rows('Loss 0.5\nloss 0x5\n\x1b[31mlo\x1b[0mss 0.5'), 'loss 0.5')).toEqual([
    { row: 0, start: 0, end: 8 },
    { row: 2, start: 0, end: 8 }
  ]);
  expect(search(rows('a.b a.b'), '.B')).toHaveLength(2);
  expect(search(rows('[(*+?^${}|/\\-])'), '[(*+?^${}|/\\-])')).toHaveLength(1);
  expect(search(rows('anything'), '')).toEqual([]);
});

test('a line near the end of a hundred thousand is found, and more places than can be counted are cut off', () => {
  const many = rows(Array.from({ length: 100_000 }, (_, line) => `line ${line}: loss`).join('\n'));
  const began = performance.now();
  expect(search(many, 'line 99990:')).toEqual([{ row: 99_990, start: 0, end: 11 }]);
  expect(performance.now() - began).toBeLessThan(1_000);
  expect(search(many, 's')).toHaveLength(MOST_MATCHES);
});

test('the search begins where one reads, and goes round', () => {
  const found = search(rows('x\n-\nx\n-\nx'), 'x');
  expect(firstFrom(found, 1)).toBe(1);
  expect(firstFrom(found, 5)).toBe(0);
  expect(firstFrom([], 0)).toBe(-1);
  expect([
    stepped(2, 1, 3),
    stepped(0, -1, 3),
    stepped(0, 1, 3),
    stepped(-1, 1, 3),
    stepped(0, 1, 0)
  ]).toEqual([0, 2, 1, 0, -1]);
});

test('a row knows its own places', () => {
  const found = search(rows('xx\n-\nx'), 'x');
  expect([0, 1, 2, 3].map(row => matchesOf(found, row).length)).toEqual([2, 0, 1, 0]);
});

test('what was found is marked across colours', () => {
  const text = 'a \x1b[31mred\x1b[0m line';
  const found = search(rows(text), 'd li');
  const pieces = marked(segments(text), found, found[0] ?? null);
  expect(pieces.map(({ text: part, classes, mark }) => [part, classes, mark])).toEqual([
    ['a ', '', 'none'],
    ['re', 'ansi-red-fg', 'none'],
    ['d', 'ansi-red-fg', 'current'],
    [' li', '', 'current'],
    ['ne', '', 'none']
  ]);
  expect(marked(segments('aa'), search(rows('aa'), 'a'), null).map(piece => piece.mark)).toEqual([
    'found',
    'found'
  ]);
});
