/** The bill of a month: its lines, the pods behind each, and the evidence of each pod. */

import type { TranslationBundle } from '@jupyterlab/translation';
import { type JSX, useCallback, useState } from 'react';
import type { Pair } from '../api';
import { Answered, words } from './answered';
import {
  amount,
  type Bill,
  type BillLine,
  type HoldPage,
  hours,
  kindName,
  moment,
  monthName,
  person
} from './ledger';
import { HoldTable } from './holdviews';
import { uncertainWords } from './monthviews';
import type { PageApi } from './pageapi';
import { useAnswer } from './useanswer';

interface BillProps {
  readonly api: PageApi;
  readonly tenant: string;
  readonly month: string;
  readonly trans: TranslationBundle;
}

export function BillView({ api, tenant, month, trans }: BillProps): JSX.Element {
  const answer = useAnswer(useCallback(() => api.bill(tenant, month), [api, tenant, month]));
  return (
    <section aria-labelledby="aif-bill">
      <h2 id="aif-bill">{trans.__('Bill of %1', monthName(month))}</h2>
      <Answered answer={answer} trans={trans}>
        {bill => (
          <>
            <p>
              {stateWords(bill, trans)}{' '}
              <strong className="aif-Number">{amount(bill.amount, bill.currency, trans)}</strong>
            </p>
            {bill.uncertain_seconds > 0 ? (
              <p className="aif-Quiet">{uncertainWords(bill.uncertain_seconds, trans)}</p>
            ) : null}
            <Corrections bill={bill} trans={trans} />
            {bill.lines.length === 0 ? (
              <p className="aif-Quiet">
                {trans.__('This month has no lines yet: a line appears once a server or job holds devices.')}
              </p>
            ) : (
              <Lines bill={bill} api={api} tenant={tenant} trans={trans} />
            )}
            <p>
              <a className="aif-Link" href={api.billUrl(tenant, month)} download={`${tenant}-${month}.csv`}>
                {trans.__('Download as CSV')}
              </a>
            </p>
          </>
        )}
      </Answered>
    </section>
  );
}

/** What was booked afterwards: of earlier months in this bill, of this month in later ones. */
function Corrections({ bill, trans }: { bill: Bill; trans: TranslationBundle }): JSX.Element {
  return (
    <>
      {bill.corrections.length > 0 ? (
        <p>
          {trans.__(
            'Corrections of earlier months: %1. With them it is %2.',
            amount(bill.corrections_amount, bill.currency, trans),
            amount(bill.total, bill.currency, trans)
          )}
        </p>
      ) : null}
      {bill.corrected_later.length > 0 ? (
        <p>
          {trans._n(
            '%1 line of this month was corrected in a later bill.',
            '%1 lines of this month were corrected in later bills.',
            bill.corrected_later.length,
            bill.corrected_later.length
          )}
        </p>
      ) : null}
    </>
  );
}

export function stateWords(
  bill: Pick<Bill, 'state' | 'closed_at' | 'closed_by'>,
  trans: TranslationBundle
): string {
  if (bill.state === 'closed') {
    const at = bill.closed_at === null ? '' : moment(bill.closed_at);
    return bill.closed_by
      ? trans.__('Closed by %1 on %2. What changes later is booked as a correction.', bill.closed_by, at)
      : trans.__('Closed on %1. What changes later is booked as a correction.', at);
  }
  return bill.state === 'closing'
    ? trans.__('The month is over and is closed soon.')
    : trans.__('Open: the month goes on, so amounts still grow.');
}

interface LinesProps {
  readonly bill: Bill;
  readonly api: PageApi;
  readonly tenant: string;
  readonly trans: TranslationBundle;
}

function Lines({ bill, api, tenant, trans }: LinesProps): JSX.Element {
  const [open, setOpen] = useState<number | null>(null);
  const line = open === null ? undefined : bill.lines[open];
  return (
    <>
      <div className="aif-Wide" role="region" aria-label={trans.__('Lines of the bill')} tabIndex={0}>
        <table className="aif-Table aif-Lines">
          <thead>
            <tr>
              <th scope="col">{trans.__('Who')}</th>
              <th scope="col">{trans.__('Profile')}</th>
              <th scope="col">{trans.__('Kind')}</th>
              <th scope="col">{trans.__('Held')}</th>
              <th scope="col">{trans.__('Per hour')}</th>
              <th scope="col">{trans.__('Amount')}</th>
              <th scope="col">{trans.__('Evidence')}</th>
            </tr>
          </thead>
          <tbody>
            {bill.lines.map((each, index) => (
              <tr key={index}>
                <th scope="row">{person(each.user, trans)}</th>
                <td>{each.profile || trans.__('none')}</td>
                <td>{kindName(each.kind, trans)}</td>
                <td className="aif-Number">{hours(each.seconds)}</td>
                <td className="aif-Number">{amount(each.per_hour, bill.currency, trans)}</td>
                <td className="aif-Number">{amount(each.amount, bill.currency, trans)}</td>
                <td>
                  <button
                    type="button"
                    className="aif-Link"
                    aria-expanded={open === index}
                    aria-label={trans.__('Pods of %1, %2', person(each.user, trans), each.profile)}
                    onClick={() => {
                      setOpen(open === index ? null : index);
                    }}
                  >
                    {trans._n('%1 pod', '%1 pods', each.pods, each.pods)}
                  </button>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {line === undefined ? null : (
        <LineHolds key={open} line={line} api={api} tenant={tenant} month={bill.month} trans={trans} />
      )}
    </>
  );
}

interface LineProps {
  readonly line: BillLine;
  readonly api: PageApi;
  readonly tenant: string;
  readonly month: string;
  readonly trans: TranslationBundle;
}

/** The pods behind one line, a page at a time. */
function LineHolds({ line, api, tenant, month, trans }: LineProps): JSX.Element {
  const of: readonly Pair[] = [
    ['user', line.user],
    ['profile', line.profile]
  ];
  const title = trans.__(
    'Pods of %1 with %2',
    person(line.user, trans),
    line.profile || trans.__('no profile')
  );
  return <Holds title={title} of={of} kind={line.kind} {...{ api, tenant, month, trans }} />;
}

interface HoldsProps extends Omit<LineProps, 'line'> {
  readonly title: string;
  readonly of: readonly Pair[];
  /** Only those of this kind; all where it is null. */
  readonly kind: string | null;
}

export function Holds({ title, of, kind, api, tenant, month, trans }: HoldsProps): JSX.Element {
  const asked = JSON.stringify(of);
  const ask = useCallback(
    () => api.holds(tenant, month, JSON.parse(asked) as Pair[], null),
    [api, tenant, month, asked]
  );
  const first = useAnswer(ask);
  const [more, setMore] = useState<readonly HoldPage[]>([]);
  const [trouble, setTrouble] = useState<string | null>(null);
  return (
    <section className="aif-Holds" aria-label={title}>
      <h3>{title}</h3>
      <Answered answer={first} trans={trans}>
        {page => {
          const pages = [page, ...more];
          const next = pages[pages.length - 1]?.next ?? null;
          const shown = pages.flatMap(each => each.holds).filter(each => kind === null || each.kind === kind);
          return (
            <>
              {shown.length === 0 && next !== null ? null : (
                <HoldTable holds={shown} currency={page.currency} {...{ api, tenant, trans }} />
              )}
              {trouble === null ? null : (
                <p className="aif-Notice" data-kind="trouble" role="status">
                  {trouble}
                </p>
              )}
              {next === null ? null : (
                <button
                  type="button"
                  className="jp-mod-styled"
                  onClick={() => {
                    api.holds(tenant, month, of, next).then(
                      found => {
                        setTrouble(null);
                        setMore([...more, found]);
                      },
                      (error: unknown) => {
                        setTrouble(words(error, trans));
                      }
                    );
                  }}
                >
                  {trans.__('Show more')}
                </button>
              )}
            </>
          );
        }}
      </Answered>
    </section>
  );
}
