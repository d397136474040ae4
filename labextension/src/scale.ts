/** The arithmetic of an axis: where ticks are, what they are called, where a value is drawn. Pure. */

export interface Tick {
  readonly at: number;
  readonly label: string;
}

export interface Scale {
  readonly ticks: readonly Tick[];
  /** From 0 at the low end to 1 at the high end; null for what the scale does not have. */
  readonly place: (value: number) => number | null;
}

/** The smallest of 1, 2 and 5 times a power of ten that makes at most `most` steps of `span`. */
export function niceStep(span: number, most: number): number {
  const rough = span / Math.max(1, most);
  const power = 10 ** Math.floor(Math.log10(rough));
  const factor = [1, 2, 5, 10].find(each => each * power >= rough * (1 - 1e-9)) ?? 10;
  return factor * power;
}

/** "0.02", "1,500" as 1.5k, "2M", "3e-7". */
export function tickLabel(value: number): string {
  const size = Math.abs(value);
  const [unit, name] =
    size >= 1e6 && size < 1e9 ? [1e6, 'M'] : size >= 1e4 && size < 1e6 ? [1e3, 'k'] : [1, ''];
  if (size !== 0 && (size < 1e-4 || size >= 1e9)) {
    return value
      .toExponential(2)
      .replace(/\.?0+e/, 'e')
      .replace('e+', 'e');
  }
  return `${Number((value / unit).toPrecision(6))}${name}`;
}

/** Low and high, apart from each other; null when there is no finite value. */
export function extent(values: Iterable<number>): readonly [number, number] | null {
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    if (Number.isFinite(value)) {
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
  }
  if (low > high) {
    return null;
  }
  const room = low === high ? Math.abs(low) * 0.1 || 1 : 0;
  return [low - room, high + room];
}

/** Equal distances for equal differences. */
export function linear([low, high]: readonly [number, number], most: number): Scale {
  const step = niceStep(high - low, most);
  const ticks: Tick[] = [];
  for (let index = Math.ceil(low / step - 1e-9); index * step <= high + step * 1e-9; index += 1) {
    ticks.push({ at: index * step, label: tickLabel(Number((index * step).toPrecision(12))) });
  }
  return { ticks, place: value => (Number.isFinite(value) ? (value - low) / (high - low) : null) };
}

/** Equal distances for equal factors; what is not above zero has no place. `low` has to be above zero. */
export function logarithmic([low, high]: readonly [number, number], most: number): Scale {
  const from = Math.log10(low);
  const to = Math.log10(high);
  if (to - from < 1) {
    const plain = linear([low, high], most);
    return { ticks: plain.ticks.filter(tick => tick.at > 0), place: value => logPlace(value, from, to) };
  }
  const every = Math.max(1, Math.ceil((to - from) / most));
  const ticks: Tick[] = [];
  for (let power = Math.ceil(from - 1e-9); power <= to + 1e-9; power += every) {
    ticks.push({ at: 10 ** power, label: tickLabel(10 ** power) });
  }
  return { ticks, place: value => logPlace(value, from, to) };
}

function logPlace(value: number, from: number, to: number): number | null {
  return value > 0 && Number.isFinite(value) ? (Math.log10(value) - from) / (to - from) : null;
}

/** In what a span of seconds is read: the unit's name and its seconds. */
export function timeUnit(seconds: number): readonly ['s' | 'min' | 'h', number] {
  return seconds < 300 ? ['s', 1] : seconds < 3 * 3600 ? ['min', 60] : ['h', 3600];
}
