/** The steps of a job that has several, and what each of them printed: pure. */

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

interface Section {
  readonly name: string;
  readonly text: string;
}

/** The parts of a workflow's log, which stand one after the other below "=== name ===". */
function sections(log: string): readonly Section[] {
  const found: Section[] = [];
  const heads = [...log.matchAll(/^=== (.+) ===$/gm)];
  heads.forEach((head, index) => {
    const begin = head.index + head[0].length + 1;
    found.push({ name: head[1] ?? '', text: log.slice(begin, heads[index + 1]?.index) });
  });
  return found;
}

/**
 * What a step printed, as far as the job's log has it; null when it says nothing of that step. A step of a template
 * within another one is called "outer.inner" there, or "[0].inner".
 */
export function logOf(log: string, { name, nth }: Chosen): string | null {
  const named = sections(log).filter(section => section.name === name || section.name.endsWith(`.${name}`));
  return named[nth]?.text ?? null;
}
