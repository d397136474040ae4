import { segments } from '../src/ansi';

test('plain text is one piece', () => {
  expect(segments('epoch 1\n\tloss 0.3')).toEqual([{ text: 'epoch 1\n\tloss 0.3', classes: '' }]);
  expect(segments('')).toEqual([]);
});

test('colours are JupyterLab’s own classes', () => {
  expect(segments('\x1b[31mred\x1b[0m and \x1b[1;92mbold\x1b[22m\x1b[39m')).toEqual([
    { text: 'red', classes: 'ansi-red-fg' },
    { text: ' and ', classes: '' },
    { text: 'bold', classes: 'ansi-bold ansi-green-intense-fg' }
  ]);
  expect(segments('\x1b[7mx')).toEqual([
    { text: 'x', classes: 'ansi-default-inverse-fg ansi-default-inverse-bg' }
  ]);
  expect(segments('\x1b[4;44mx\x1b[24;49my')).toEqual([
    { text: 'x', classes: 'ansi-underline ansi-blue-bg' },
    { text: 'y', classes: '' }
  ]);
});

test('colours without a name keep their value', () => {
  expect(segments('\x1b[38;5;208mx')).toEqual([{ text: 'x', classes: '', color: '#ff8700' }]);
  expect(segments('\x1b[48;2;1;2;300mx')).toEqual([{ text: 'x', classes: '', background: '#0102ff' }]);
  expect(segments('\x1b[38;5;9mx')).toEqual([{ text: 'x', classes: 'ansi-red-intense-fg' }]);
  expect(segments('\x1b[38;5;244mx')).toEqual([{ text: 'x', classes: '', color: '#808080' }]);
});

test.each([
  ['moves of the cursor', 'a\x1b[2K\x1b[1A\x1b[10;10Hb'],
  ['a title for the window', 'a\x1b]0;title\x07b'],
  ['a link', 'a\x1b]8;;https://example.org\x1b\\b\x1b]8;;\x1b\\'],
  ['controls', 'a\x00\x07\x08\x9bb'],
  ['a broken code', 'a\x1b[38mb'],
  ['a code that is cut off', 'ab\x1b[']
])('%s does not show', (_name, text) => {
  expect(
    segments(text)
      .map(piece => piece.text)
      .join('')
      .replace('[', '')
  ).toBe('ab');
});

test('a log of many codes is read quickly', () => {
  const began = Date.now();
  expect(segments('\x1b[31mx\x1b[0my'.repeat(40_000))).toHaveLength(80_000);
  segments('\x1b]'.repeat(200_000));
  expect(Date.now() - began).toBeLessThan(10_000);
});
