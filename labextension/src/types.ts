/** What the service and the Jupyter server answer. The service's own are generated from its OpenAPI. */

import type { components } from './openapi';

type Schemas = components['schemas'];

export type JobState = Schemas['JobState'];
export type Job = Schemas['JobAnswer'];
export type Step = Schemas['StepAnswer'];
export type Attempt = Schemas['AttemptAnswer'];
export type StepState = Schemas['StepState'];
export type Quota = Schemas['QuotaAnswer'];
export type Device = Schemas['DeviceAnswer'];
export type MenuLine = Schemas['MenuLine'];
export type Menu = Schemas['MenuAnswer'];
export type Offer = Schemas['ProfileAnswer'];
export type DryRun = Schemas['DryRun'];
export type Finding = Schemas['FindingAnswer'];
export type Provenance = Schemas['ProvenanceAnswer'];
export type MetricsAnswer = Schemas['MetricsAnswer'];
export type MetricValue = MetricsAnswer['series'][number]['values'][number];
export type Schedule = Schemas['ScheduleAnswer'];
export type SchedulePage = Schemas['SchedulePage'];
export type SchedulePreview = Schemas['SchedulePreview'];
export type ArtifactFile = Schemas['ArtifactAnswer'];

export interface JobPage {
  readonly jobs: readonly Job[];
  readonly next: string | null;
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

/** Until when this server runs, and why no longer. */
export interface Notice {
  readonly why: string;
  readonly until: string;
}

/** An idle server: until when it runs unless it is kept. `stops` is false where the site only tries that out. */
export interface Unused extends Notice {
  readonly stops: boolean;
  readonly keep_seconds: number;
  readonly keeps_left: number;
}

/** One moment of the last hour: seconds since 1970, bytes; null where nobody measures. */
export interface Sample {
  readonly at: number;
  readonly memory: number | null;
  readonly gpu_memory: number | null;
}

export interface Here {
  readonly user: string | null;
  readonly server: string;
  readonly tenant: string | null;
  readonly profile: string | null;
  readonly environment: string | null;
  readonly started: string | null;
  readonly memory: Memory | null;
  readonly usage: readonly Sample[];
  readonly idle: Idle;
  /** What the hub is about to do to this server; null when nothing is planned. */
  readonly notice: Notice | null;
  /** What follows because nothing uses its GPU; null when nothing does. */
  readonly unused: Unused | null;
}

/** What somebody in a team should know while they work; null: not known. */
export interface TeamState {
  /** How many approvals wait for their vote. */
  readonly approvals: number | null;
  /** A sentence for each budget that has reached a step. */
  readonly budgets: readonly string[] | null;
  /** The page where approvals are decided. */
  readonly page: string;
}

export interface Overview {
  readonly here: Here;
  readonly team: TeamState;
  readonly service: { readonly reachable: boolean; readonly message: string | null };
  readonly quota: Quota | null;
  readonly mine: readonly Job[] | null;
  readonly page: JobPage | null;
}

/** One assignment of a notebook's tagged cell. */
export interface Parameter {
  readonly name: string;
  readonly value: unknown;
  readonly about: string;
}

/** How a file or folder would run as a job; paths are below the server's folder. */
export interface Subject {
  readonly kind: 'notebook' | 'script' | 'folder';
  readonly path: string;
  readonly name: string;
  readonly folder: string;
  readonly command: string;
  readonly parameters: readonly Parameter[];
}

/** A job that may be submitted. `notebook` with `parameters` stands for the command that runs it. */
export interface Wanted {
  /** What is submitted, for the record. */
  readonly path: string;
  readonly folder: string | null;
  readonly notebook?: string;
  readonly parameters?: Readonly<Record<string, unknown>>;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** When a schedule submits, and whether also while its job before goes on. */
export interface Timing {
  readonly cron: string;
  readonly time_zone: string;
  readonly overlap: Schedule['overlap'];
}

/** What would happen, and how many bytes would travel. */
export interface Checked {
  readonly verdict: DryRun;
  readonly size: number | null;
}
