/** From a job to the form that submits the same once more: pure. */

import { commandOf, parametersOf } from './compare';
import type { Start } from './submitview';
import type { Job } from './types';

/** What the form is filled in with. Variables are left out: their values are secrets, and never come here. */
export function startFrom(job: Job): Start {
  return {
    profile: job.profile,
    command: commandOf(job),
    parameters: parametersOf(job.command) ?? {},
    fields: {
      name: job.name,
      max_seconds: job.max_seconds,
      priority: job.priority,
      ...(job.retries.most > 0 ? { retries: job.retries.most } : {}),
      ...(job.outputs === null ? {} : { outputs: [...job.outputs] })
    },
    variables: job.environment
  };
}
