/** Tells when my jobs have ended, also those that ended while the page was away. */

import { Notification } from '@jupyterlab/apputils';
import type { IStateDB } from '@jupyterlab/statedb';
import type { TranslationBundle } from '@jupyterlab/translation';
import { Refused } from './errors';
import type { HubModel } from './model';
import { printable } from './printable';
import { settle } from './settle';
import type { Job } from './types';
import { jobReason, stateName } from './words';

const KEY = '@aifactory/hub:under-way';
/** How many that are not among the newest are asked for one by one at a time. */
const ASKED = 5;

export interface NotifierOptions {
  readonly model: HubModel;
  readonly trans: TranslationBundle;
  readonly state: IStateDB | null;
  readonly open: (job: Job) => void;
}

export class Notifier {
  constructor(private readonly options: NotifierOptions) {
    options.model.changed.connect(() => {
      this._work = this._work.then(() => this.look()).catch(() => undefined);
    });
  }

  /** Whether it speaks; it keeps watching when it does not. */
  enabled = true;

  private async look(): Promise<void> {
    const { model, state } = this.options;
    const mine = model.overview?.mine;
    if (mine == null || mine === this._seen) {
      return;
    }
    this._seen = mine;
    this._remembered ??= await recall(state);
    const { ended, underWay, lost } = settle(this._remembered, mine);
    const older = await Promise.all(lost.slice(0, ASKED).map(id => this.find(id)));
    const waiting = lost.filter((_id, index) => index >= ASKED || older[index] === 'unknown');
    const found = older.filter((job): job is Job => typeof job === 'object');
    const now = [...underWay, ...waiting, ...found.filter(job => !job.final).map(job => job.id)];
    if (now.join() !== this._remembered.join()) {
      this._remembered = now;
      await state?.save(KEY, now);
    }
    const user = model.overview?.here.user;
    [...ended, ...found.filter(job => job.final)]
      // Who has cancelled it knows that it has ended.
      .filter(job => user == null || job.cancelled_by !== user)
      .forEach(job => {
        this.tell(job);
      });
  }

  private async find(id: string): Promise<Job | 'gone' | 'unknown'> {
    try {
      return await this.options.model.api.job(id);
    } catch (error) {
      return error instanceof Refused && error.status === 404 ? 'gone' : 'unknown';
    }
  }

  private tell(job: Job): void {
    if (!this.enabled) {
      return;
    }
    const { trans, open } = this.options;
    const reason = jobReason(job, trans);
    const text = `${printable(job.name)}: ${stateName(job.state, trans)}${reason === '' ? '' : ` (${reason})`}`;
    const actions = [
      {
        label: trans.__('Show'),
        callback: () => {
          open(job);
        }
      }
    ];
    const options = { actions, autoClose: job.state === 'SUCCEEDED' ? 10_000 : (false as const) };
    if (job.state === 'SUCCEEDED') {
      Notification.success(text, options);
    } else if (job.state === 'FAILED') {
      Notification.error(text, options);
    } else {
      Notification.info(text, options);
    }
  }

  private _work: Promise<void> = Promise.resolve();
  private _seen: readonly Job[] | null = null;
  private _remembered: readonly string[] | null = null;
}

async function recall(state: IStateDB | null): Promise<readonly string[]> {
  const found: unknown = await state?.fetch(KEY);
  return Array.isArray(found) ? found.filter((id): id is string => typeof id === 'string') : [];
}
