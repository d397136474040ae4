/** Requests to the job service: by way of the Jupyter server in JupyterLab, directly on the Jobs page. */

import { UUID } from '@lumino/coreutils';
import { Offline, Refused, SignedOut, Stopped } from './errors';
import type { OpenApi } from './schema';
import type {
  ArtifactFile,
  Checked,
  Job,
  JobPage,
  Menu,
  MetricsAnswer,
  Overview,
  Provenance,
  Schedule,
  SchedulePage,
  SchedulePreview,
  Subject,
  Timing,
  Wanted
} from './types';
import { xsrf } from './xsrf';

/** The way that requests take. */
export interface Transport {
  /** The address of a path, as "api/jobs". */
  readonly url: (path: string) => string;
  /** Rejects with Offline when nobody answers. */
  readonly send: (url: string, init: RequestInit) => Promise<Response>;
  /** Where the server that takes them is started again; null where none of a person's own does. */
  readonly startUrl: string | null;
}

/** Which jobs are asked for. */
export interface JobFilter {
  /** One team's only. */
  readonly tenant?: string;
  readonly mine: boolean;
  readonly text: string;
  readonly state: string;
}

/** Which jobs are put beside each other. */
export type Runs = { readonly sweep: string } | { readonly ids: readonly string[] };

/** As many as the service answers at once. */
export const MOST_RUNS = 200;

export class Api {
  constructor(private readonly transport: Transport) {}

  /** Where I am, what my team has left, my newest jobs; with `filter` the first page of these jobs, too. */
  overview(filter: JobFilter | null): Promise<Overview> {
    return this.json<Overview>(
      `overview${filter === null ? '' : query([['page', 'true'], ...asked(filter)])}`
    );
  }

  jobs(filter: JobFilter, before: string | null): Promise<JobPage> {
    const after: Pair[] = before === null ? [] : [['before', before]];
    return this.json<JobPage>(`api/jobs${query([...asked(filter), ['limit', '100'], ...after])}`);
  }

  job(id: string): Promise<Job> {
    return this.json<Job>(`api/jobs/${id}`);
  }

  /** Where a job comes from, as far as who submitted it said so. */
  provenance(id: string): Promise<Provenance> {
    return this.json<Provenance>(`api/jobs/${id}/provenance`);
  }

  /** What it has reported of itself after the cursor `since`; 0 for all. */
  metrics(id: string, since: number): Promise<MetricsAnswer> {
    return this.json<MetricsAnswer>(`api/jobs/${id}/metrics${query([['since', String(since)]])}`);
  }

  /** The jobs of a sweep, or those with these ids, newest first, as many as one answer has. */
  async runs(which: Runs): Promise<readonly Job[]> {
    const asked: Pair[] =
      'sweep' in which ? [['sweep', which.sweep]] : which.ids.map((id): Pair => ['id', id]);
    return (await this.json<JobPage>(`api/jobs${query([...asked, ['limit', String(MOST_RUNS)]])}`)).jobs;
  }

  /** What its last attempt has printed, or the one of this number. */
  async log(id: string, attempt: number | null = null): Promise<string> {
    const which: Pair[] = attempt === null ? [] : [['attempt', String(attempt)]];
    return (await this.send(`api/jobs/${id}/logs${query(which)}`)).text();
  }

  /** Where the browser gets all that an attempt has printed. */
  logUrl(id: string, attempt: number): string {
    return this.url(`api/jobs/${id}/logs`) + query([['attempt', String(attempt)]]);
  }

  async artifacts(id: string): Promise<readonly ArtifactFile[]> {
    return (await this.json<{ artifacts: ArtifactFile[] }>(`api/jobs/${id}/artifacts`)).artifacts;
  }

  /** `reason` is a word to its owner. */
  cancel(id: string, reason = ''): Promise<Job> {
    const said: Pair[] = reason === '' ? [] : [['reason', reason]];
    return this.json<Job>(`api/jobs/${id}${query(said)}`, { method: 'DELETE' });
  }

  /** The same once more, as a new job. */
  retry(id: string): Promise<Job> {
    return this.post<Job>(`api/jobs/${id}/retry`, { key: UUID.uuid4() });
  }

  suspend(id: string): Promise<Job> {
    return this.post<Job>(`api/jobs/${id}/suspend`, {});
  }

  resume(id: string): Promise<Job> {
    return this.post<Job>(`api/jobs/${id}/resume`, {});
  }

  /** What the team can have now, and what it costs. */
  menu(tenant: string): Promise<Menu> {
    return this.json<Menu>(`api/tenants/${encodeURIComponent(tenant)}/profiles`);
  }

  /** The service's description of itself, from which the form is made; asked for once, since it changes with a release. */
  async description(): Promise<OpenApi> {
    this._description ??= await this.json<OpenApi>('api/openapi.json');
    return this._description;
  }

  /** Whether this service can do this to a job, as "suspend": an older one can't. */
  async can(what: string): Promise<boolean> {
    return `/jobs/{job}/${what}` in ((await this.description()).paths ?? {});
  }

  /** How a file or folder below the server's folder would run as a job. */
  inspect(path: string): Promise<Subject> {
    return this.post<Subject>('inspect', { path });
  }

  /** What would happen to this job; nothing is submitted. */
  check(wanted: Wanted): Promise<Checked> {
    return this.post<Checked>('check', wanted);
  }

  /** `key` makes it one job, however often it is sent. */
  submit(wanted: Wanted, key: string): Promise<Job> {
    return this.post<Job>('submit', { ...wanted, key });
  }

  /** The team's schedules, the newest first; those after one of them. */
  schedules(before: string | null): Promise<SchedulePage> {
    const after: Pair[] = before === null ? [] : [['before', before]];
    return this.json<SchedulePage>(`api/schedules${query([['limit', '100'], ...after])}`);
  }

  /** A cron expression in words, and its first times. */
  previewSchedule(cron: string, timeZone: string): Promise<SchedulePreview> {
    const asked: Pair[] = [
      ['cron', cron],
      ['time_zone', timeZone]
    ];
    return this.json<SchedulePreview>(`api/schedules/preview${query(asked)}`);
  }

  /** `key` makes it one schedule, however often it is sent. */
  makeSchedule(wanted: Wanted, timing: Timing, key: string): Promise<Schedule> {
    return this.post<Schedule>('schedule', { ...wanted, ...timing, key });
  }

  pauseSchedule(id: string, paused: boolean): Promise<Schedule> {
    return this.json<Schedule>(`api/schedules/${id}`, { method: 'PATCH', body: JSON.stringify({ paused }) });
  }

  /** Submit its job now, besides those of its times. */
  runSchedule(id: string): Promise<Job> {
    return this.post<Job>(`api/schedules/${id}/runs`, { key: UUID.uuid4() });
  }

  deleteSchedule(id: string): Promise<Schedule> {
    return this.json<Schedule>(`api/schedules/${id}`, { method: 'DELETE' });
  }

  /** Put a file of a job among my own; its path there. */
  async saveArtifact(id: string, name: string): Promise<string> {
    return (await this.post<{ path: string }>('save', { job: id, name })).path;
  }

  /** Where the browser gets one file of a job. */
  artifactUrl(id: string, name: string): string {
    return this.url(`api/jobs/${id}/artifacts/${name.split('/').map(encodeURIComponent).join('/')}`);
  }

  /** Where the browser follows a job; `after` is where its log was left. */
  eventsUrl(id: string, after: string): string {
    const pairs: Pair[] = [['log', 'true']];
    if (after) {
      pairs.push(['after', after]);
    }
    // An event stream can't send headers, and JupyterHub wants the proof of origin from it: as its own pages do.
    const proof = xsrf();
    if (proof !== undefined) {
      pairs.push(['_xsrf', proof]);
    }
    return this.url(`api/jobs/${id}/events`) + query(pairs);
  }

  /** Where this server is started again; null where there is none. */
  get startUrl(): string | null {
    return this.transport.startUrl;
  }

  /** Say that a person is here. */
  async stay(): Promise<void> {
    await this.send('presence', { method: 'POST', body: '{}' });
  }

  /** Ask for more time for this server, which is idle. */
  async keep(): Promise<void> {
    await this.send('keep', { method: 'POST', body: '{}' });
  }

  protected url(path: string): string {
    return this.transport.url(path);
  }

  private _description: OpenApi | null = null;

  protected post<T>(path: string, body: object): Promise<T> {
    return this.json<T>(path, { method: 'POST', body: JSON.stringify(body) });
  }

  protected async json<T>(path: string, init: RequestInit = {}): Promise<T> {
    const response = await this.send(path, init);
    if (!(response.headers.get('Content-Type') ?? '').includes('json')) {
      // The hub's page to sign in or to start a server.
      throw new SignedOut();
    }
    return (await response.json()) as T;
  }

  private async send(path: string, init: RequestInit = {}): Promise<Response> {
    const response = await this.transport.send(this.url(path), init);
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
  // 424 is the hub's, for a server that does not run.
  if (response.status === 424) {
    return new Stopped();
  }
  if (response.status === 403) {
    return new SignedOut();
  }
  return response.status >= 500 ? new Offline() : new Refused(response.status, 'http', response.statusText);
}

export type Pair = [string, string];

function asked(filter: JobFilter): Pair[] {
  const states = filter.state.split(',').filter(state => state !== '');
  return [
    ...(filter.tenant ? [['tenant', filter.tenant] satisfies Pair] : []),
    ...(filter.mine ? [['mine', 'true'] satisfies Pair] : []),
    ...(filter.text ? [['text', filter.text] satisfies Pair] : []),
    ...states.map((state): Pair => ['state', state])
  ];
}

export function query(values: readonly Pair[]): string {
  const text = new URLSearchParams([...values]).toString();
  return text ? `?${text}` : '';
}
