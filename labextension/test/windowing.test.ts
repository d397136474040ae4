import { evenRows, unevenRows, visibleRows, wrappedHeights } from '../src/windowing';

test('of ten thousand rows a dozen and some around are drawn', () => {
  const [first, last] = visibleRows(evenRows(10_000, 52), 52 * 5_000, 520);
  expect(last - first).toBeLessThanOrEqual(24);
  expect(first).toBeLessThanOrEqual(5_000);
  expect(last).toBeGreaterThanOrEqual(5_010);
});

test('rows stay within the list', () => {
  expect(visibleRows(evenRows(3, 52), 0, 520)).toEqual([0, 3]);
  expect(visibleRows(evenRows(0, 52), 0, 520)).toEqual([0, 0]);
  expect(visibleRows(evenRows(5, 52), 99_999, 520, 0)).toEqual([4, 5]);
  expect(visibleRows(unevenRows([]), 0, 520)).toEqual([0, 0]);
  expect(visibleRows(unevenRows([10, 20]), 99_999, 520, 0)).toEqual([1, 2]);
});

test('rows of different heights are where those before them end', () => {
  const rows = unevenRows([10, 30, 10]);
  expect([0, 1, 2, 3].map(rows.top)).toEqual([0, 10, 40, 50]);
  expect([0, 9, 10, 39, 40, 49, 50].map(rows.at)).toEqual([0, 0, 1, 1, 2, 2, 2]);
  expect(rows.total).toBe(50);
  expect(visibleRows(rows, 12, 20, 0)).toEqual([1, 2]);
});

test('even rows and uneven ones of one height are the same', () => {
  const [even, uneven] = [evenRows(100, 18), unevenRows(new Float64Array(100).fill(18))];
  for (const place of [0, 17, 18, 900, 1_799, 5_000]) {
    expect(uneven.at(place)).toBe(even.at(place));
  }
  expect([uneven.total, uneven.top(7)]).toEqual([even.total, even.top(7)]);
});

test('a wrapped row is as high as its length says, until it was measured', () => {
  expect([...wrappedHeights([0, 80, 81, 400], 80, 18, new Map([[3, 77]]))]).toEqual([18, 18, 36, 77]);
  expect([...wrappedHeights([5], 0, 18, new Map([[9, 1]]))]).toEqual([90]);
});
