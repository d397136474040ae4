import { append, type Log, NOTHING_PRINTED, placeOf, shownRows } from '../src/log';

/** What is on the page after these pieces have come. */
function printed(...pieces: readonly string[]): Log {
  return pieces.reduce((log, piece) => append(log, piece, false), NOTHING_PRINTED);
}

function read(log: Log): string {
  return log.rows.map(row => row.plain).join('\n');
}

test('a log that is taken up again goes on where it was', () => {
  expect(placeOf('2.1300', 2)).toBe('1300');
});

test('a new attempt begins at its beginning', () => {
  expect(placeOf('1.1300', 2)).toBe('');
  expect(placeOf('', 1)).toBe('');
});

test('what was left out is said', () => {
  expect(read(append(printed('a\n'), 'b', true))).toBe('a\n\n[…]\nb');
});

test('a progress bar writes over its line', () => {
  const bar = ['\r 10%|#   |', '\r 20%|##  |', '\r100%|####|', '\n', 'done\n'];
  expect(read(printed('epoch 1\n', ...bar))).toBe('epoch 1\n100%|####|\ndone\n');
});

test('a shorter text leaves the rest of the line, as in a terminal', () => {
  expect(read(printed('abcdef\rXY\n'))).toBe('XYcdef\n');
  expect(read(printed('\x1b[31mabcdef\x1b[0m\rXY\n'))).toBe('XY\n');
});

test('a carriage return at the end of a piece waits for the next one', () => {
  expect(read(printed('abc\r', 'XYZ'))).toBe('XYZ');
  expect(read(printed('abc\r', '\nnext'))).toBe('abc\nnext');
  expect(read(printed('abc\r'))).toBe('abc');
});

test('lines of Windows are lines', () => {
  expect(read(printed('a\r\nb\r\r\nc'))).toBe('a\nb\nc');
});

test('an empty last line is not shown, any other empty line is', () => {
  expect(shownRows(printed('a\n\nb\n')).map(row => row.plain)).toEqual(['a', '', 'b']);
  expect(shownRows(printed('a\n\nb')).map(row => row.plain)).toEqual(['a', '', 'b']);
  expect(shownRows(NOTHING_PRINTED)).toEqual([]);
});

test('a colour lasts over lines and pieces until it is put off', () => {
  const { rows } = printed('\x1b[31mred\nstill', ' red\nred\x1b[0m\nplain');
  expect(rows.map(row => row.plain)).toEqual(['red', 'still red', 'red', 'plain']);
  expect(rows.map(row => row.look?.fg ?? null)).toEqual([null, 'red', 'red', null]);
});

test('a very long line is several rows, and none begins within a character or a code', () => {
  const long = `${'x'.repeat(9_999)}😀${'y'.repeat(9_990)}\x1b[31m${'z'.repeat(100)}`;
  const { rows } = printed('a\n', long.slice(0, 5_000), long.slice(5_000));
  expect(rows.map(row => row.plain.length)).toEqual([1, 9_999, 9_992, 100]);
  expect(rows[2]?.plain.startsWith('😀y')).toBe(true);
  expect(
    rows
      .slice(1)
      .map(row => row.text)
      .join('')
  ).toBe(long);
});

test('a progress bar of nine thousand steps is one line', () => {
  let log = NOTHING_PRINTED;
  for (let i = 0; i < 9_000; i += 1) {
    log = append(log, `\r ${String(i).padStart(5)}/9000 [####------] loss 0.31, 9.99it/s`, false);
  }
  expect(read(log)).toBe('  8999/9000 [####------] loss 0.31, 9.99it/s');
});

test('a hundred thousand lines are kept whole, and one more is quick', () => {
  const lines = Array.from({ length: 100_000 }, (_, line) => `line ${line} of a log`).join('\n');
  const log = printed(lines);
  expect(log.rows).toHaveLength(100_000);
  const began = performance.now();
  expect(append(log, '\nmore', false).rows).toHaveLength(100_001);
  expect(performance.now() - began).toBeLessThan(250);
});

test.each([
  ['short lines', 'x\n'.repeat(400_000)],
  ['long lines', `${'x'.repeat(99)}\n`.repeat(200_000)],
  ['one line', 'x'.repeat(20_000_000)]
])('of too much the end is kept: %s', (_, text) => {
  const log = append(printed(text), 'end', false);
  expect(log.rows[0]?.plain).toBe('[…]');
  expect(log.rows.length).toBeLessThanOrEqual(300_000);
  expect(log.size).toBeLessThanOrEqual(8_000_000);
  expect(log.rows.reduce((size, row) => size + row.text.length, 0)).toBeLessThanOrEqual(8_000_010);
  expect(read(log).endsWith('end')).toBe(true);
});

test('a backspace takes a character of its line, as progress bars use it', () => {
  const begun = ['epoch\n 1/9', '\b\b\b\b 2/9'];
  expect(read(printed(...begun, '\b\b\b\b\b\b\b\b\b done\n'))).toBe('epoch\n done\n');
  expect(printed('loss \x1b[31m0.3\x1b[0m\b\b\b0.2').rows[0]?.text).toBe('loss \x1b[31m\x1b[0m0.2');
  expect(read(printed('\b\b🙂\bx'))).toBe('x');
  const began = Date.now();
  printed('x\b'.repeat(200_000));
  expect(Date.now() - began).toBeLessThan(2_000);
});
