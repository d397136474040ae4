/** What of my jobs is news. */

import type { Job } from './types';

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
