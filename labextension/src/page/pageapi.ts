/** Requests to the job service itself, with the browser's session. */

import { Api, type JobFilter, type Transport } from '../api';
import { Offline, Refused } from '../errors';
import type { Overview } from '../types';
import { xsrf } from '../xsrf';

/** What proves that this page asks; the service sets it with the page. */
function proof(): string {
  return xsrf() ?? '';
}

/** A browser says for a download who has asked for it only on https; where it does not, the proof says it. */
function proven(address: string): string {
  return `${address}${address.includes('?') ? '&' : '?'}_xsrf=${encodeURIComponent(proof())}`;
}

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
}
