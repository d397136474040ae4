/** Curves of one metric: from series to paths and what is read at a place. Pure. */

import type { Point, Series } from './metrics';
import { extent, linear, logarithmic, type Scale, timeUnit } from './scale';

export type Axis = 'step' | 'time';

/** One curve; `hue` tells its colour and its dashes. */
export interface Curve {
  readonly label: string;
  readonly hue: number;
  readonly points: readonly Point[];
}

export interface Drawing {
  readonly x: Scale;
  readonly y: Scale;
  /** For the horizontal axis: null for steps. */
  readonly unit: 's' | 'min' | 'h' | null;
  readonly curves: readonly Drawn[];
  /** Points that have no place: NaN, infinite, and on a logarithmic scale what is not above zero. */
  readonly left: number;
}

export interface Drawn {
  readonly label: string;
  readonly hue: number;
  readonly dots: readonly Dot[];
}

/** A point with its place from 0 to 1; `y` null where it can't be drawn. `at` is what its horizontal axis says. */
export interface Dot {
  readonly at: number;
  readonly x: number;
  readonly y: number | null;
  readonly value: number;
}

/** The curves of one metric of a job: one for each attempt. */
export function curvesOf(
  name: string,
  series: readonly Series[],
  label: string,
  hue: number
): readonly Curve[] {
  return series.filter(each => each.name === name).map(({ points }) => ({ label, hue, points }));
}

/** Where each point is along the axis: its step, or its seconds since the first point. */
function along(points: readonly Point[], axis: Axis): readonly number[] {
  const begin = points[0]?.time ?? 0;
  return points.map(point => (axis === 'step' ? point.step : Math.max(0, point.time - begin)));
}

/** Null when there is nothing that can be drawn. */
export function draw(curves: readonly Curve[], axis: Axis, log: boolean): Drawing | null {
  const places = curves.map(curve => along(curve.points, axis));
  const values = curves.flatMap(curve => curve.points.map(point => point.value));
  const across = extent(places.flat());
  const up = extent(log ? values.filter(value => value > 0) : values);
  if (across === null || up === null) {
    return null;
  }
  const [unit, seconds] = axis === 'time' ? timeUnit(across[1] - across[0]) : [null, 1];
  const x = linear([across[0] / seconds, across[1] / seconds], 6);
  const low = up[0] > 0 ? up[0] : Math.min(...values.filter(value => value > 0));
  const y = log ? logarithmic([low, up[1]], 5) : linear(up, 5);
  const drawn = curves.map(({ label, hue, points }, index) => ({
    label,
    hue,
    dots: points.map((point, nth) => dot((places[index]?.[nth] ?? 0) / seconds, point.value, x, y))
  }));
  const left = drawn.reduce((sum, { dots }) => sum + dots.filter(each => each.y === null).length, 0);
  return { x, y, unit, curves: drawn, left };
}

function dot(at: number, value: number, x: Scale, y: Scale): Dot {
  return { at, x: x.place(at) ?? 0, y: y.place(value), value };
}

/** The line through the dots in a box of this size; what can't be drawn leaves a gap. */
export function path(dots: readonly Dot[], width: number, height: number): string {
  let found = '';
  let pen = 'M';
  for (const { x, y } of dots) {
    if (y === null) {
      pen = 'M';
      continue;
    }
    found += `${pen}${(x * width).toFixed(1)} ${((1 - y) * height).toFixed(1)}`;
    pen = 'L';
  }
  return found;
}

/** The dot of a curve that is nearest to a place from 0 to 1; null for a curve without dots. */
export function nearest(dots: readonly Dot[], x: number): Dot | null {
  return dots.reduce<Dot | null>(
    (best, each) => (best === null || Math.abs(each.x - x) < Math.abs(best.x - x) ? each : best),
    null
  );
}

/** All places at which a curve has a dot, each once, from left to right: where the keyboard goes. */
export function stops(drawing: Drawing): readonly number[] {
  const all = drawing.curves.flatMap(curve => curve.dots.map(each => each.x));
  return [...new Set(all)].sort((a, b) => a - b);
}
