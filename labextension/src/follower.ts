/** One job, as the service tells of it: its state, its log piece by piece, and at the end its files. */

import type { IDisposable } from '@lumino/disposable';
import type { Api } from './api';
import { Offline } from './errors';
import { append, type Log, NOTHING_PRINTED, placeOf } from './log';
import type { ArtifactFile, Job } from './types';

/** Milliseconds. */
const READ_EVERY = 5_000;

export interface Listener {
  readonly job: (job: Job) => void;
  readonly log: (log: Log) => void;
  readonly files: (files: readonly ArtifactFile[]) => void;
  /** What is wrong now; null when it is right again. */
  readonly trouble: (error: unknown) => void;
}

export class Follower implements IDisposable {
  constructor(
    private readonly api: Api,
    private readonly id: string,
    private readonly listener: Listener
  ) {}

  get isDisposed(): boolean {
    return this._disposed;
  }

  /** Listen, or be silent for as long as nobody looks. */
  follow(wanted: boolean): void {
    if (!wanted || this._over || this._disposed) {
      this.close();
    } else if (this._source === null) {
      void this.open();
    }
  }

  dispose(): void {
    this._disposed = true;
    this.close();
  }

  private async open(): Promise<void> {
    // An event stream does not say why it can't be had, so the job is asked for once in the usual way.
    try {
      const job = await this.api.job(this.id);
      if (this._disposed) {
        return;
      }
      this.listener.job(job);
      if (job.final) {
        await this.finish();
        return;
      }
      this._after = placeOf(this._place, job.attempt);
    } catch (error) {
      this.listener.trouble(error);
      if (error instanceof Offline && !this._disposed) {
        this._timer = window.setTimeout(() => void this.open(), 5_000);
      }
      return;
    }
    this.listen();
  }

  private listen(): void {
    this.close();
    const source = new EventSource(this.api.eventsUrl(this.id, this._after));
    this._source = source;
    source.addEventListener('open', () => {
      this.listener.trouble(null);
    });
    source.addEventListener('job', event => {
      const job = JSON.parse(event.data as string) as Job;
      this.listener.job(job);
      this.readLater(job);
    });
    source.addEventListener('log', event => {
      const piece = JSON.parse(event.data as string) as { text: string; skipped?: unknown };
      this._place = event.lastEventId || this._place;
      this._log = append(this._log, piece.text, Boolean(piece.skipped));
      this.listener.log(this._log);
    });
    source.addEventListener('end', () => {
      void this.finish();
    });
    source.addEventListener('error', () => {
      // It comes back by itself, unless it was refused.
      this.listener.trouble(new Offline());
      if (source.readyState === EventSource.CLOSED && !this._disposed) {
        this.close();
        this._timer = window.setTimeout(() => void this.open(), 5_000);
      }
    });
  }

  /**
   * The steps of a workflow send no log while they run: nothing of ours is in them. What they have printed is asked
   * for now and then, as long as the job is followed and nothing has been sent.
   */
  private readLater(job: Job): void {
    window.clearTimeout(this._reading);
    if (job.steps.length === 0 || job.final || this._log.rows.length > 0) {
      return;
    }
    this.api
      .log(this.id)
      .then(log => {
        if (this._source !== null && this._log.rows.length === 0) {
          this.listener.log(append(NOTHING_PRINTED, log, false));
        }
      })
      // Its state goes on to be told; the log comes the next time.
      .catch(() => undefined)
      .finally(() => {
        if (this._source !== null) {
          window.clearTimeout(this._reading);
          this._reading = window.setTimeout(() => {
            this.readLater(job);
          }, READ_EVERY);
        }
      });
  }

  /** All of it is there now. */
  private async finish(): Promise<void> {
    this._over = true;
    this.close();
    try {
      const [job, log, files] = await Promise.all([
        this.api.job(this.id),
        this.api.log(this.id),
        this.api.artifacts(this.id)
      ]);
      if (!this._disposed) {
        this.listener.trouble(null);
        this.listener.job(job);
        this.listener.log(append(NOTHING_PRINTED, log, false));
        this.listener.files(files);
      }
    } catch (error) {
      this._over = false;
      this.listener.trouble(error);
      if (!this._disposed) {
        this._timer = window.setTimeout(() => void this.finish(), 5_000);
      }
    }
  }

  private close(): void {
    window.clearTimeout(this._timer);
    window.clearTimeout(this._reading);
    this._source?.close();
    this._source = null;
  }

  private _source: EventSource | null = null;
  private _log = NOTHING_PRINTED;
  private _place = '';
  private _after = '';
  private _over = false;
  private _disposed = false;
  private _timer = 0;
  private _reading = 0;
}
