/** The last that was heard, for all parts of the page; and when to ask again. */

import type { IDisposable } from '@lumino/disposable';
import { Poll } from '@lumino/polling';
import { type ISignal, Signal } from '@lumino/signaling';
import type { Api, JobFilter } from './api';
import { Offline, SignedOut, Stopped } from './errors';
import { merge } from './joblist';
import type { Job, Overview } from './types';

/** Milliseconds. With nothing that can change soon, two requests a minute. */
const IDLE = 30_000;
const LONGEST = 60_000;

export type Link = 'unknown' | 'ok' | 'offline' | 'no-service' | 'stopped' | 'signed-out' | 'failed';

/** Asks while the page is seen, by itself, and tells who listens. It holds nothing that the service does not know. */
export class HubModel implements IDisposable {
  constructor(
    readonly api: Api,
    options: { readonly busyInterval: number }
  ) {
    this._busy = options.busyInterval;
    this._poll = new Poll<void, unknown>({
      auto: false,
      factory: () => this.ask(),
      frequency: { interval: IDLE, backoff: true, max: LONGEST },
      name: '@aifactory/hub:overview',
      standby: () => document.hidden
    });
  }

  /** Emitted after each answer, and after each that did not come. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get overview(): Overview | null {
    return this._overview;
  }

  /** As far as they were asked for, newest first; null before the first answer. */
  get jobs(): readonly Job[] | null {
    return this._jobs;
  }

  /** Whether there are older ones that have not been asked for. */
  get more(): boolean {
    return this._next !== null;
  }

  get filter(): JobFilter {
    return this._filter;
  }

  get link(): Link {
    return this._link;
  }

  /** Why there is no news, in the words of who said it. */
  get trouble(): string | null {
    return this._trouble;
  }

  /** When the last answer came. */
  get asOf(): Date | null {
    return this._asOf;
  }

  get isDisposed(): boolean {
    return this._poll.isDisposed;
  }

  start(): Promise<void> {
    return this._poll.start();
  }

  dispose(): void {
    this._poll.dispose();
    Signal.clearData(this);
  }

  /** Whether the list of jobs is on the screen: only then it is asked for. */
  set listShown(shown: boolean) {
    if (shown !== this._listShown) {
      this._listShown = shown;
      if (shown) {
        void this.refresh();
      }
    }
  }

  /** Milliseconds between requests while something runs and is looked at. */
  set busyInterval(interval: number) {
    this._busy = interval;
    this.setPace();
  }

  /** Ask now. */
  async refresh(): Promise<void> {
    await this._poll.refresh();
    await this._poll.tick.catch(() => undefined);
  }

  async setFilter(filter: JobFilter): Promise<void> {
    this._filter = filter;
    this._jobs = null;
    this._next = null;
    this._changed.emit();
    await this.refresh();
  }

  /** The next older page, unless it is on its way. */
  async loadMore(): Promise<void> {
    if (this._next === null || this._loading) {
      return;
    }
    this._loading = true;
    const filter = this._filter;
    try {
      const page = await this.api.jobs(filter, this._next);
      if (filter === this._filter) {
        this._jobs = merge(this._jobs ?? [], page.jobs);
        this._next = page.next;
      }
    } catch (error) {
      this.note(error);
    } finally {
      this._loading = false;
      this._changed.emit();
    }
  }

  /** A job that has just been submitted: it is in the list before the service is asked again. */
  add(job: Job): void {
    const { text, state } = this._filter;
    if (this._jobs !== null && text === '' && state === '') {
      this._jobs = merge(this._jobs, [job]);
      this._changed.emit();
    }
  }

  /** What is newer about one job than the last overview, from whoever asked for it. */
  learn(job: Job): void {
    if (this._jobs?.some(known => known.id === job.id)) {
      this._jobs = merge(this._jobs, [job]);
      this._changed.emit();
    }
  }

  private async ask(): Promise<void> {
    const filter = this._filter;
    try {
      const overview = await this.api.overview(this._listShown ? filter : null);
      this.take(overview, filter);
    } catch (error) {
      this.note(error);
      throw error;
    } finally {
      this.setPace();
      this._changed.emit();
    }
  }

  private take(overview: Overview, filter: JobFilter): void {
    this._overview = overview;
    this._link = overview.service.reachable ? 'ok' : 'no-service';
    this._trouble = overview.service.message;
    if (overview.service.reachable) {
      this._asOf = new Date();
    }
    if (overview.page !== null && filter === this._filter) {
      if (this._jobs === null) {
        this._next = overview.page.next;
      }
      this._jobs = merge(this._jobs ?? [], overview.page.jobs);
    }
  }

  private note(error: unknown): void {
    this._link = linkOf(error);
    this._trouble = this._link === 'failed' && error instanceof Error ? error.message : null;
  }

  private setPace(): void {
    if (this.isDisposed) {
      return;
    }
    const live = [...(this._overview?.mine ?? []), ...(this._jobs ?? [])].some(job => !job.final);
    const away = this._link === 'offline' || this._link === 'no-service';
    const interval = (this._listShown && live) || away ? this._busy : IDLE;
    if (interval !== this._poll.frequency.interval) {
      this._poll.frequency = { interval, backoff: true, max: Math.max(LONGEST, interval) };
    }
  }

  private readonly _poll: Poll<void, unknown>;
  private readonly _changed = new Signal<this, void>(this);
  private _busy: number;
  private _overview: Overview | null = null;
  private _jobs: readonly Job[] | null = null;
  private _next: string | null = null;
  private _filter: JobFilter = { mine: false, text: '', state: '' };
  private _link: Link = 'unknown';
  private _trouble: string | null = null;
  private _asOf: Date | null = null;
  private _listShown = false;
  private _loading = false;
}

function linkOf(error: unknown): Link {
  if (error instanceof Offline) {
    return 'offline';
  }
  return error instanceof Stopped ? 'stopped' : error instanceof SignedOut ? 'signed-out' : 'failed';
}
