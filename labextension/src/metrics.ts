/** A job's metrics as the page keeps them: series of points, to which answers add what is new. Pure. */

import type { MetricsAnswer, MetricValue } from './types';

export interface Point {
  readonly step: number;
  /** Seconds since 1970. */
  readonly time: number;
  /** May be NaN or infinite. */
  readonly value: number;
}

/** One metric of one attempt; `reported` points were reported, of which a thinned one has fewer. */
export interface Series {
  readonly name: string;
  readonly attempt: number;
  readonly reported: number;
  readonly thinned: boolean;
  readonly points: readonly Point[];
}

export interface Metrics {
  readonly cursor: number;
  readonly series: readonly Series[];
}

export const NONE: Metrics = { cursor: 0, series: [] };

/** As the service writes it: JSON has no NaN and no infinity. */
export function numberOf(value: MetricValue): number {
  return Number(value);
}

function pointsOf(answer: MetricsAnswer['series'][number]): readonly Point[] {
  return answer.values.map((value, index) => ({
    step: answer.steps[index] ?? 0,
    time: answer.times[index] ?? 0,
    value: numberOf(value)
  }));
}

function key(series: { readonly name: string; readonly attempt: number }): string {
  return `${series.attempt} ${series.name}`;
}

/** `known` with what has just come; a series that has come whole takes the place of the one before. */
export function withNews(known: Metrics, answer: MetricsAnswer): Metrics {
  const all = new Map(known.series.map(series => [key(series), series]));
  for (const news of answer.series) {
    const before = news.whole ? [] : (all.get(key(news))?.points ?? []);
    const { name, attempt, reported, thinned } = news;
    all.set(key(news), { name, attempt, reported, thinned, points: [...before, ...pointsOf(news)] });
  }
  const series = [...all.values()].sort((a, b) => a.name.localeCompare(b.name) || a.attempt - b.attempt);
  return { cursor: answer.cursor, series };
}

/** Each name once, in order. */
export function metricNames(all: readonly Metrics[]): readonly string[] {
  return [...new Set(all.flatMap(metrics => metrics.series.map(series => series.name)))].sort((a, b) =>
    a.localeCompare(b)
  );
}

/** Up to so many digits, as "0.3125", "1.2e-5", "NaN". */
export function shortNumber(value: number, digits = 6): string {
  if (!Number.isFinite(value)) {
    return String(value);
  }
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e9)) {
    return value
      .toExponential(3)
      .replace(/\.?0+e/, 'e')
      .replace('e+', 'e');
  }
  return String(Number(value.toPrecision(digits)));
}

/** The last values of the first metrics, in one line; empty when none was reported. */
export function lastValues(metrics: Readonly<Record<string, MetricValue>> | undefined, most: number): string {
  const all = Object.entries(metrics ?? {});
  const shown = all.slice(0, most).map(([name, value]) => `${name} ${shortNumber(numberOf(value), 3)}`);
  return [...shown, ...(all.length > most ? [`+${all.length - most}`] : [])].join(' · ');
}
