/** Jobs beside each other: parameters and last metrics as columns, sorted, filtered, as CSV. Pure. */

import { parametersOf } from './compare';
import { numberOf, shortNumber } from './metrics';
import type { Job } from './types';

/** A cell's value; null where the job has none. */
export type Value = string | number | boolean | null;

export interface Column {
  readonly key: string;
  readonly name: string;
  readonly kind: 'own' | 'parameter' | 'metric';
  readonly of: (job: Job) => Value;
}

export interface Order {
  readonly key: string;
  readonly descending: boolean;
}

/** What it was given: its template's parameters, its notebook's, those of its sweep. */
export function givenTo(job: Job): Readonly<Record<string, unknown>> {
  return { ...job.parameters, ...parametersOf(job.command), ...job.sweep_parameters };
}

function plain(value: unknown): Value {
  return value === undefined || value === null
    ? null
    : typeof value === 'number' || typeof value === 'boolean' || typeof value === 'string'
      ? value
      : JSON.stringify(value);
}

export function metricOf(job: Job, name: string): number | null {
  const value = job.progress?.metrics[name];
  return value === undefined ? null : numberOf(value);
}

function named(jobs: readonly Job[], of: (job: Job) => object): readonly string[] {
  return [...new Set(jobs.flatMap(job => Object.keys(of(job))))];
}

/** The columns of these jobs: parameters and metrics in the order in which they are met. */
export function columnsOf(jobs: readonly Job[], own: readonly Column[]): readonly Column[] {
  const parameters = named(jobs, givenTo).map((name): Column => ({
    key: `parameter ${name}`,
    name,
    kind: 'parameter',
    of: job => plain(givenTo(job)[name])
  }));
  const metrics = named(jobs, job => job.progress?.metrics ?? {}).map((name): Column => ({
    key: `metric ${name}`,
    name,
    kind: 'metric',
    of: job => metricOf(job, name)
  }));
  return [...own, ...parameters, ...metrics];
}

function rank(value: Value): number {
  return value === null || value === '' ? 2 : typeof value === 'number' && Number.isNaN(value) ? 1 : 0;
}

function compare(a: Value, b: Value): number {
  const [x, y] = [Number(a), Number(b)];
  const numbers = typeof a !== 'string' || typeof b !== 'string' || !(Number.isNaN(x) || Number.isNaN(y));
  return numbers && !Number.isNaN(x - y) ? x - y : x === y ? 0 : String(a).localeCompare(String(b));
}

/** Those without a value come last in either direction, before them those that are no number. */
export function sorted(jobs: readonly Job[], column: Column, descending: boolean): readonly Job[] {
  return [...jobs].sort((a, b) => {
    const [x, y] = [column.of(a), column.of(b)];
    return rank(x) - rank(y) || (rank(x) > 0 ? 0 : descending ? compare(y, x) : compare(x, y));
  });
}

/** Those that have each word of the text in one of their cells, or a comparison such as "loss<0.5" in a column. */
export function filtered(jobs: readonly Job[], columns: readonly Column[], text: string): readonly Job[] {
  const tests = text
    .trim()
    .split(/\s+/)
    .filter(Boolean)
    .map(word => testOf(word, columns));
  return jobs.filter(job => tests.every(test => test(job)));
}

function testOf(word: string, columns: readonly Column[]): (job: Job) => boolean {
  const [, name, sign, limit] = /^(.+?)(<=|>=|<|>|=)(.+)$/.exec(word) ?? [];
  const column = columns.find(each => each.name.toLowerCase() === name?.toLowerCase());
  if (column === undefined || limit === undefined) {
    const wanted = word.toLowerCase();
    return job => columns.some(each => textOf(each.of(job)).toLowerCase().includes(wanted));
  }
  return job => holds(column.of(job), sign ?? '=', limit);
}

function holds(value: Value, sign: string, limit: string): boolean {
  if (rank(value) > 0) {
    return false;
  }
  const difference = compare(value, limit);
  switch (sign) {
    case '<':
      return difference < 0;
    case '>':
      return difference > 0;
    case '<=':
      return difference <= 0;
    case '>=':
      return difference >= 0;
    default:
      return difference === 0;
  }
}

export function textOf(value: Value): string {
  return value === null ? '' : typeof value === 'number' ? shortNumber(value) : String(value);
}

/** A cell of CSV. What a spreadsheet would run as a formula gets an apostrophe before it. */
function cell(value: Value): string {
  const text = value === null ? '' : String(value);
  const safe = typeof value === 'string' && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

export function csvOf(jobs: readonly Job[], columns: readonly Column[]): string {
  const lines = [
    columns.map(column => column.name),
    ...jobs.map(job => columns.map(column => column.of(job)))
  ];
  return lines.map(line => `${line.map(cell).join(',')}\n`).join('');
}
