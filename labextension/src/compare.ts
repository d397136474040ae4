/** What differs between two jobs: pure. */

import type { Job } from './types';

export interface Difference {
  readonly field: 'command' | 'profile' | 'files' | 'outputs' | 'environment';
  readonly before: string;
  readonly now: string;
}

/** How the fields are shown side by side; digests are cut, for nobody compares 64 digits. */
const FIELDS: Readonly<Record<Difference['field'], (job: Job) => string>> = {
  command: job => job.command,
  profile: job => job.profile,
  files: job => job.files?.slice(0, 12) ?? '',
  outputs: job => (job.outputs ?? []).join(', '),
  environment: job => job.environment.join(', ')
};

/** What differs; the values of variables are secrets and never come here, so only their names are compared. */
export function differences(before: Job, now: Job): readonly Difference[] {
  return (Object.keys(FIELDS) as Difference['field'][])
    .map(field => ({ field, before: FIELDS[field](before), now: FIELDS[field](now) }))
    .filter(({ before: old, now: fresh }) => old !== fresh);
}

/** The newest of `jobs` that was submitted before `job` by the same person under the same name. */
export function runBefore(job: Job, jobs: readonly Job[]): Job | null {
  const earlier = jobs.filter(
    other =>
      other.id !== job.id &&
      other.owner === job.owner &&
      other.name === job.name &&
      other.times.submitted <= job.times.submitted
  );
  return earlier.sort((a, b) => b.times.submitted.localeCompare(a.times.submitted))[0] ?? null;
}
