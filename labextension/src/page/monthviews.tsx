/** What was held in a month: totals, and tables by person, profile and kind. */

import type { TranslationBundle } from '@jupyterlab/translation';
import { type JSX, useId } from 'react';
import {
  amount,
  hours,
  kindName,
  moment,
  monthName,
  months,
  person,
  type Usage,
  type UsageRow
} from './ledger';

/** How many months can be chosen. */
const MOST = 13;

interface ChoiceProps {
  readonly month: string;
  readonly choose: (month: string) => void;
  readonly trans: TranslationBundle;
}

export function MonthChoice({ month, choose, trans }: ChoiceProps): JSX.Element {
  const id = useId();
  const known = months(new Date(), MOST);
  return (
    <p className="aif-Month">
      <label htmlFor={id}>{trans.__('Month')}</label>{' '}
      <select
        id={id}
        value={month}
        onChange={event => {
          choose(event.target.value);
        }}
      >
        {(known.includes(month) ? known : [month, ...known]).map(each => (
          <option key={each} value={each}>
            {monthName(each)}
          </option>
        ))}
      </select>
    </p>
  );
}

/** The month in three numbers, and how sure they are. */
export function Totals({ usage, trans }: { usage: Usage; trans: TranslationBundle }): JSX.Element {
  const { total, currency, uncertain_seconds: uncertain, simulated } = usage;
  return (
    <>
      <dl className="aif-Totals">
        <div>
          <dt>{trans.__('Held')}</dt>
          <dd>{hours(total.seconds)}</dd>
        </div>
        <div>
          <dt>{trans.__('Amount')}</dt>
          <dd>{amount(total.amount, currency, trans)}</dd>
        </div>
        <div>
          <dt>{trans.__('Pods')}</dt>
          <dd>{total.pods}</dd>
        </div>
      </dl>
      <p className="aif-Quiet">
        {trans.__('Counted up to %1.', moment(usage.as_of))}
        {uncertain > 0 ? ` ${uncertainWords(uncertain, trans)}` : ''}
        {total.amount !== null && total.unpriced_seconds > 0
          ? ` ${trans.__('%1 of it have no price and are not in the amount.', hours(total.unpriced_seconds))}`
          : ''}
        {simulated ? ` ${trans.__('Some of the devices are simulated.')}` : ''}
      </p>
    </>
  );
}

export function uncertainWords(seconds: number, trans: TranslationBundle): string {
  return trans.__('Up to %1 more may have been held: nobody saw it, so it is not billed.', hours(seconds));
}

interface RowsProps {
  readonly title: string;
  readonly what: 'user' | 'profile' | 'kind' | 'tenant';
  readonly usage: Usage;
  readonly trans: TranslationBundle;
}

/** One table of a month; nothing for a month in which nothing was held. */
export function UsageTable({ title, what, usage, trans }: RowsProps): JSX.Element {
  const most = Math.max(1, ...usage.rows.map(row => row.seconds));
  const ordered = [...usage.rows].sort((a, b) => b.seconds - a.seconds);
  return (
    <table className="aif-Table aif-Usage-table">
      <caption>{title}</caption>
      <thead>
        <tr>
          <th scope="col">{heads(what, trans)}</th>
          <th scope="col" aria-hidden="true" />
          <th scope="col">{trans.__('Held')}</th>
          <th scope="col">{trans.__('Pods')}</th>
          <th scope="col">{trans.__('Amount')}</th>
        </tr>
      </thead>
      <tbody>
        {ordered.map(row => (
          <tr key={row.key}>
            <th scope="row">{keyWords(row, what, trans)}</th>
            <td aria-hidden="true">
              <svg className="aif-Bar" viewBox="0 0 100 8" preserveAspectRatio="none">
                <rect width={Math.max(1, (row.seconds / most) * 100)} height={8} />
              </svg>
            </td>
            <td className="aif-Number">{hours(row.seconds)}</td>
            <td className="aif-Number">{row.pods}</td>
            <td className="aif-Number">{amount(row.amount, usage.currency, trans)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function heads(what: RowsProps['what'], trans: TranslationBundle): string {
  const names = {
    user: trans.__('Who'),
    profile: trans.__('Profile'),
    kind: trans.__('Kind'),
    tenant: trans.__('Team')
  };
  return names[what];
}

function keyWords(row: UsageRow, what: RowsProps['what'], trans: TranslationBundle): string {
  if (what === 'user') {
    return person(row.key, trans);
  }
  if (what === 'kind') {
    return kindName(row.key, trans);
  }
  return row.key === '' ? trans.__('none') : row.key;
}
