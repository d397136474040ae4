/** The Team page: who holds what since when, what waits, and what the month holds. */

import type { TranslationBundle } from '@jupyterlab/translation';
import { type JSX, useCallback, useEffect, useState } from 'react';
import { printable } from '../printable';
import { Answered, words } from './answered';
import { BillView, Holds } from './billview';
import { TeamBudgets } from './budgetview';
import { Days, HeatTable } from './dayviews';
import { months, type TeamOverview } from './ledger';
import { IdleView } from './idleview';
import { MonthChoice, Totals, UsageTable } from './monthviews';
import type { PageApi } from './pageapi';
import { PageHead, SimulatedNotice, type Site } from './pagehead';
import { ALL, listAddress, modelsAddress, pipelinesAddress } from './place';
import { TeamNow } from './teamnow';
import { type Answer, useAnswer } from './useanswer';

/** Milliseconds between looks at what is held now. */
const OFTEN = 10_000;

interface TeamProps {
  readonly site: Site;
  readonly tenant: string;
  readonly api: PageApi;
  readonly trans: TranslationBundle;
}

export function TeamPage({ site, tenant, api, trans }: TeamProps): JSX.Element {
  const now = useAnswer(
    useCallback(() => api.team(tenant), [api, tenant]),
    OFTEN
  );
  const title = site.tenants[tenant] ?? tenant;
  useEffect(() => {
    document.title = trans.__('Team %1', title);
  }, [title, trans]);
  const admin = now.value?.role === 'admin';
  return (
    <>
      <PageHead site={site} here={{ page: 'team', tenant }} trans={trans} />
      <main className="aif-Ledger">
        <h1>{trans.__('Team %1', title)}</h1>
        <SimulatedNotice shown={site.simulated} trans={trans} />
        <p>
          <a className="aif-Link" href={listAddress(site.prefix, { ...ALL, tenant })}>
            {trans.__('Jobs of the team')}
          </a>
          {' · '}
          <a className="aif-Link" href={modelsAddress(site.prefix, tenant)}>
            {trans.__('Models of the team')}
          </a>
          {' · '}
          <a className="aif-Link" href={pipelinesAddress(site.prefix, tenant)}>
            {trans.__('Pipelines of the team')}
          </a>
          {' · '}
          <a className="aif-Link" href={`${site.prefix}teams`}>
            {trans.__('Ask for a team')}
          </a>
          {admin ? (
            <>
              {' · '}
              <a className="aif-Link" href={`${site.hub}aifactory/team/${encodeURIComponent(tenant)}`}>
                {trans.__('Servers of the team, with activity')}
              </a>
            </>
          ) : null}
        </p>
        {now.value === null || now.value.notice === '' ? null : (
          <p className="aif-Notice" data-kind="trouble">
            {printable(now.value.notice)}{' '}
            {admin && now.value.renewable ? <Renewal {...{ tenant, api, trans }} again={now.again} /> : null}
          </p>
        )}
        <Now {...{ site, tenant, api, now, trans }} />
        <IdleView {...{ tenant, api, trans }} />
        {now.value === null ? null : <TeamBudgets {...{ tenant, api, trans }} />}
        {now.value === null ? null : <Month {...{ tenant, api, admin, trans }} />}
      </main>
    </>
  );
}

/** More time for a team that was asked for. */
function Renewal({
  tenant,
  api,
  trans,
  again
}: Omit<TeamProps, 'site'> & { again: () => void }): JSX.Element {
  const [day, setDay] = useState('');
  const [told, setTold] = useState('');
  const ask = () => {
    const reason = trans.__('more time, asked for on the page of the team');
    api.askForTeam({ kind: 'renewal', name: tenant, expires: day, reason }).then(
      request => {
        const granted = request.state === 'GRANTED';
        setTold(
          granted
            ? trans.__('It lasts until %1 now.', request.expires)
            : trans.__('Asked: others approve it.')
        );
        again();
      },
      (error: unknown) => {
        setTold(words(error, trans));
      }
    );
  };
  return (
    <>
      <input
        type="date"
        aria-label={trans.__('New last day')}
        value={day}
        onChange={event => {
          setDay(event.target.value);
        }}
      />{' '}
      <button type="button" className="jp-mod-styled" disabled={day === ''} onClick={ask}>
        {trans.__('Ask for more time')}
      </button>{' '}
      <span role="status">{told}</span>
    </>
  );
}

function Now({ now, ...rest }: TeamProps & { now: Answer<TeamOverview> }): JSX.Element {
  return (
    <Answered answer={now} trans={rest.trans}>
      {team => <TeamNow {...rest} team={team} again={now.again} />}
    </Answered>
  );
}

interface MonthProps {
  readonly tenant: string;
  readonly api: PageApi;
  readonly admin: boolean;
  readonly trans: TranslationBundle;
}

/** For admins of the team it is the team's, for others their own. */
function Month({ tenant, api, admin, trans }: MonthProps): JSX.Element {
  const [month, setMonth] = useState(() => months(new Date(), 1)[0] ?? '');
  return (
    <>
      <section aria-labelledby="aif-month">
        <h2 id="aif-month">{admin ? trans.__('Usage of the team') : trans.__('My usage in this team')}</h2>
        <MonthChoice month={month} choose={setMonth} trans={trans} />
        <Usage {...{ tenant, api, month, admin, trans }} />
      </section>
      {admin ? (
        <BillView {...{ api, tenant, month, trans }} />
      ) : (
        <Holds title={trans.__('My pods')} of={[]} kind={null} {...{ api, tenant, month, trans }} />
      )}
    </>
  );
}

function Usage({ tenant, api, month, admin, trans }: MonthProps & { month: string }): JSX.Element {
  const days = useAnswer(useCallback(() => api.teamUsage(tenant, month, 'day'), [api, tenant, month]));
  const profiles = useAnswer(
    useCallback(() => api.teamUsage(tenant, month, 'profile'), [api, tenant, month])
  );
  const heat = useAnswer(useCallback(() => api.teamHeat(tenant, month), [api, tenant, month]));
  if (days.value !== null && days.value.total.seconds === 0) {
    return (
      <>
        <Totals usage={days.value} trans={trans} />
        <p>{trans.__('Nothing was held in this month. Start a server from Home, or submit a job.')}</p>
      </>
    );
  }
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
      <div className="aif-Pair">
        {admin ? <Members {...{ tenant, api, month, trans }} /> : null}
        {profiles.value === null ? null : (
          <UsageTable title={trans.__('By profile')} what="profile" usage={profiles.value} trans={trans} />
        )}
      </div>
      {heat.value === null ? null : <HeatTable heat={heat.value} trans={trans} />}
    </>
  );
}

function Members({
  tenant,
  api,
  month,
  trans
}: Omit<MonthProps, 'admin'> & { month: string }): JSX.Element | null {
  const users = useAnswer(useCallback(() => api.teamUsage(tenant, month, 'user'), [api, tenant, month]));
  return users.value === null ? null : (
    <UsageTable title={trans.__('By member')} what="user" usage={users.value} trans={trans} />
  );
}
