/** What the service and the Jupyter server answer. */

export type JobState =
  'PENDING' | 'QUEUED' | 'STARTING' | 'RUNNING' | 'SUSPENDED' | 'SUCCEEDED' | 'FAILED' | 'CANCELLED';

/** Times are ISO 8601; null where it has not happened yet. */
export interface JobTimes {
  readonly submitted: string | null;
  readonly queued: string | null;
  readonly starting: string | null;
  readonly running: string | null;
  readonly finished: string | null;
}

/** One job. What is optional comes from newer services only. */
export interface Job {
  readonly id: string;
  readonly name: string;
  readonly tenant: string;
  readonly owner: string;
  readonly command: string;
  readonly profile: string;
  readonly environment: readonly string[];
  readonly outputs: readonly string[] | null;
  readonly files: string | null;
  readonly files_size: number | null;
  readonly state: JobState;
  readonly final: boolean;
  readonly reason: string | null;
  readonly exit_code: number | null;
  readonly position: number | null;
  readonly cancel_asked: boolean;
  readonly times: JobTimes;
  readonly log_size: number | null;
  readonly left: Readonly<Record<string, string>>;
  readonly simulated: boolean;
  readonly progress?: number | null;
  readonly eta?: number | null;
  readonly cost?: number | string | null;
}

export interface JobPage {
  readonly jobs: readonly Job[];
  readonly next: string | null;
}

export interface Device {
  readonly resource: string;
  readonly nominal: number;
  readonly borrowing: number;
  readonly limit: number;
  readonly used: number | null;
}

export interface MenuLine {
  readonly profile: string;
  readonly display_name: string;
  readonly description: string;
  readonly devices: Readonly<Record<string, number>>;
  readonly price_per_hour: string | null;
  readonly room: number | null;
}

export interface Quota {
  readonly tenant: string;
  readonly display_name: string;
  readonly known: boolean;
  readonly devices: readonly Device[];
  readonly menu: readonly MenuLine[];
  readonly simulated: boolean;
}

/** Bytes; `limit` null when there is none or it is not known. */
export interface Memory {
  readonly used: number;
  readonly limit: number | null;
}

/** `stops_after` in seconds without activity; null when nobody told this server. */
export interface Idle {
  readonly stops_after: number | null;
  readonly last_activity: string | null;
}

export interface Here {
  readonly user: string | null;
  readonly server: string;
  readonly tenant: string | null;
  readonly profile: string | null;
  readonly environment: string | null;
  readonly started: string | null;
  readonly memory: Memory | null;
  readonly idle: Idle;
}

export interface Overview {
  readonly here: Here;
  readonly service: { readonly reachable: boolean; readonly message: string | null };
  readonly quota: Quota | null;
  readonly mine: readonly Job[] | null;
  readonly page: JobPage | null;
}

export interface ArtifactFile {
  readonly name: string;
  readonly size: number;
  readonly sha256: string;
  readonly created: string | null;
}
