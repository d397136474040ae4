/** What the service says of deployments, and how it is said to people. Pure. */

import type { TranslationBundle } from '@jupyterlab/translation';
import type { components } from '../openapi';

type Schemas = components['schemas'];

export type Deployment = Schemas['DeploymentAnswer'];
export type Deployments = Schemas['DeploymentsAnswer'];
export type DeploymentUsage = Schemas['DeploymentUsageAnswer'];
export type Deployed = Schemas['DeployAnswer'];

/** With which version and release it answers: "fraud 3 (release 7)". */
export function servesWords(deployment: Deployment, trans: TranslationBundle): string {
  const { serving } = deployment;
  if (serving === null) {
    return trans.__('nothing');
  }
  return trans.__('%1 %2 (release %3)', deployment.model, String(serving.version), String(serving.number));
}

/** What was asked for: "fraud@prod, 2 x mig-1g.10gb". */
export function askedWords(deployment: Deployment, trans: TranslationBundle): string {
  const { model, at, replicas, profile } = deployment;
  return trans.__('%1@%2, %3 x %4', model, at, String(replicas), profile);
}

/** What came of a wish about a deployment. */
export function deployedWords(name: string, answer: Deployed, trans: TranslationBundle): string {
  if (answer.held) {
    const needs = answer.needs.map(need => `${String(need.count)} ${need.role}`).join(', ');
    return trans.__('Nothing was changed: %1 has to be approved first (%2). Ask again then.', name, needs);
  }
  const serving = answer.deployment?.serving ?? null;
  return serving === null
    ? trans.__('%1 is on its way.', name)
    : trans.__('%1 answers with release %2.', name, String(serving.number));
}

/** How far back, and how many minutes one bar sums up. */
export const RANGES = {
  hour: { hours: 1, step: 1 },
  day: { hours: 24, step: 15 },
  week: { hours: 168, step: 120 }
} as const;
export type Range = keyof typeof RANGES;

/** What was asked from a moment on, for the minutes of one bar. */
export interface Span {
  readonly at: Date;
  readonly asked: number;
  readonly failed: number;
  readonly p50: number | null;
  readonly p95: number | null;
}

/** A span for each bar of the range up to now, the oldest first; those in which nothing was asked are empty. */
export function everySpan(minutes: DeploymentUsage['minutes'], range: Range, now: Date): readonly Span[] {
  const { hours, step } = RANGES[range];
  const length = step * 60_000;
  const last = Math.floor(now.getTime() / length);
  const known = new Map(minutes.map(each => [Math.floor(Date.parse(each.at) / length), each]));
  return Array.from({ length: (hours * 60) / step + 1 }, (_, index) => {
    const number = last - (hours * 60) / step + index;
    const found = known.get(number);
    const { asked, failed, p50, p95 } = found ?? { asked: 0, failed: 0, p50: null, p95: null };
    return { at: new Date(number * length), asked, failed, p50, p95 };
  });
}

/** A time of answers: the bound under which they came. */
export function within(millis: number | null, trans: TranslationBundle): string {
  return millis === null ? trans.__('more than 10 s') : trans.__('up to %1 ms', String(millis));
}

/** All of it in one sentence. */
export function askedInWords(said: DeploymentUsage, trans: TranslationBundle): string {
  const inside = trans.__('What asks inside the team’s vCluster is not counted.');
  if (said.asked === 0) {
    return `${trans.__('Nothing was asked through the service in this time.')} ${inside}`;
  }
  const counts = trans.__('%1 requests, of which %2 failed.', String(said.asked), String(said.failed));
  const [half, most] = [within(said.p50, trans), within(said.p95, trans)];
  return `${counts} ${trans.__('Half of the answers took %1, 95 % of them %2.', half, most)} ${inside}`;
}
