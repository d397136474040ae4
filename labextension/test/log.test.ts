import { append, placeOf } from '../src/log';

test('a log that is taken up again goes on where it was', () => {
  expect(placeOf('2.1300', 2)).toBe('1300');
});

test('a new attempt begins at its beginning', () => {
  expect(placeOf('1.1300', 2)).toBe('');
  expect(placeOf('', 1)).toBe('');
});

test('what was left out is said', () => {
  expect(append('a\n', 'b', true)).toBe('a\n\n[…]\nb');
});

test('a progress bar writes over its line', () => {
  let log = append('', 'epoch 1\n', false);
  for (const bar of ['\r 10%|#   |', '\r 20%|##  |', '\r100%|####|', '\n', 'done\n']) {
    log = append(log, bar, false);
  }
  expect(log).toBe('epoch 1\n100%|####|\ndone\n');
});

test('a shorter text leaves the rest of the line, as in a terminal', () => {
  expect(append('', 'abcdef\rXY\n', false)).toBe('XYcdef\n');
  expect(append('', '\x1b[31mabcdef\x1b[0m\rXY\n', false)).toBe('XY\n');
});

test('a carriage return at the end of a piece waits for the next one', () => {
  const log = append('', 'abc\r', false);
  expect(append(log, 'XYZ', false)).toBe('XYZ');
  expect(append(log, '\nnext', false)).toBe('abc\nnext');
});

test('lines of Windows are lines', () => {
  expect(append('', 'a\r\nb\r\r\nc', false)).toBe('a\nb\nc');
});

test('very much without a new line is cut and never lost', () => {
  let log = '';
  for (let i = 0; i < 9_000; i += 1) {
    log = append(log, `\r ${String(i).padStart(5)}/9000 [####------] loss 0.31, 9.99it/s`, false);
  }
  expect(log).toBe('  8999/9000 [####------] loss 0.31, 9.99it/s');
  const long = append('', 'x'.repeat(500_000), false);
  expect(long).toBe(`[…]\n${'x'.repeat(400_000)}`);
  expect(append('', `${'x'.repeat(100_000)}${'😀'.repeat(200_000)}!`, false).slice(0, 6)).toBe('[…]\n😀');
});

test('much is cut at the begin of a line', () => {
  const log = append('', 'line\n'.repeat(100_000), false);
  expect(log.startsWith('[…]\nline\n')).toBe(true);
  expect(log.length).toBeLessThanOrEqual(400_003);
});

test('a backspace takes a character of its line, as progress bars use it', () => {
  let log = append('', 'epoch\n 1/9', false);
  log = append(log, '\b\b\b\b 2/9', false);
  expect(append(log, '\b\b\b\b\b\b\b\b\b done\n', false)).toBe('epoch\n done\n');
  expect(append('', 'loss \x1b[31m0.3\x1b[0m\b\b\b0.2', false)).toBe('loss \x1b[31m\x1b[0m0.2');
  expect(append('', '\b\b🙂\bx', false)).toBe('x');
  const began = Date.now();
  append('', 'x\b'.repeat(200_000), false);
  expect(Date.now() - began).toBeLessThan(2_000);
});
