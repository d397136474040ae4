/** Requests to this server's part of the extension. The browser never talks to the job service itself. */

import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';
import type { ArtifactFile, Job, JobPage, Overview } from './types';

const PREFIX = 'aifactory-hub';

/** The service or the Jupyter server said no, in its own words. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly reason: string,
    message: string,
    readonly field: string | null = null
  ) {
    super(message);
    this.name = 'Refused';
  }
}

/** Nobody answered: the network, the hub's proxy or this server is away. */
export class Offline extends Error {
  constructor() {
    super('offline');
    this.name = 'Offline';
  }
}

/** Which jobs are asked for. */
export interface JobFilter {
  readonly mine: boolean;
  readonly text: string;
  readonly state: string;
}

export class Api {
  constructor(private readonly settings: ServerConnection.ISettings = ServerConnection.makeSettings()) {}

  /** Where I am, what my team has left, my newest jobs; with `filter` the first page of these jobs, too. */
  overview(filter: JobFilter | null): Promise<Overview> {
    return this.json<Overview>(`overview${filter === null ? '' : query({ page: 'true', ...asked(filter) })}`);
  }

  jobs(filter: JobFilter, before: string | null): Promise<JobPage> {
    return this.json<JobPage>(
      `api/jobs${query({ ...asked(filter), ...(before === null ? {} : { before }) })}`
    );
  }

  job(id: string): Promise<Job> {
    return this.json<Job>(`api/jobs/${id}`);
  }

  async log(id: string): Promise<string> {
    return (await this.send(`api/jobs/${id}/logs`)).text();
  }

  async artifacts(id: string): Promise<readonly ArtifactFile[]> {
    return (await this.json<{ artifacts: ArtifactFile[] }>(`api/jobs/${id}/artifacts`)).artifacts;
  }

  cancel(id: string): Promise<Job> {
    return this.json<Job>(`api/jobs/${id}`, { method: 'DELETE' });
  }

  /** Where the browser gets one file of a job. */
  artifactUrl(id: string, name: string): string {
    return this.url(`api/jobs/${id}/artifacts/${name.split('/').map(encodeURIComponent).join('/')}`);
  }

  /** Say that a person is here. */
  async stay(): Promise<void> {
    await this.send('presence', { method: 'POST', body: '{}' });
  }

  private url(path: string): string {
    return URLExt.join(this.settings.baseUrl, PREFIX, path);
  }

  private async json<T>(path: string, init: RequestInit = {}): Promise<T> {
    const response = await this.send(path, init);
    return (await response.json()) as T;
  }

  private async send(path: string, init: RequestInit = {}): Promise<Response> {
    let response: Response;
    try {
      response = await ServerConnection.makeRequest(this.url(path), init, this.settings);
    } catch (error) {
      if (error instanceof ServerConnection.NetworkError) {
        throw new Offline();
      }
      throw error;
    }
    if (!response.ok) {
      throw await refusal(response);
    }
    return response;
  }
}

async function refusal(response: Response): Promise<Error> {
  try {
    const body = (await response.json()) as Record<string, unknown>;
    const said = body.detail ?? body.message;
    if (typeof body.reason === 'string' && typeof said === 'string') {
      return new Refused(
        response.status,
        body.reason,
        said,
        typeof body.field === 'string' ? body.field : null
      );
    }
  } catch {
    // Not the service's own words: the hub's page for a server that has stopped, a proxy's for one that restarts.
  }
  return response.status >= 500 ? new Offline() : new Refused(response.status, 'http', response.statusText);
}

function asked(filter: JobFilter): Record<string, string> {
  return {
    ...(filter.mine ? { mine: 'true' } : {}),
    ...(filter.text ? { text: filter.text } : {}),
    ...(filter.state ? { state: filter.state } : {})
  };
}

function query(values: Record<string, string>): string {
  const text = new URLSearchParams(values).toString();
  return text ? `?${text}` : '';
}
