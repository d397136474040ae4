/** Which rows of a long list are seen, so that only these are drawn: pure. All places are in pixels. */

/** Where the rows of a list are. */
export interface RowPlaces {
  readonly count: number;
  readonly total: number;
  /** Where a row begins; `total` for the one after the last. */
  readonly top: (row: number) => number;
  /** The row at this place. */
  readonly at: (place: number) => number;
}

/** Rows of one height. */
export function evenRows(count: number, height: number): RowPlaces {
  return {
    count,
    total: count * height,
    top: row => row * height,
    at: place => within(Math.floor(place / height), count)
  };
}

/** Rows each of its own height. */
export function unevenRows(heights: ArrayLike<number>): RowPlaces {
  const count = heights.length;
  const tops = new Float64Array(count + 1);
  for (let row = 0; row < count; row += 1) {
    tops[row + 1] = (tops[row] ?? 0) + (heights[row] ?? 0);
  }
  const top = (row: number) => tops[within(row, count + 1)] ?? 0;
  const at = (place: number) => {
    let [low, high] = [0, count];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if ((tops[middle + 1] ?? 0) <= place) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return within(low, count);
  };
  return { count, total: tops[count] ?? 0, top, at };
}

/** The first row to draw and the one after the last: those that are seen, and some around, for fast scrolling. */
export function visibleRows(
  rows: RowPlaces,
  scrollTop: number,
  height: number,
  around = 6
): readonly [number, number] {
  if (rows.count === 0) {
    return [0, 0];
  }
  const first = Math.max(0, rows.at(scrollTop) - around);
  const last = Math.min(rows.count, rows.at(scrollTop + height) + 1 + around);
  return [Math.min(first, last), last];
}

/** The heights of rows that are wrapped after so many characters, as well as can be said before they are drawn. */
export function wrappedHeights(
  lengths: readonly number[],
  columns: number,
  lineHeight: number,
  measured: ReadonlyMap<number, number>
): Float64Array {
  const heights = Float64Array.from(
    lengths,
    length => Math.max(1, Math.ceil(length / Math.max(1, columns))) * lineHeight
  );
  for (const [row, height] of measured) {
    if (row < heights.length) {
      heights[row] = height;
    }
  }
  return heights;
}

function within(row: number, count: number): number {
  return Math.min(Math.max(0, row), Math.max(0, count - 1));
}
