/** What of my jobs is news. */

import type { Job } from './types';

/** Milliseconds. Jobs that end within this time of one another are told of together. */
const TOGETHER = 30_000;

/** What to tell, and what is to be remembered: pure. `lost` are those of which nothing is known. */
export function settle(
  remembered: readonly string[],
  mine: readonly Job[]
): {
  readonly ended: readonly Job[];
  readonly underWay: readonly string[];
  readonly lost: readonly string[];
} {
  const known = new Map(mine.map(job => [job.id, job]));
  return {
    ended: remembered.map(id => known.get(id)).filter((job): job is Job => job?.final === true),
    underWay: mine.filter(job => !job.final).map(job => job.id),
    lost: remembered.filter(id => !known.has(id))
  };
}

/** Jobs that have ended and are told of in one notification. */
export interface Group {
  readonly jobs: readonly Job[];
  /** When the last of them was heard of, in milliseconds. */
  readonly at: number;
}

/** The group with those that have ended now, a new one when the last end is long ago: failures come first, and the last ones. */
export function grouped(group: Group | null, ended: readonly Job[], now: number): Group {
  const before = group !== null && now - group.at <= TOGETHER ? group.jobs : [];
  const jobs = [...ended, ...before];
  const failed = (job: Job) => job.state === 'FAILED';
  return { jobs: [...jobs.filter(failed), ...jobs.filter(job => !failed(job))], at: now };
}
