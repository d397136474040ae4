/** Requests to the job service itself, with the browser's session. */

import { Api, type JobFilter, type Pair, query, type Transport } from '../api';
import { Offline, Refused } from '../errors';
import type { components } from '../openapi';
import type { Overview } from '../types';
import { xsrf } from '../xsrf';
import type {
  Bill,
  Bills,
  By,
  Heat,
  HoldPage,
  OneHold,
  PlatformOverview,
  PlatformUsage,
  TeamOverview,
  TeamUsage
} from './ledger';

/** What proves that this page asks; the service sets it with the page. */
function proof(): string {
  return xsrf() ?? '';
}

/** A browser says for a download who has asked for it only on https; where it does not, the proof says it. */
function proven(address: string): string {
  return `${address}${address.includes('?') ? '&' : '?'}_xsrf=${encodeURIComponent(proof())}`;
}

type Health = components['schemas']['HealthAnswer'];

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
        notice: null
      },
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

  /** How much each team holds now. */
  teams(): Promise<PlatformOverview> {
    return this.json<PlatformOverview>('api/platform/overview');
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

  /** How the service does; it answers also when it is not well. */
  health(): Promise<Health> {
    return this.json<Health>('api/health');
  }
}

function ofTeam(tenant: string): string {
  return `api/tenants/${encodeURIComponent(tenant)}`;
}
