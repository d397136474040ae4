/** Runs of pipelines as the service answers them, and where their steps are drawn. Pure. */

import type { TranslationBundle } from '@jupyterlab/translation';
import { inOwnZone } from '../format';
import type { components } from '../openapi';

type Schemas = components['schemas'];

export type PipelineRuns = Schemas['PipelineRunPage'];
export type PipelineRun = Schemas['PipelineRunAnswer'];
export type PipelineStep = Schemas['PipelineStepAnswer'];
export type RunComparison = Schemas['PipelineComparisonAnswer'];
export type ComparedStep = Schemas['ComparedStepAnswer'];
export type Triggers = Schemas['TriggersAnswer'];
export type Trigger = Schemas['TriggerAnswer'];
export type TriggerEvents = Schemas['TriggerEventsAnswer'];

/** Sizes of the drawing, in pixels. */
export const BOX = { width: 150, height: 34, across: 44, down: 12, edge: 4 };

export interface Drawn {
  readonly step: PipelineStep;
  readonly x: number;
  readonly y: number;
}

export interface Drawing {
  readonly width: number;
  readonly height: number;
  readonly boxes: readonly Drawn[];
  /** From one box to another. */
  readonly lines: readonly { readonly from: Drawn; readonly to: Drawn }[];
}

/** A column for each step that others wait for, what needs nothing in the first. */
export function drawing(steps: readonly PipelineStep[]): Drawing {
  const columns = columnOf(steps);
  const filled: number[] = [];
  const boxes = steps.map(step => {
    const column = columns.get(step.step) ?? 0;
    const row = filled[column] ?? 0;
    filled[column] = row + 1;
    return {
      step,
      x: BOX.edge + column * (BOX.width + BOX.across),
      y: BOX.edge + row * (BOX.height + BOX.down)
    };
  });
  const lines = boxes.flatMap(to =>
    boxes.filter(from => to.step.needs.includes(from.step.step)).map(from => ({ from, to }))
  );
  return {
    width: 2 * BOX.edge + Math.max(1, filled.length) * (BOX.width + BOX.across) - BOX.across,
    height: 2 * BOX.edge + Math.max(1, ...filled) * (BOX.height + BOX.down) - BOX.down,
    boxes,
    lines
  };
}

/** How many steps have to come before each one. The service refuses circles; here one only ends the counting. */
function columnOf(steps: readonly PipelineStep[]): Map<string, number> {
  const columns = new Map<string, number>();
  for (let round = 0; round <= steps.length; round++) {
    for (const step of steps) {
      columns.set(step.step, Math.max(0, ...step.needs.map(need => (columns.get(need) ?? 0) + 1)));
    }
  }
  return columns;
}

/** "push to main, 3f2a1c80 by ann". */
export function causeWords(run: PipelineRun, trans: TranslationBundle): string {
  const { kind, by, ref, commit, forced } = run.cause;
  if (kind === 'hand') {
    return trans.__('by hand, %1', by ?? run.owner);
  }
  const name = shortRef(ref ?? '');
  const short = (commit ?? '').slice(0, 8);
  if (kind === 'schedule') {
    return trans.__('at its time, %1, %2', name, short);
  }
  const what = kind === 'tag' ? trans.__('tag %1, %2', name, short) : trans.__('push to %1, %2', name, short);
  const whose = by === null ? what : trans.__('%1 by %2', what, by);
  return forced ? trans.__('%1, history was rewritten', whose) : whose;
}

export function shortRef(ref: string): string {
  return ref.replace(/^refs\/(heads|tags)\//, '');
}

/** Why a step has the job of an earlier run: "taken from run p1", or from the run that this one repeats. */
export function takenWords(step: PipelineStep, trans: TranslationBundle): string {
  const from = step.taken_from ?? '';
  return step.cached ? trans.__('taken from run %1', from) : trans.__('taken over from run %1', from);
}

/** What is said of a step beside its state and where it is taken from; of one that is cached also why it ran. */
export function aboutStep(step: PipelineStep, trans: TranslationBundle): string {
  return [step.reason === null ? valueWords(step, trans) : inOwnZone(step.reason), step.cache_reason ?? '']
    .filter(text => text !== '')
    .join('; ');
}

function valueWords(step: PipelineStep, trans: TranslationBundle): string {
  const values = [...Object.entries(step.values), ...Object.entries(step.metrics)];
  const told = values.map(
    ([name, value]) => `${name} ${value === null ? trans.__('no number') : JSON.stringify(value)}`
  );
  return told.join(', ');
}

/** What a step made: "fraud 3", "fraud@prod 3", "fraud@prod 3 as scores" once it answers under that name. */
export function madeWords(made: NonNullable<PipelineStep['result']>, trans: TranslationBundle): string {
  const { model, version, alias, deployment } = made;
  const place = `${model}${alias === null ? '' : `@${alias}`} ${String(version)}`;
  return deployment === null ? place : trans.__('%1 as %2', place, deployment);
}
