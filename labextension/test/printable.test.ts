import { printable, savedName } from '../src/printable';
import { jobReason } from '../src/words';
import { makeJob } from './jobs';
import { trans } from './trans';

test('what does not print is shown as its escape', () => {
  expect(printable('a\u009b31m\u202egnp.exe\u2028\n\u0007b')).toBe(
    'a\\u009b31m\\u202egnp.exe\\u2028\\u000a\\u0007b'
  );
  expect(printable('a\ud800b')).toBe('a\\ud800b');
  expect(printable('a\u{e0041}b')).toBe('a\\u{e0041}b');
});

test('what people write is left as it is', () => {
  for (const text of ['train', 'Größe 漢字', '👩‍🔬', 'می‌خواهم', 'a b']) {
    expect(printable(text)).toBe(text);
  }
});

test('reasons and names of people are shown so', () => {
  const reason = 'x\u202ey';
  expect(jobReason(makeJob(1, 'FAILED', { final: true, reason }), trans)).toBe('x\\u202ey');
  expect(jobReason(makeJob(1, 'CANCELLED', { cancelled_by: reason }), trans)).toBe('by x\\u202ey');
});

test('a file is never saved hidden', () => {
  expect(savedName('out/model.bin')).toBe('model.bin');
  expect(savedName('.bashrc')).toBe('bashrc');
  expect(savedName('a/..')).toBe('file');
  expect(savedName('a\u202egnp.exe')).toBe('a\\u202egnp.exe');
});
