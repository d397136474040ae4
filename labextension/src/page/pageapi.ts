/** Requests to the job service itself, with the browser's session. */

import { Api, type JobFilter, type Pair, query, type Transport } from '../api';
import { Offline, Refused } from '../errors';
import type { components } from '../openapi';
import type { Overview } from '../types';
import { xsrf } from '../xsrf';
import type { Approval, Decision } from './approvalspage';
import type { Deployed, Deployments, DeploymentUsage } from './deployments';
import type {
  AllAdvice,
  Bill,
  Bills,
  Budgets,
  By,
  Heat,
  HoldPage,
  IdleServers,
  OneHold,
  PlatformOverview,
  PlatformUsage,
  TeamOverview,
  TeamUsage
} from './ledger';
import type { LineageGraph, ModelDetail, ModelList, Moved, Verification, VersionDetail } from './models';
import type { Kind, Level, Notifications } from './notifications';
import type { PipelineRuns, RunComparison, TriggerEvents, Triggers } from './pipelines';
import type {
  Decision as TeamDecision,
  TeamRequest,
  TeamRequests,
  TeamStates,
  Templates,
  Wish
} from './teamrequests';

/** What proves that this page asks; the service sets it with the page. */
function proof(): string {
  return xsrf() ?? '';
}

/** A browser says for a download who has asked for it only on https; where it does not, the proof says it. */
function proven(address: string): string {
  return `${address}${address.includes('?') ? '&' : '?'}_xsrf=${encodeURIComponent(proof())}`;
}

type ApprovalPage = components['schemas']['ApprovalPage'];
type Health = components['schemas']['HealthAnswer'];
type QueueAnswer = components['schemas']['QueueAnswer'];

function pageTransport(prefix: string): Transport {
  return {
    url: path => `${prefix}${path.replace(/^api\//, 'api/v1/')}`,
    send: async (url, init) => {
      const headers = new Headers(init.headers);
      headers.set('X-XSRFToken', proof());
      if (init.body !== undefined) {
        headers.set('Content-Type', 'application/json');
      }
      const response = await fetch(url, { ...init, headers }).catch(() => {
        throw new Offline();
      });
      if (response.status === 401) {
        throw new Refused(401, 'not-signed-in', 'Your session is over. Load this page again to sign in.');
      }
      return response;
    },
    startUrl: null
  };
}

/** There is no Jupyter server here: no place of its own, and no files of a person's. */
export class PageApi extends Api {
  constructor(
    prefix: string,
    private readonly user: string
  ) {
    super(pageTransport(prefix));
  }

  override async overview(filter: JobFilter | null): Promise<Overview> {
    return {
      here: {
        user: this.user,
        server: '',
        tenant: null,
        profile: null,
        environment: null,
        started: null,
        memory: null,
        usage: [],
        idle: { stops_after: null, last_activity: null },
        notice: null,
        unused: null
      },
      team: { approvals: null, budgets: null, page: '' },
      service: { reachable: true, message: null },
      quota: null,
      mine: null,
      page: filter === null ? null : await this.jobs(filter, null)
    };
  }

  override logUrl(id: string, attempt: number): string {
    return proven(super.logUrl(id, attempt));
  }

  override artifactUrl(id: string, name: string): string {
    return proven(super.artifactUrl(id, name));
  }

  /** Who holds what in a team, and who waits. */
  team(tenant: string): Promise<TeamOverview> {
    return this.json<TeamOverview>(`${ofTeam(tenant)}/overview`);
  }

  /** What a team has held in a month; for who is no admin of it, their own. */
  teamUsage(tenant: string, month: string, by: By): Promise<TeamUsage> {
    return this.json<TeamUsage>(
      `${ofTeam(tenant)}/usage${query([
        ['month', month],
        ['by', by]
      ])}`
    );
  }

  teamIdle(tenant: string): Promise<IdleServers> {
    return this.json<IdleServers>(`${ofTeam(tenant)}/idle`);
  }

  teamAdvice(tenant: string): Promise<AllAdvice> {
    return this.json<AllAdvice>(`${ofTeam(tenant)}/advice`);
  }

  /** How its budgets and the caller's own stand. */
  teamBudgets(tenant: string): Promise<Budgets> {
    return this.json<Budgets>(`${ofTeam(tenant)}/budget`);
  }

  teamHeat(tenant: string, month: string): Promise<Heat> {
    return this.json<Heat>(`${ofTeam(tenant)}/usage/heatmap${query([['month', month]])}`);
  }

  /** The pods behind a line of a bill, or behind all of a team's month; `after` is where the page before ended. */
  holds(tenant: string, month: string, of: readonly Pair[], after: string | null): Promise<HoldPage> {
    const next: Pair[] = after === null ? [] : [['after', after]];
    const asked: Pair[] = [['month', month], ...of, ['limit', '100'], ...next];
    return this.json<HoldPage>(`${ofTeam(tenant)}/usage/holds${query(asked)}`);
  }

  /** One pod's hold, with its evidence. */
  hold(tenant: string, pod: string): Promise<OneHold> {
    return this.json<OneHold>(`${ofTeam(tenant)}/usage/holds/${encodeURIComponent(pod)}`);
  }

  bill(tenant: string, month: string): Promise<Bill> {
    return this.json<Bill>(`${ofTeam(tenant)}/bills/${month}`);
  }

  /** Where the browser gets a bill as CSV. */
  billUrl(tenant: string, month: string): string {
    return proven(this.url(`${ofTeam(tenant)}/bills/${month}`) + query([['format', 'csv']]));
  }

  /** What answers in a team, and with which release. */
  deployments(tenant: string): Promise<Deployments> {
    return this.json<Deployments>(`${ofTeam(tenant)}/deployments`);
  }

  /** What a deployment was asked, and what its releases have held. */
  deploymentUsage(tenant: string, name: string, hours = 24, step = 60): Promise<DeploymentUsage> {
    const asked = `hours=${String(hours)}&step=${String(step)}`;
    return this.json<DeploymentUsage>(
      `${ofTeam(tenant)}/deployments/${encodeURIComponent(name)}/usage?${asked}`
    );
  }

  /** Go back to a release; its alias goes with it. */
  rollBackDeployment(tenant: string, name: string, release: number, reason: string): Promise<Deployed> {
    const path = `${ofTeam(tenant)}/deployments/${encodeURIComponent(name)}/rollback`;
    return this.json<Deployed>(path, { method: 'POST', body: JSON.stringify({ release, reason }) });
  }

  /** End a deployment; its history stays. */
  stopDeployment(tenant: string, name: string): Promise<Deployed> {
    const path = `${ofTeam(tenant)}/deployments/${encodeURIComponent(name)}`;
    return this.json<Deployed>(path, { method: 'DELETE' });
  }

  /** The newest runs of a team's pipelines. */
  pipelineRuns(tenant: string): Promise<PipelineRuns> {
    return this.json<PipelineRuns>(`${ofTeam(tenant)}/pipeline-runs${query([['limit', '20']])}`);
  }

  /** A run beside an earlier one. */
  comparePipelines(id: string, before: string): Promise<RunComparison> {
    return this.json<RunComparison>(`${ofRun(id)}/comparison${query([['before', before]])}`);
  }

  cancelPipeline(id: string): Promise<unknown> {
    return this.json<unknown>(ofRun(id), { method: 'DELETE' });
  }

  /** A new run from a step on; without one, from what did not succeed. */
  retryPipeline(id: string, step: string | null): Promise<unknown> {
    return this.post(`${ofRun(id)}/retry`, { key: crypto.randomUUID(), step });
  }

  triggers(tenant: string): Promise<Triggers> {
    return this.json<Triggers>(`${ofTeam(tenant)}/triggers`);
  }

  triggerEvents(id: string): Promise<TriggerEvents> {
    return this.json<TriggerEvents>(`api/triggers/${encodeURIComponent(id)}/events`);
  }

  /** How much each team holds now. */
  teams(): Promise<PlatformOverview> {
    return this.json<PlatformOverview>('api/platform/overview');
  }

  /** What waits in all teams, the GPUs, and a plan to cut idle ones anew. */
  queue(): Promise<QueueAnswer> {
    return this.json<QueueAnswer>('api/queue');
  }

  /** What may be asked for, and why one may not. */
  teamTemplates(): Promise<Templates> {
    return this.json<Templates>('api/teams/templates');
  }

  teamRequests(): Promise<TeamRequests> {
    return this.json<TeamRequests>('api/teams/requests');
  }

  allTeamRequests(): Promise<TeamRequests> {
    return this.json<TeamRequests>(`api/teams/requests${query([['everybody', 'true']])}`);
  }

  /** What would be answered; nothing is stored. */
  checkTeamRequest(wish: Wish): Promise<TeamDecision> {
    return this.json<TeamDecision>('api/teams/requests/check', {
      method: 'POST',
      body: JSON.stringify(wish)
    });
  }

  askForTeam(wish: Wish): Promise<TeamRequest> {
    return this.json<TeamRequest>('api/teams/requests', { method: 'POST', body: JSON.stringify(wish) });
  }

  withdrawTeamRequest(id: string): Promise<TeamRequest> {
    return this.json<TeamRequest>(`api/teams/requests/${encodeURIComponent(id)}`, { method: 'DELETE' });
  }

  /** How each team is on the host. */
  teamStates(): Promise<TeamStates> {
    return this.json<TeamStates>('api/platform/teams');
  }

  platformUsage(month: string, by: By): Promise<PlatformUsage> {
    return this.json<PlatformUsage>(
      `api/platform/usage${query([
        ['month', month],
        ['by', by]
      ])}`
    );
  }

  platformHeat(month: string): Promise<Heat> {
    return this.json<Heat>(`api/platform/heatmap${query([['month', month]])}`);
  }

  bills(month: string): Promise<Bills> {
    return this.json<Bills>(`api/platform/bills/${month}`);
  }

  /** Where the browser gets the bills of all teams as CSV. */
  billsUrl(month: string): string {
    return proven(this.url(`api/platform/bills/${month}`) + query([['format', 'csv']]));
  }

  closeMonth(month: string): Promise<unknown> {
    return this.post(`api/platform/bills/${month}/close`, {});
  }

  /** The newest approvals that the person may see. */
  approvals(): Promise<ApprovalPage> {
    return this.json<ApprovalPage>(`api/approvals${query([['limit', '100']])}`);
  }

  approval(id: string): Promise<Approval> {
    return this.json<Approval>(`api/approvals/${encodeURIComponent(id)}`);
  }

  /** The digest goes with it: a vote is about what was shown. */
  vote(approval: Approval, decision: Decision, comment: string): Promise<Approval> {
    const body = {
      vote: decision === 'no' ? 'no' : 'yes',
      digest: approval.digest,
      comment,
      emergency: decision === 'emergency'
    };
    const init = { method: 'PUT', body: JSON.stringify(body) };
    return this.json<Approval>(`api/approvals/${encodeURIComponent(approval.id)}/vote`, init);
  }

  /** What the person is told by mail, and where. */
  notifications(): Promise<Notifications> {
    return this.json<Notifications>('api/notifications');
  }

  /** In the place of what was chosen before; `level` null: the site's default. */
  chooseNotifications(level: Level | null, kinds: Partial<Record<Kind, boolean>>): Promise<Notifications> {
    const body = JSON.stringify({ level, kinds });
    return this.json<Notifications>('api/notifications', { method: 'PUT', body });
  }

  models(tenant: string): Promise<ModelList> {
    return this.json<ModelList>(`api/models${query([['tenant', tenant]])}`);
  }

  /** A model with its newest versions. */
  model(tenant: string, name: string): Promise<ModelDetail> {
    const asked: Pair[] = [
      ['tenant', tenant],
      ['limit', '200']
    ];
    return this.json<ModelDetail>(`${ofModel(name)}${query(asked)}`);
  }

  version(tenant: string, name: string, version: number): Promise<VersionDetail> {
    return this.json<VersionDetail>(
      `${ofModel(name)}/versions/${String(version)}${query([['tenant', tenant]])}`
    );
  }

  /** Look at a version anew. */
  verify(tenant: string, name: string, version: number): Promise<Verification> {
    const path = `${ofModel(name)}/versions/${String(version)}/verify`;
    return this.post<Verification>(path + query([['tenant', tenant]]), {});
  }

  promote(tenant: string, name: string, alias: string, version: number, reason: string): Promise<Moved> {
    return this.post<Moved>(ofAlias(tenant, name, alias, 'promote'), { version: String(version), reason });
  }

  rollBack(tenant: string, name: string, alias: string, version: number, reason: string): Promise<Moved> {
    return this.post<Moved>(ofAlias(tenant, name, alias, 'rollback'), { version: String(version), reason });
  }

  thaw(tenant: string, name: string, alias: string, reason: string): Promise<Moved> {
    return this.post<Moved>(ofAlias(tenant, name, alias, 'thaw'), { reason });
  }

  /** Where the browser gets all that was signed of a version. */
  evidenceUrl(tenant: string, name: string, version: number): string {
    const path = `${ofModel(name)}/versions/${String(version)}/evidence`;
    return proven(this.url(path) + query([['tenant', tenant]]));
  }

  /** What something came from and what came from it; `of` as "model:fraud@3". */
  lineage(tenant: string, of: string): Promise<LineageGraph> {
    const asked: Pair[] = [
      ['tenant', tenant],
      ['of', of],
      ['depth', '6']
    ];
    return this.json<LineageGraph>(`api/lineage${query(asked)}`);
  }

  /** How the service does; it answers also when it is not well. */
  health(): Promise<Health> {
    return this.json<Health>('api/health');
  }
}

function ofModel(name: string): string {
  return `api/models/${encodeURIComponent(name)}`;
}

function ofAlias(tenant: string, name: string, alias: string, verb: string): string {
  return `${ofModel(name)}/aliases/${encodeURIComponent(alias)}/${verb}${query([['tenant', tenant]])}`;
}

function ofRun(id: string): string {
  return `api/pipeline-runs/${encodeURIComponent(id)}`;
}

function ofTeam(tenant: string): string {
  return `api/tenants/${encodeURIComponent(tenant)}`;
}
