import type { Attempt, Job, JobState } from '../src/types';

/** A job for tests: `index` counts seconds after a moment, so that a higher one is newer. */
export function makeJob(index: number, state: JobState = 'SUCCEEDED', more: Partial<Job> = {}): Job {
  return {
    id: `j${String(index).padStart(6, '0')}`,
    name: `job ${index}`,
    tenant: 'nlp',
    owner: 'nlp-user',
    command: 'python train.py',
    profile: 'mig-1g.10gb',
    environment: [],
    secrets: [],
    outputs: null,
    files: null,
    files_size: 0,
    state,
    final: ['SUCCEEDED', 'FAILED', 'CANCELLED'].includes(state),
    reason: null,
    exit_code: null,
    position: null,
    cancel_asked: false,
    cancelled_by: null,
    cancel_word: null,
    times: {
      submitted: new Date(1_800_000_000_000 + index * 1000).toISOString(),
      queued: null,
      starting: null,
      running: null,
      finished: null
    },
    log_size: null,
    expected_wait: null,
    cost: null,
    suspend_asked: false,
    unreachable: null,
    attempt: 1,
    retries: { used: 0, most: 0 },
    preemptions: 0,
    history: [],
    attempts: [],
    priority: 'normal',
    max_seconds: 3600,
    progress: null,
    retry_of: null,
    schedule: null,
    sweep: null,
    sweep_parameters: {},
    left: {},
    simulated: true,
    engine: 'kubernetes-job',
    nodes: 1,
    template: null,
    parameters: {},
    steps: [],
    image: 'job:test',
    own_image: false,
    ...more
  };
}

/** An attempt for tests. */
export function makeAttempt(attempt: number, more: Partial<Attempt> = {}): Attempt {
  return {
    attempt,
    kind: null,
    reason: null,
    exit_code: null,
    queued: null,
    starting: null,
    running: null,
    ended: null,
    held_seconds: null,
    nodes: [],
    devices: [],
    log_size: null,
    ...more
  };
}
