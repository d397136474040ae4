/** What today has cost so far: pure. */

import { since } from './format';
import type { Attempt, Job, Overview } from './types';

/** The price of an hour of this server; null when the site says none, or it is not known now. */
export function pricePerHour(overview: Overview): number | null {
  const line = overview.quota?.menu.find(entry => entry.profile === overview.here.profile);
  return line?.price_per_hour == null ? null : Number(line.price_per_hour);
}

/** What the site's prices are in; null where it names no currency, or none is known now. */
export function currency(overview: Overview): string | null {
  return overview.quota?.menu.find(entry => entry.currency != null)?.currency ?? null;
}

/** The part of the time that an attempt had its devices for that lies in today, in hours. */
function hoursToday(attempt: Attempt, midnight: Date, now: Date): number {
  // Of attempts before an update of the service only the time that they ran is known.
  const begin = attempt.starting ?? attempt.running;
  if (begin === null) {
    return 0;
  }
  const from = Math.max(Date.parse(begin), midnight.getTime());
  const until = attempt.ended === null ? now.getTime() : Date.parse(attempt.ended);
  return Math.max(0, until - from) / 3_600_000;
}

/** What a job's attempts have cost today; null without a price. */
export function jobToday(job: Job, midnight: Date, now: Date): number | null {
  const price = job.cost?.per_hour;
  if (price == null) {
    return null;
  }
  return job.attempts.reduce((sum, each) => sum + hoursToday(each, midnight, now), 0) * Number(price);
}

/** This server and my newest jobs since midnight, by the site's prices; null when a price or a time is not known. */
export function costToday(overview: Overview, now: Date): number | null {
  const midnight = new Date(now);
  midnight.setHours(0, 0, 0, 0);
  const price = pricePerHour(overview);
  const started = overview.here.started;
  if (price === null || started === null || overview.mine === null) {
    return null;
  }
  const from = Date.parse(started) > midnight.getTime() ? started : midnight.toISOString();
  const costs = overview.mine.map(job => jobToday(job, midnight, now));
  return costs.reduce<number>((sum, cost) => sum + (cost ?? 0), ((since(from, now) ?? 0) / 3600) * price);
}

/** Seconds before an idle stop from which on it is said: a quarter of an hour, less where servers stop sooner. */
export function idleWindow(overview: Overview): number {
  return Math.min(15 * 60, (overview.here.idle.stops_after ?? 0) / 2);
}

/** Seconds until this server is stopped for want of activity; null when nobody told it that it would be. */
export function idleLeft(overview: Overview, now: Date): number | null {
  const { stops_after: limit, last_activity: last } = overview.here.idle;
  const quiet = since(last, now);
  return limit === null || quiet === null ? null : Math.max(0, limit - quiet);
}
