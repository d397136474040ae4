/** The steps of a job that has several, and what each of them printed: pure. */

import type { LogRow } from './log';
import type { Job, Step } from './types';

/** Which step is meant. Steps change their place as they begin, and several may have one name. */
export interface Chosen {
  readonly name: string;
  /** Of those that have this name, from 0. */
  readonly nth: number;
}

export interface PlacedStep extends Step {
  readonly nth: number;
}

/** The steps, each with its number among those of its name. */
export function placed(steps: readonly Step[]): readonly PlacedStep[] {
  const met = new Map<string, number>();
  return steps.map(step => {
    const nth = met.get(step.name) ?? 0;
    met.set(step.name, nth + 1);
    return { ...step, nth };
  });
}

/** Whether they are the nodes of one command, whose log is the first node's, and no steps of a workflow. */
export function areNodes(job: Job): boolean {
  return job.steps.length > 0 && job.steps.every(step => /^node \d+$/.test(step.name));
}

/** What one step printed. */
export interface Section {
  readonly name: string;
  readonly rows: readonly LogRow[];
}

/** The parts of a workflow's log, which stand one after the other below "=== name ===". */
export function sections(log: readonly LogRow[]): readonly Section[] {
  const heads: { readonly name: string; readonly row: number }[] = [];
  log.forEach(({ plain }, row) => {
    const name = plain.startsWith('=== ') ? /^=== (.+) ===$/.exec(plain)?.[1] : undefined;
    if (name !== undefined) {
      heads.push({ name, row });
    }
  });
  return heads.map(({ name, row }, index) => ({ name, rows: log.slice(row + 1, heads[index + 1]?.row) }));
}

/**
 * What a step printed, as far as the job's log has it; null when it says nothing of that step. A step of a template
 * within another one is called "outer.inner" there, or "[0].inner".
 */
export function logOf(parts: readonly Section[], { name, nth }: Chosen): readonly LogRow[] | null {
  const named = parts.filter(section => section.name === name || section.name.endsWith(`.${name}`));
  return named[nth]?.rows ?? null;
}
