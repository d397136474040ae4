/** What states and troubles are called. */

import type { TranslationBundle } from '@jupyterlab/translation';
import { Offline, Refused, SignedOut, Stopped } from './errors';
import { clock, duration, inOwnZone } from './format';
import type { Link } from './model';
import { printable } from './printable';
import type { Attempt, Job, JobState, StepState } from './types';

export type Tone = 'wait' | 'live' | 'good' | 'bad' | 'off';

/** How a state is drawn: a sign that does not need colour, and a tone for the colour. */
export const SIGNS: Readonly<Record<JobState, readonly [string, Tone]>> = {
  HELD: ['⚑', 'wait'],
  PENDING: ['…', 'wait'],
  QUEUED: ['◷', 'wait'],
  STARTING: ['◔', 'live'],
  RUNNING: ['▶', 'live'],
  SUSPENDED: ['‖', 'wait'],
  SUCCEEDED: ['✓', 'good'],
  FAILED: ['✕', 'bad'],
  CANCELLED: ['–', 'off']
};

export function stateName(state: JobState, trans: TranslationBundle): string {
  const names: Readonly<Record<JobState, string>> = {
    HELD: trans.__('Held'),
    PENDING: trans.__('Submitted'),
    QUEUED: trans.__('Queued'),
    STARTING: trans.__('Starting'),
    RUNNING: trans.__('Running'),
    SUSPENDED: trans.__('Suspended'),
    SUCCEEDED: trans.__('Succeeded'),
    FAILED: trans.__('Failed'),
    CANCELLED: trans.__('Cancelled')
  };
  return names[state];
}

/** As SIGNS, of a step. */
export const STEP_SIGNS: Readonly<Record<StepState, readonly [string, Tone]>> = {
  PENDING: ['…', 'wait'],
  RUNNING: ['▶', 'live'],
  WAITING: ['‖', 'wait'],
  SUCCEEDED: ['✓', 'good'],
  FAILED: ['✕', 'bad'],
  SKIPPED: ['–', 'off']
};

export function stepStateName(state: StepState, trans: TranslationBundle): string {
  const names: Readonly<Record<StepState, string>> = {
    PENDING: trans.__('Not begun'),
    RUNNING: trans.__('Running'),
    WAITING: trans.__('Waits for approval'),
    SUCCEEDED: trans.__('Succeeded'),
    FAILED: trans.__('Failed'),
    SKIPPED: trans.__('Skipped')
  };
  return names[state];
}

/** Why it waits or how it ended, in one line; empty when there is nothing to add. */
export function jobReason(job: Job, trans: TranslationBundle): string {
  if (job.cancel_asked && !job.final) {
    return trans.__('Cancelling');
  }
  if (job.state === 'QUEUED' && job.position !== null) {
    const place =
      job.position === 0
        ? trans.__('next in the queue')
        : trans._n('%1 ahead in the queue', '%1 ahead in the queue', job.position, job.position);
    const last = job.history[job.history.length - 1];
    return last?.kind === 'preempted' ? trans.__('stopped to give its devices back, now %1', place) : place;
  }
  if (job.state === 'FAILED' && !job.reason && job.exit_code !== null) {
    return trans.__('exit code %1', job.exit_code);
  }
  if (job.state === 'CANCELLED' && job.cancelled_by !== null) {
    // Its state stands before it.
    const by = trans.__('by %1', printable(job.cancelled_by));
    return job.cancel_word ? `${by}: ${printable(job.cancel_word)}` : by;
  }
  return inOwnZone(printable(job.reason ?? ''));
}

/** How an attempt ended that another one followed. */
export function attemptWords(attempt: Attempt, trans: TranslationBundle): string {
  const why = inOwnZone(printable(attempt.reason ?? attempt.kind ?? ''));
  const held = attempt.held_seconds ? trans.__('%1 with its devices', duration(attempt.held_seconds)) : '';
  return [why, attempt.nodes.map(printable).join(', '), held].filter(part => part !== '').join(' · ');
}

/** How many jobs are named in one notification. */
const NAMED = 3;

/** What is told of jobs that have ended: "18 of 20 jobs ended, 2 failed: a (exit code 1), b", or the names of all. */
export function endedWords(jobs: readonly Job[], underWay: number, trans: TranslationBundle): string {
  const [only] = jobs;
  if (only !== undefined && jobs.length === 1) {
    const reason = jobReason(only, trans);
    return `${printable(only.name)}: ${stateName(only.state, trans)}${reason === '' ? '' : ` (${reason})`}`;
  }
  const ended =
    underWay === 0
      ? trans.__('%1 jobs ended', jobs.length)
      : trans.__('%1 of %2 jobs ended', jobs.length, jobs.length + underWay);
  const failed = jobs.filter(job => job.state === 'FAILED');
  return failed.length === 0
    ? `${ended}: ${named(jobs, trans)}`
    : trans.__('%1, %2 failed: %3', ended, failed.length, named(failed, trans));
}

function named(jobs: readonly Job[], trans: TranslationBundle): string {
  const names = jobs.slice(0, NAMED).map(job => {
    const reason = jobReason(job, trans);
    return printable(job.name) + (reason === '' ? '' : ` (${reason})`);
  });
  return names.join(', ') + (jobs.length > NAMED ? ', …' : '');
}

/** What to say above everything else; null when all is well. */
export function linkTrouble(
  link: Link,
  trouble: string | null,
  asOf: Date | null,
  trans: TranslationBundle
): string | null {
  const last = asOf === null ? '' : ` ${trans.__('What you see is from %1.', clock(asOf))}`;
  const said = trouble?.replace(/[^.!?]$/, '$&.');
  switch (link) {
    case 'offline':
      return (
        trans.__(
          'No connection to your server: the network or the hub is away. Your jobs go on. Trying again.'
        ) + last
      );
    case 'stopped':
      return stoppedWords(trans) + last;
    case 'signed-out':
      return signedOutWords(trans) + last;
    case 'no-service':
    case 'failed':
      return (said ?? trans.__('The job service gave an answer that is not understood.')) + last;
    default:
      return null;
  }
}

/** The service's own words on how long it waits; null when it does not wait. */
export function waitWords(job: Job, trans: TranslationBundle): string | null {
  return job.state === 'QUEUED' ? (job.expected_wait?.words ?? trans.__('unknown')) : null;
}

function stoppedWords(trans: TranslationBundle): string {
  return trans.__('Your server has stopped. Your jobs go on.');
}

function signedOutWords(trans: TranslationBundle): string {
  return trans.__('This page is signed out of your server, or the server has stopped. Your jobs go on.');
}

/** What went wrong with a job, for a person: the service's own words where it said something. */
export function troubleWords(error: unknown, trans: TranslationBundle): string {
  if (error instanceof Stopped) {
    return stoppedWords(trans);
  }
  if (error instanceof SignedOut) {
    return signedOutWords(trans);
  }
  if (error instanceof Offline) {
    return trans.__('No connection to your server or to the job service. The job goes on; trying again.');
  }
  return inOwnZone(printable(error instanceof Error ? error.message : String(error)));
}

/** What went wrong with the form. */
export function formTroubleWords(error: unknown, trans: TranslationBundle): string {
  if (error instanceof Stopped || error instanceof SignedOut) {
    return `${troubleWords(error, trans)} ${trans.__('What you typed is kept on this page.')}`;
  }
  if (error instanceof Offline) {
    return trans.__('No connection to your server. What you typed is kept; try again in a moment.');
  }
  if (error instanceof Refused && error.reason === 'service-unreachable') {
    // The request may have arrived all the same. Its key makes it one job, however often it is sent.
    return trans.__(
      '%1 What you typed is kept; sent again as it is, it never becomes two jobs.',
      error.message
    );
  }
  return inOwnZone(printable(error instanceof Error ? error.message : String(error)));
}
