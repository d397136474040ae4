/** Servers of a team that hold a GPU and use it or not, what was done about them, and sizes that would do. */

import type { TranslationBundle } from '@jupyterlab/translation';
import { type JSX, useCallback } from 'react';
import { inOwnZone } from '../format';
import { printable } from '../printable';
import { Answered } from './answered';
import {
  amount,
  hours,
  type IdleAct,
  type IdleServer,
  type IdleServers,
  kindName,
  moment,
  type SizeAdvice
} from './ledger';
import type { PageApi } from './pageapi';
import { useAnswer } from './useanswer';

/** Milliseconds between looks. */
const NOW_AND_THEN = 60_000;
/** Steps that are shown. */
const MOST = 10;

interface IdleProps {
  readonly tenant: string;
  readonly api: PageApi;
  readonly trans: TranslationBundle;
}

export function IdleView({ tenant, api, trans }: IdleProps): JSX.Element {
  const idle = useAnswer(
    useCallback(() => api.teamIdle(tenant), [api, tenant]),
    NOW_AND_THEN
  );
  const advice = useAnswer(useCallback(() => api.teamAdvice(tenant), [api, tenant]));
  return (
    <section aria-labelledby="aif-idle">
      <h2 id="aif-idle">{trans.__('Idle GPUs and sizes')}</h2>
      <Answered answer={idle} trans={trans}>
        {told => <Servers told={told} trans={trans} />}
      </Answered>
      {advice.value === null || advice.value.advice.length === 0 ? null : (
        <Sizes
          advice={advice.value.advice}
          month={advice.value.month}
          currency={advice.value.currency}
          trans={trans}
        />
      )}
    </section>
  );
}

function Servers({ told, trans }: { told: IdleServers; trans: TranslationBundle }): JSX.Element {
  const saved = trans.__('In the last 30 days, stops would have saved %1.', hours(told.saved_seconds));
  const actions = {
    off: trans.__('This site does nothing about idle servers.'),
    'dry-run': `${trans.__('This site only tries out what it would stop.')} ${saved}`,
    notify: trans.__('This site tells owners of idle servers and stops nothing.'),
    stop: trans.__('This site stops idle servers after a notice.')
  };
  return (
    <>
      <p>{actions[told.action]}</p>
      {told.trouble === null ? null : (
        <p className="aif-Notice" data-kind="trouble">
          {trans.__('There are no samples of GPUs now, so nobody knows: %1', told.trouble)}
        </p>
      )}
      {told.servers.length === 0 ? (
        <p>{trans.__('No server holds a GPU now.')}</p>
      ) : (
        <table className="aif-Table">
          <caption>{trans.__('Servers that hold a GPU')}</caption>
          <thead>
            <tr>
              <th scope="col">{trans.__('Who')}</th>
              <th scope="col">{trans.__('Profile')}</th>
              <th scope="col">{trans.__('Use')}</th>
              <th scope="col">{trans.__('What shows it')}</th>
            </tr>
          </thead>
          <tbody>
            {told.servers.map(server => (
              <tr key={server.pod}>
                <th scope="row">{printable(server.user)}</th>
                <td>{server.profile}</td>
                <td>{stateWords(server, trans)}</td>
                <td>{inOwnZone(server.why.map(printable).join(' '))}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {told.acts.length === 0 ? null : <Steps acts={told.acts.slice(0, MOST)} trans={trans} />}
    </>
  );
}

function stateWords(server: IdleServer, trans: TranslationBundle): string {
  if (server.verdict === 'idle' && server.since !== null) {
    const idle = trans.__('idle since %1', moment(server.since));
    return server.notice?.stops ? `${idle}, ${trans.__('stops at %1', moment(server.notice.until))}` : idle;
  }
  return server.verdict === 'busy' ? trans.__('busy') : trans.__('unknown');
}

function Steps({ acts, trans }: { acts: readonly IdleAct[]; trans: TranslationBundle }): JSX.Element {
  const names: Record<IdleAct['act'], string> = {
    noticed: trans.__('was told'),
    kept: trans.__('kept it'),
    cleared: trans.__('notice taken back'),
    'would-stop': trans.__('would be stopped'),
    stopped: trans.__('stopped'),
    'not-stopped': trans.__('the hub did not stop it'),
    used: trans.__('used again')
  };
  return (
    <table className="aif-Table">
      <caption>{trans.__('Last steps')}</caption>
      <thead>
        <tr>
          <th scope="col">{trans.__('When')}</th>
          <th scope="col">{trans.__('Who')}</th>
          <th scope="col">{trans.__('What')}</th>
          <th scope="col">{trans.__('What shows it')}</th>
        </tr>
      </thead>
      <tbody>
        {acts.map(step => (
          <tr key={`${step.pod} ${step.at} ${step.act}`}>
            <td>{moment(step.at)}</td>
            <td>{printable(step.user)}</td>
            <td>{names[step.act]}</td>
            <td>{[...step.evidence, step.note].map(printable).join(' ')}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Sizes(props: {
  advice: readonly SizeAdvice[];
  month: string | null;
  currency: string | null;
  trans: TranslationBundle;
}): JSX.Element {
  const { advice, month, currency, trans } = props;
  return (
    <table className="aif-Table">
      <caption>
        {month === null
          ? trans.__('Smaller sizes that would do')
          : trans.__('Smaller sizes that would do: %1 a month less together', amount(month, currency, trans))}
      </caption>
      <thead>
        <tr>
          <th scope="col">{trans.__('Who')}</th>
          <th scope="col">{trans.__('Kind')}</th>
          <th scope="col">{trans.__('Profile')}</th>
          <th scope="col">{trans.__('Advice')}</th>
        </tr>
      </thead>
      <tbody>
        {advice.map(each => (
          <tr key={`${each.user} ${each.kind} ${each.instead_of}`}>
            <th scope="row">{printable(each.user)}</th>
            <td className="aif-Kind">{kindName(each.kind, trans)}</td>
            <td>{each.instead_of}</td>
            <td>{each.text}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
