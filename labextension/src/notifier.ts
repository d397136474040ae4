/** Tells when my jobs have ended, also those that ended while the page was away. */

import { Notification } from '@jupyterlab/apputils';
import type { IStateDB } from '@jupyterlab/statedb';
import type { TranslationBundle } from '@jupyterlab/translation';
import { Refused } from './errors';
import type { HubModel } from './model';
import { type Group, grouped, settle } from './settle';
import type { Job } from './types';
import { endedWords } from './words';

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
    const told = [...ended, ...found.filter(job => job.final)]
      // Who has cancelled it knows that it has ended.
      .filter(job => user == null || job.cancelled_by !== user);
    if (told.length > 0 && this.enabled) {
      this.tell(told, now.length);
    }
  }

  private async find(id: string): Promise<Job | 'gone' | 'unknown'> {
    try {
      return await this.options.model.api.job(id);
    } catch (error) {
      return error instanceof Refused && error.status === 404 ? 'gone' : 'unknown';
    }
  }

  /** One notification for what ends together: the one before is changed while it is recent. */
  private tell(ended: readonly Job[], underWay: number): void {
    const { trans, open } = this.options;
    const group = grouped(this._group, ended, Date.now());
    const [first] = group.jobs;
    if (first === undefined) {
      return;
    }
    const type = first.state === 'FAILED' ? 'error' : group.jobs.every(succeeded) ? 'success' : 'info';
    const message = endedWords(group.jobs, underWay, trans);
    const label =
      group.jobs.length > 1 && type === 'error' ? trans.__('Show the first failure') : trans.__('Show');
    const action = {
      label,
      callback: () => {
        open(first);
      }
    };
    const said = { actions: [action], autoClose: type === 'success' ? 10_000 : (false as const) };
    const same = group.jobs.length > ended.length;
    if (!same || !Notification.update({ id: this._told, message, type, ...said })) {
      this._told = Notification.emit(message, type, said);
    }
    this._group = group;
  }

  private _work: Promise<void> = Promise.resolve();
  private _group: Group | null = null;
  private _told = '';
  private _seen: readonly Job[] | null = null;
  private _remembered: readonly string[] | null = null;
}

function succeeded(job: Job): boolean {
  return job.state === 'SUCCEEDED';
}

async function recall(state: IStateDB | null): Promise<readonly string[]> {
  const found: unknown = await state?.fetch(KEY);
  return Array.isArray(found) ? found.filter((id): id is string => typeof id === 'string') : [];
}
