/** An empty queue of a platform that nothing tells of GPUs. */

import type { QueueAnswer } from '../src/page/queueview';

export const QUEUE: QueueAnswer = {
  ...{ as_of: '2026-11-01T10:00:00Z', scope: 'platform', simulated: false, teams: ['nlp'], not_known: [] },
  ...{ waiting: [], left_off: 0, plan: null },
  gpus: {
    ...{ known: false, why: 'telemetry.prometheus is not set', gpus: null, sizes: null, free: null },
    ...{ stranded: null, idle: null, partly: null, full: null, unknown: null }
  }
};
