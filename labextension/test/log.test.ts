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
