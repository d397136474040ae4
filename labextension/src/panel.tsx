/** The left side bar. */

import { ReactWidget } from '@jupyterlab/ui-components';
import type { JSX } from 'react';
import type { TranslationBundle } from '@jupyterlab/translation';
import { HereView } from './hereview';
import { factoryIcon } from './icons';
import { JobListView } from './joblistview';
import type { HubModel } from './model';
import { TeamNotices, WaitingBadge, waitingWords } from './teamnotices';
import type { Job, Unused } from './types';
import { useModel, type ViewProps } from './view';
import { keepServer, sentence } from './warner';
import { linkTrouble } from './words';
import { clock, duration, inOwnZone } from './format';

export interface PanelOptions {
  readonly model: HubModel;
  readonly trans: TranslationBundle;
  readonly open: (job: Job) => void;
  /** Show these jobs beside each other. */
  readonly compare: (jobs: readonly Job[]) => void;
  readonly showSchedules: () => void;
}

export class Panel extends ReactWidget {
  constructor(private readonly options: PanelOptions) {
    super();
    this.id = 'aifactory-hub-panel';
    this.addClass('aif-Panel');
    this.title.icon = factoryIcon;
    this.title.caption = options.trans.__('AI Factory: quota and jobs');
    options.model.changed.connect(this._mark);
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', options.trans.__('AI Factory'));
  }

  dispose(): void {
    this.options.model.changed.disconnect(this._mark);
    super.dispose();
  }

  protected render(): JSX.Element {
    const { model, trans, open, compare, showSchedules } = this.options;
    return (
      <>
        <div className="aif-Head">
          <h2>{trans.__('AI Factory')}</h2>
          <Waiting model={model} trans={trans} />
          <button type="button" className="aif-Link" onClick={showSchedules}>
            {trans.__('Schedules')}
          </button>
        </div>
        <Notices model={model} trans={trans} />
        <HereView model={model} trans={trans} />
        <JobListView model={model} trans={trans} open={open} compare={compare} />
      </>
    );
  }

  protected onAfterShow(): void {
    this.options.model.listShown = true;
  }

  protected onAfterHide(): void {
    this.options.model.listShown = false;
  }

  /** The tab in the side bar says how many approvals wait, also while the panel is closed. */
  private readonly _mark = () => {
    const { model, trans } = this.options;
    const waiting = model.overview?.team.approvals ?? 0;
    const name = trans.__('AI Factory: quota and jobs');
    // The rest of it is JupyterLab's.
    const rest = Object.entries(this.title.dataset).filter(([key]) => key !== 'aif-waiting');
    const mark = waiting === 0 ? [] : [['aif-waiting', String(waiting)]];
    this.title.dataset = Object.fromEntries([...rest, ...mark]) as Record<string, string>;
    this.title.caption = waiting === 0 ? name : `${name}. ${waitingWords(waiting, trans) ?? ''}`;
  };
}

function Waiting({ model, trans }: ViewProps): JSX.Element | null {
  useModel(model);
  return model.overview === null ? null : <WaitingBadge team={model.overview.team} trans={trans} />;
}

/** A link to the hub's page that starts this server; nothing where there is no hub. */
function StartAgain({
  address,
  trans
}: {
  address: string | null;
  trans: TranslationBundle;
}): JSX.Element | null {
  return address === null ? null : (
    <a className="aif-Link" href={address}>
      {trans.__('Start it again')}
    </a>
  );
}

/** What is simulated, and what can't be heard now. */
export function Notices({ model, trans }: ViewProps): JSX.Element {
  useModel(model);
  const trouble = linkTrouble(model.link, model.trouble, model.asOf, trans);
  return (
    <div aria-live="polite">
      {model.overview?.quota?.simulated ? (
        <p className="aif-Notice" data-kind="simulated">
          {trans.__('The GPUs of this cluster are simulated.')}
        </p>
      ) : null}
      {model.overview?.here.notice == null ? null : (
        <p className="aif-Notice" data-kind="trouble">
          {trans.__(
            'This server is stopped at %1 %2 Save your work now; your files are kept.',
            clock(new Date(model.overview.here.notice.until)),
            sentence(inOwnZone(model.overview.here.notice.why))
          )}
        </p>
      )}
      {model.overview?.here.unused == null ? null : (
        <UnusedNotice model={model} unused={model.overview.here.unused} trans={trans} />
      )}
      {model.overview === null ? null : <TeamNotices team={model.overview.team} trans={trans} />}
      {trouble === null ? null : (
        <p className="aif-Notice" data-kind="trouble">
          {trouble}{' '}
          {model.link === 'stopped' || model.link === 'signed-out' ? (
            <StartAgain address={model.api.startUrl} trans={trans} />
          ) : null}
        </p>
      )}
    </div>
  );
}

/** A server whose GPU nothing uses, with a button that keeps it for a while. */
function UnusedNotice(props: ViewProps & { unused: Unused }): JSX.Element {
  const { model, unused, trans } = props;
  return (
    <p className="aif-Notice" data-kind={unused.stops ? 'trouble' : 'simulated'}>
      {inOwnZone(unused.why)}{' '}
      {unused.keeps_left > 0 ? (
        <button
          type="button"
          onClick={() => {
            void keepServer(model, trans);
          }}
        >
          {trans.__('Keep it for %1', duration(unused.keep_seconds))}
        </button>
      ) : null}
    </p>
  );
}
