/** What single pods held, and how each begin and end is known. */

import type { TranslationBundle } from '@jupyterlab/translation';
import { type JSX, useCallback, useState } from 'react';
import { printable } from '../printable';
import { Answered } from './answered';
import { amount, type Fact, type HoldRow, hours, kindName, moment, second } from './ledger';
import type { PageApi } from './pageapi';
import { useAnswer } from './useanswer';

interface TableProps {
  readonly holds: readonly HoldRow[];
  readonly currency: string | null;
  readonly api: PageApi;
  readonly tenant: string;
  readonly trans: TranslationBundle;
}

export function HoldTable({ holds, currency, api, tenant, trans }: TableProps): JSX.Element {
  const [open, setOpen] = useState<string | null>(null);
  if (holds.length === 0) {
    return <p className="aif-Quiet">{trans.__('No pod held anything in this month.')}</p>;
  }
  return (
    <>
      <div className="aif-Wide" role="region" aria-label={trans.__('Pods')} tabIndex={0}>
        <table className="aif-Table aif-Lines">
          <thead>
            <tr>
              <th scope="col">{trans.__('Pod')}</th>
              <th scope="col">{trans.__('From')}</th>
              <th scope="col">{trans.__('To')}</th>
              <th scope="col">{trans.__('Held')}</th>
              <th scope="col">{trans.__('Amount')}</th>
              <th scope="col">{trans.__('Evidence')}</th>
            </tr>
          </thead>
          <tbody>
            {holds.map(each => (
              <tr key={each.pod}>
                <th scope="row">
                  {printable(each.name || each.pod)}{' '}
                  <span className="aif-Quiet">({kindName(each.kind, trans)})</span>
                </th>
                <td className="aif-Number">{moment(each.start)}</td>
                <td className="aif-Number">{each.end === null ? trans.__('goes on') : moment(each.end)}</td>
                <td className="aif-Number">{hours(each.seconds)}</td>
                <td className="aif-Number">{amount(each.amount, currency, trans)}</td>
                <td>
                  <button
                    type="button"
                    className="aif-Link"
                    aria-expanded={open === each.pod}
                    aria-label={trans.__('Evidence of %1', printable(each.name || each.pod))}
                    onClick={() => {
                      setOpen(open === each.pod ? null : each.pod);
                    }}
                  >
                    {trans.__('Evidence')}
                  </button>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {open === null ? null : <Evidence key={open} pod={open} {...{ api, tenant, trans }} />}
    </>
  );
}

interface EvidenceProps {
  readonly pod: string;
  readonly api: PageApi;
  readonly tenant: string;
  readonly trans: TranslationBundle;
}

/** What was seen of one pod, in the order in which it was heard. */
function Evidence({ pod, api, tenant, trans }: EvidenceProps): JSX.Element {
  const answer = useAnswer(useCallback(() => api.hold(tenant, pod), [api, tenant, pod]));
  return (
    <section className="aif-Evidence" aria-label={trans.__('Evidence')}>
      <Answered answer={answer} trans={trans}>
        {hold => (
          <>
            <h4>{trans.__('Evidence of %1', printable(hold.name || hold.pod))}</h4>
            <p className="aif-Quiet">
              {hold.node === '' ? '' : `${trans.__('Node %1.', printable(hold.node))} `}
              {trans.__('Pod %1.', hold.pod)} {printable(hold.note)}
            </p>
            <div className="aif-Wide" role="region" aria-label={trans.__('What was seen')} tabIndex={0}>
              <table className="aif-Table aif-Lines">
                <thead>
                  <tr>
                    <th scope="col">{trans.__('Number')}</th>
                    <th scope="col">{trans.__('What')}</th>
                    <th scope="col">{trans.__('When')}</th>
                    <th scope="col">{trans.__('Seen by')}</th>
                    <th scope="col">{trans.__('Heard at')}</th>
                  </tr>
                </thead>
                <tbody>
                  {hold.facts.map(fact => (
                    <tr key={fact.seq}>
                      <td className="aif-Number">{fact.seq}</td>
                      <th scope="row">
                        {factWords(fact.kind, trans)}{' '}
                        {fact.note === '' ? null : <span className="aif-Quiet">{printable(fact.note)}</span>}
                      </th>
                      <td className="aif-Number">{timeWords(fact, trans)}</td>
                      <td>{sourceWords(fact.source, trans)}</td>
                      <td className="aif-Number">{second(fact.observed_at)}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          </>
        )}
      </Answered>
    </section>
  );
}

function timeWords(fact: Fact, trans: TranslationBundle): string {
  return fact.earliest === fact.latest
    ? second(fact.at)
    : trans.__('%1, at the latest %2', second(fact.at), second(fact.latest));
}

export function factWords(kind: string, trans: TranslationBundle): string {
  const said: Record<string, string> = {
    bound: trans.__('A node was chosen: it holds from here'),
    started: trans.__('Its main container started'),
    ended: trans.__('Its last container ended'),
    lost: trans.__('Its node was lost'),
    gone: trans.__('It was deleted'),
    void: trans.__('An administrator struck it out'),
    corrected: trans.__('An administrator set another end')
  };
  return said[kind] ?? kind;
}

export function sourceWords(source: string, trans: TranslationBundle): string {
  const said: Record<string, string> = {
    watch: trans.__('the watch, as it happened'),
    replay: trans.__('the cluster, told afterwards'),
    list: trans.__('a comparison with the cluster'),
    hub: trans.__('the hub'),
    operator: trans.__('an administrator')
  };
  return said[source] ?? source;
}
