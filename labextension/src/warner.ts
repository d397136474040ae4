/** Says before this server is stopped, so that nobody loses work: when it is idle, and when its quota is taken back. */

import { Notification } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { IDisposable } from '@lumino/disposable';
import { idleLeft, idleWindow } from './cost';
import { clock, duration, inOwnZone } from './format';
import type { HubModel } from './model';
import { troubleWords } from './words';

/** In front of the page's title, since who is idle looks at another tab. */
const SIGN = '⏳ ';

/** Tell this server that a person is here; whether it has heard. */
export async function sayHere(model: HubModel, trans: TranslationBundle): Promise<boolean> {
  try {
    await model.api.stay();
  } catch (error) {
    Notification.error(trans.__('The server was not told that you are here. %1', troubleWords(error, trans)));
    return false;
  }
  await model.refresh();
  return true;
}

/** Ask for more time for a server that is idle; whether it was given. */
export async function keepServer(model: HubModel, trans: TranslationBundle): Promise<boolean> {
  try {
    await model.api.keep();
  } catch (error) {
    Notification.error(troubleWords(error, trans));
    return false;
  }
  await model.refresh();
  return true;
}

export class Warner implements IDisposable {
  constructor(
    private readonly model: HubModel,
    private readonly trans: TranslationBundle
  ) {
    model.changed.connect(this._look);
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  dispose(): void {
    this._disposed = true;
    this.model.changed.disconnect(this._look);
    this.calm();
  }

  private lookAtNotice(): void {
    const notice = this.model.overview?.here.notice;
    if (notice == null) {
      this._told = '';
      this._notice = dismissed(this._notice);
    } else if (notice.until !== this._told) {
      this._told = notice.until;
      const when = clock(new Date(notice.until));
      this._notice = Notification.warning(
        this.trans.__(
          'This server is stopped at %1 %2 Save your work now. Your files are kept.',
          when,
          sentence(inOwnZone(notice.why))
        ),
        { autoClose: false }
      );
    }
  }

  private lookAtUnused(): void {
    const unused = this.model.overview?.here.unused;
    if (unused == null) {
      this._toldUnused = '';
      this._unused = dismissed(this._unused);
    } else if (unused.until !== this._toldUnused && unused.stops) {
      this._toldUnused = unused.until;
      this._unused = dismissed(this._unused);
      const { model, trans } = this;
      const keep = {
        label: trans.__('Keep it for %1', duration(unused.keep_seconds)),
        callback: () => {
          void keepServer(model, trans);
        }
      };
      this._unused = Notification.warning(inOwnZone(unused.why), {
        autoClose: false,
        actions: unused.keeps_left > 0 ? [keep] : []
      });
    }
  }

  /** Reckons from the last answer: a page that nobody sees asks nothing, and its asking would keep the server. */
  private lookAtIdle(): void {
    window.clearTimeout(this._timer);
    const overview = this.model.overview;
    const left = overview === null ? null : idleLeft(overview, new Date());
    if (overview === null || left === null) {
      this.calm();
      return;
    }
    const until = left - idleWindow(overview);
    if (until <= 0) {
      this.warn(left);
      return;
    }
    this.calm();
    this._timer = window.setTimeout(
      () => {
        this.lookAtIdle();
      },
      Math.min(until * 1000 + 50, 2 ** 31 - 1)
    );
  }

  private warn(left: number): void {
    if (this._warning !== null) {
      return;
    }
    const { model, trans } = this;
    this._warning = Notification.warning(
      trans.__('Nothing happens on this server: it is stopped in %1. Your files are kept.', duration(left)),
      {
        autoClose: false,
        actions: [
          {
            label: trans.__('I’m still here'),
            callback: () => {
              void sayHere(model, trans);
            }
          }
        ]
      }
    );
    if (document.hidden) {
      document.title = `${SIGN}${document.title}`;
    }
  }

  private calm(): void {
    window.clearTimeout(this._timer);
    this._warning = dismissed(this._warning);
    if (document.title.startsWith(SIGN)) {
      document.title = document.title.slice(SIGN.length);
    }
  }

  private readonly _look = () => {
    this.lookAtNotice();
    this.lookAtUnused();
    this.lookAtIdle();
  };

  private _warning: string | null = null;
  private _notice: string | null = null;
  private _unused: string | null = null;
  private _told = '';
  private _toldUnused = '';
  private _timer = 0;
  private _disposed = false;
}

function dismissed(notification: string | null): null {
  if (notification !== null) {
    Notification.dismiss(notification);
  }
  return null;
}

export function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
