/** A chart of one line: pure. */

import type { Sample } from './types';

export const WIDTH = 200;
export const HEIGHT = 28;
/** Seconds. */
const HOUR = 3600;

/** The line of one measure, in the chart's own units; moments that nobody measured leave a gap. */
export function line(
  samples: readonly Sample[],
  of: (sample: Sample) => number | null,
  most: number,
  now: number
): string {
  let path = '';
  let pen = 'M';
  for (const sample of samples) {
    const value = of(sample);
    const age = now - sample.at;
    if (value === null || age > HOUR) {
      pen = 'M';
      continue;
    }
    const x = WIDTH - (age / HOUR) * WIDTH;
    const y = HEIGHT - (Math.min(value, most) / most) * HEIGHT;
    path += `${pen}${x.toFixed(1)} ${y.toFixed(1)}`;
    pen = 'L';
  }
  return path;
}
