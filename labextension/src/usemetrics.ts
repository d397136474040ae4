/** Keeps the metrics of some jobs up to date, for as long as somebody looks. */

import { useEffect, useRef, useState } from 'react';
import type { Api } from './api';
import { type Metrics, NONE, withNews } from './metrics';
import type { Job } from './types';

/** Questions that are under way at once. */
const AT_ONCE = 4;

export interface Known {
  readonly of: ReadonlyMap<string, Metrics>;
  /** Why some could not be had; null when all is well. */
  readonly trouble: unknown;
}

/** Whether a job has said something since it was last asked for its metrics. */
function stale(job: Job, told: ReadonlyMap<string, string>): boolean {
  return (
    Object.keys(job.progress?.metrics ?? {}).length > 0 &&
    told.get(job.id) !== `${job.attempt} ${job.progress?.at ?? ''}`
  );
}

/** Their metrics by id. A job is asked for what is new each time that it has reported something. */
export function useMetrics(api: Api, jobs: readonly Job[]): Known {
  const [known, setKnown] = useState<Known>({ of: new Map(), trouble: null });
  const told = useRef(new Map<string, string>());
  const cursors = useRef(new Map<string, number>());
  const open = useRef(new Set<string>());
  const [round, again] = useState(0);
  useEffect(() => {
    const waiting = jobs.filter(job => stale(job, told.current) && !open.current.has(job.id));
    for (const job of waiting.slice(0, Math.max(0, AT_ONCE - open.current.size))) {
      open.current.add(job.id);
      api
        .metrics(job.id, cursors.current.get(job.id) ?? 0)
        .then(answer => {
          cursors.current.set(job.id, answer.cursor);
          setKnown(({ of }) => {
            const next = withNews(of.get(job.id) ?? NONE, answer);
            return { of: new Map(of).set(job.id, next), trouble: null };
          });
        })
        .catch((trouble: unknown) => {
          setKnown(({ of }) => ({ of, trouble }));
        })
        .finally(() => {
          told.current.set(job.id, `${job.attempt} ${job.progress?.at ?? ''}`);
          open.current.delete(job.id);
          again(count => count + 1);
        });
    }
  }, [api, jobs, round]);
  return known;
}
