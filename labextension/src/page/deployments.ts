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
