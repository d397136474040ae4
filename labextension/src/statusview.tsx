/** The status bar: what I hold, what it uses and costs, and a word before it would be stopped. */

import { ReactWidget } from '@jupyterlab/ui-components';
import { type JSX, useState } from 'react';
import { sayHere } from './warner';
import { costToday, currency, idleLeft, idleWindow } from './cost';
import { bytes, clock, duration, inOwnZone, money, shortProfile } from './format';
import { useModel, useNow, type ViewProps } from './view';

export class StatusItem extends ReactWidget {
  constructor(private readonly options: ViewProps & { readonly show: () => void }) {
    super();
    this.addClass('aif-Status');
  }

  protected render(): JSX.Element {
    return <StatusView {...this.options} />;
  }
}

function StatusView({ model, trans, show }: ViewProps & { show: () => void }): JSX.Element {
  useModel(model);
  const now = useNow(30_000);
  const [thanked, setThanked] = useState(false);
  const overview = model.overview;
  if (overview === null) {
    return <></>;
  }
  const { here } = overview;
  const unknown = trans.__('unknown');
  const cost = costToday(overview, now);
  const memory = here.memory;
  const used =
    memory === null
      ? unknown
      : memory.limit === null
        ? bytes(memory.used)
        : `${bytes(memory.used)} / ${bytes(memory.limit)}`;
  const left = idleLeft(overview, now);
  const about = [
    trans.__('Profile: %1', here.profile ?? unknown),
    trans.__('Memory in use: %1', used),
    trans.__(
      'Cost today (this server and my newest jobs, by the site’s prices): %1',
      cost === null ? unknown : money(cost, currency(overview))
    ),
    trans.__('Stop when idle: %1', left === null ? unknown : trans.__('in %1', duration(left)))
  ].join('\n');
  const stay = () => {
    void sayHere(model, trans).then(setThanked);
  };
  const away = model.link === 'offline' || model.link === 'no-service';
  return (
    <>
      <button type="button" className="aif-Status-main" title={about} onClick={show}>
        {away ? `⚠ ${trans.__('AI Factory: no news')} · ` : ''}
        {here.profile === null ? unknown : shortProfile(here.profile)}
        {memory === null ? '' : ` · ${used}`}
        {cost === null ? '' : ` · ${trans.__('%1 today', money(cost, currency(overview)))}`}
      </button>
      {here.notice === null ? null : (
        <button
          type="button"
          className="aif-Status-warning"
          title={inOwnZone(here.notice.why)}
          onClick={show}
        >
          {trans.__('Stops at %1: save your work', clock(new Date(here.notice.until)))}
        </button>
      )}
      {left !== null && left < idleWindow(overview) ? (
        <button type="button" className="aif-Status-warning" onClick={stay}>
          {trans.__('Idle: stops in %1. I’m still here', duration(left))}
        </button>
      ) : thanked ? (
        <span role="status" className="aif-Hidden">
          {trans.__('Noted that you are here.')}
        </span>
      ) : null}
    </>
  );
}
