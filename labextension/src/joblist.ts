/** The list of jobs that is on the page: pure functions over what the service has answered. */

import type { Job } from './types';

/** Newest first, as the service sorts them. */
function newer(a: Job, b: Job): number {
  return b.times.submitted.localeCompare(a.times.submitted) || b.id.localeCompare(a.id);
}

/** `known` with what has just come; an entry that has come again is the new one. */
export function merge(known: readonly Job[], news: readonly Job[]): readonly Job[] {
  const fresh = new Map(news.map(job => [job.id, job]));
  const kept = known.map(job => {
    const found = fresh.get(job.id);
    fresh.delete(job.id);
    return found ?? job;
  });
  return fresh.size === 0 ? kept : [...kept, ...fresh.values()].sort(newer);
}

/** Those that have ended since: live in `before`, final in `now`. */
export function ended(before: readonly Job[], now: readonly Job[]): readonly Job[] {
  const live = new Set(before.filter(job => !job.final).map(job => job.id));
  return now.filter(job => job.final && live.has(job.id));
}
