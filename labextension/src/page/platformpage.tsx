/** The Platform page: all teams, the month and its closing, and how the service does. For administrators. */

import type { TranslationBundle } from '@jupyterlab/translation';
import { type JSX, useCallback, useEffect, useState } from 'react';
import { Answered, words } from './answered';
import { stateWords } from './billview';
import { Days, HeatTable } from './dayviews';
import { amount, type Bills, heldBy, hours, monthName, months, type PlatformOverview } from './ledger';
import { MonthChoice, Totals, uncertainWords, UsageTable } from './monthviews';
import type { PageApi } from './pageapi';
import { PageHead, SimulatedNotice, type Site } from './pagehead';
import { type Question, QuestionBox } from './question';
import { QueueView } from './queueview';
import { TeamsOnTheHost } from './teamstates';
import { useAnswer } from './useanswer';

/** Milliseconds between looks at how the service does. */
const OFTEN = 15_000;

interface PlatformProps {
  readonly site: Site;
  readonly api: PageApi;
  readonly trans: TranslationBundle;
}

export function PlatformPage(props: PlatformProps): JSX.Element {
  const { site, trans } = props;
  useEffect(() => {
    document.title = trans.__('Platform');
  }, [trans]);
  return (
    <>
      <PageHead site={site} here={{ page: 'platform' }} trans={trans} />
      <main className="aif-Ledger">
        <h1>{trans.__('Platform')}</h1>
        {site.administrator ? <Whole {...props} /> : <NotAllowed {...props} />}
      </main>
    </>
  );
}

function NotAllowed({ site, trans }: PlatformProps): JSX.Element {
  return (
    <>
      <p className="aif-Notice" data-kind="trouble">
        {trans.__('You are not allowed to see this page: it is for administrators of the platform.')}
      </p>
      <p>
        {trans.__("Your team's page has what your team holds and has used.")}{' '}
        <a className="aif-Link" href={`${site.hub}home`}>
          {trans.__('Go to Home')}
        </a>
      </p>
    </>
  );
}

function Whole({ site, api, trans }: PlatformProps): JSX.Element {
  const [month, setMonth] = useState(() => months(new Date(), 1)[0] ?? '');
  return (
    <>
      <SimulatedNotice shown={site.simulated} trans={trans} />
      <HealthView {...{ site, api, trans }} />
      <QueueView {...{ site, api, trans }} />
      <TeamsOnTheHost {...{ site, api, trans }} />
      <section aria-labelledby="aif-teams">
        <h2 id="aif-teams">{trans.__('All teams')}</h2>
        <MonthChoice month={month} choose={setMonth} trans={trans} />
        <MonthOfAll key={month} {...{ api, month, trans }} />
      </section>
    </>
  );
}

function HealthView({ site, api, trans }: PlatformProps): JSX.Element {
  const answer = useAnswer(
    useCallback(() => api.health(), [api]),
    OFTEN
  );
  return (
    <section aria-labelledby="aif-health">
      <h2 id="aif-health">{trans.__('Health')}</h2>
      <Answered answer={answer} trans={trans}>
        {health => (
          <dl className="aif-Totals">
            <Fact
              name={trans.__('Service')}
              value={health.status === 'ok' ? trans.__('works') : health.status}
            />
            <Fact name={trans.__('Database')} value={said(health.database, trans)} />
            <Fact name={trans.__('Host cluster')} value={said(health.host, trans)} />
            <Fact
              name={trans.__('Teams reachable')}
              value={
                health.tenants === undefined || health.tenants_reachable === undefined
                  ? trans.__('not known')
                  : trans.__('%1 of %2', health.tenants_reachable, health.tenants)
              }
            />
            <Fact name={trans.__('tenants.yaml')} value={health.tenants_file} />
            <Fact name={trans.__('Version')} value={health.version || site.version} />
          </dl>
        )}
      </Answered>
    </section>
  );
}

function Fact({ name, value }: { name: string; value: string }): JSX.Element {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

function said(answers: boolean | null | undefined, trans: TranslationBundle): string {
  return answers == null
    ? trans.__('not known')
    : answers
      ? trans.__('answers')
      : trans.__('does not answer');
}

function MonthOfAll({ api, month, trans }: Omit<PlatformProps, 'site'> & { month: string }): JSX.Element {
  const bills = useAnswer(useCallback(() => api.bills(month), [api, month]));
  const days = useAnswer(useCallback(() => api.platformUsage(month, 'day'), [api, month]));
  const profiles = useAnswer(useCallback(() => api.platformUsage(month, 'profile'), [api, month]));
  const heat = useAnswer(useCallback(() => api.platformHeat(month), [api, month]));
  const now = useAnswer(
    useCallback(() => api.teams(), [api]),
    OFTEN
  );
  return (
    <>
      <Answered answer={days} trans={trans}>
        {usage => (
          <>
            <Totals usage={usage} trans={trans} />
            <Days rows={usage.rows} asOf={usage.as_of} currency={usage.currency} {...{ month, trans }} />
          </>
        )}
      </Answered>
      <Answered answer={bills} trans={trans}>
        {found => (
          <>
            <Teams bills={found} now={now.value} trans={trans} />
            <Closing bills={found} again={bills.again} {...{ api, trans }} />
          </>
        )}
      </Answered>
      {profiles.value === null || profiles.value.rows.length === 0 ? null : (
        <UsageTable title={trans.__('By profile')} what="profile" usage={profiles.value} trans={trans} />
      )}
      {heat.value === null ? null : <HeatTable heat={heat.value} trans={trans} />}
    </>
  );
}

interface TeamsProps {
  readonly bills: Bills;
  /** Null while it is not known. */
  readonly now: PlatformOverview | null;
  readonly trans: TranslationBundle;
}

/** Each team that there is, and those of the month that are none any more. */
function Teams({ bills, now, trans }: TeamsProps): JSX.Element {
  const known = new Map(now?.teams.map(team => [team.tenant, team]));
  const billed = new Map(bills.bills.map(bill => [bill.tenant, bill]));
  const names = [...new Set([...known.keys(), ...billed.keys()])];
  if (names.length === 0) {
    return <p>{trans.__('There is no team yet: add one to tenants.yaml.')}</p>;
  }
  return (
    <div className="aif-Wide" role="region" aria-label={trans.__('Teams')} tabIndex={0}>
      <table className="aif-Table aif-Lines">
        <thead>
          <tr>
            <th scope="col">{trans.__('Team')}</th>
            <th scope="col">{trans.__('Held now')}</th>
            <th scope="col">{trans.__('Waiting')}</th>
            <th scope="col">{trans.__('Month')}</th>
            <th scope="col">{trans.__('Amount')}</th>
            <th scope="col">{trans.__('Uncertain')}</th>
          </tr>
        </thead>
        <tbody>
          {names.map(name => {
            const bill = billed.get(name);
            const team = known.get(name);
            return (
              <tr key={name}>
                <th scope="row">{team?.display_name ?? name}</th>
                <td>{heldWords(team, trans)}</td>
                <td className="aif-Number">{team?.waiting ?? trans.__('not known')}</td>
                <td className="aif-Number">{hours(bill === undefined ? 0 : heldBy(bill))}</td>
                <td className="aif-Number">
                  {bill === undefined ? '' : amount(bill.amount, bills.currency, trans)}
                </td>
                <td className="aif-Number">{hours(bill?.uncertain_seconds ?? 0)}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

function heldWords(team: PlatformOverview['teams'][number] | undefined, trans: TranslationBundle): string {
  if (team?.servers == null || team.jobs === null) {
    return trans.__('not known');
  }
  const servers = trans._n('%1 server', '%1 servers', team.servers, team.servers);
  return `${servers}, ${trans._n('%1 job', '%1 jobs', team.jobs, team.jobs)}`;
}

interface ClosingProps {
  readonly bills: Bills;
  readonly again: () => void;
  readonly api: PageApi;
  readonly trans: TranslationBundle;
}

/** The month's state, and the button that closes one that is over. */
function Closing({ bills, again, api, trans }: ClosingProps): JSX.Element {
  const [question, setQuestion] = useState<Question | null>(null);
  const [told, setTold] = useState('');
  const close = () => {
    api.closeMonth(bills.month).then(
      () => {
        setTold(trans.__('%1 is closed.', monthName(bills.month)));
        again();
      },
      (error: unknown) => {
        setTold(words(error, trans));
      }
    );
  };
  const ask = () => {
    setQuestion({
      words: trans.__('Close %1?', monthName(bills.month)),
      more: trans.__(
        'The bills of all teams are fixed as they are now. This can not be undone: what changes later is booked as a correction.'
      ),
      yes: trans.__('Close the month'),
      no: trans.__('Leave it open'),
      answer: yes => {
        setQuestion(null);
        if (yes) {
          close();
        }
      }
    });
  };
  return (
    <>
      <h3>{trans.__('Bills of %1', monthName(bills.month))}</h3>
      <p>
        {stateWords(bills, trans)} <strong>{amount(bills.amount, bills.currency, trans)}</strong>
      </p>
      {bills.uncertain_seconds > 0 ? (
        <p className="aif-Quiet">{uncertainWords(bills.uncertain_seconds, trans)}</p>
      ) : null}
      <p>
        <a className="aif-Link" href={api.billsUrl(bills.month)} download={`bills-${bills.month}.csv`}>
          {trans.__('Download all bills as CSV')}
        </a>
      </p>
      {bills.state === 'closing' ? (
        <button type="button" className="jp-mod-styled" onClick={ask}>
          {trans.__('Close the month…')}
        </button>
      ) : null}
      <p role="status" className={told === '' ? '' : 'aif-Notice'}>
        {told}
      </p>
      {question === null ? null : <QuestionBox {...question} />}
    </>
  );
}
