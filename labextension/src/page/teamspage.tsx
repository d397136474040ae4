/** The page on which people ask for a team, and see how far their requests are. */

import type { TranslationBundle } from '@jupyterlab/translation';
import { type JSX, useCallback, useEffect, useState } from 'react';
import { inOwnZone, momentIn } from '../format';
import { printable } from '../printable';
import { Answered, Trouble, words } from './answered';
import type { PageApi } from './pageapi';
import { PageHead, SimulatedNotice, type Site } from './pagehead';
import { approvalAddress, teamAddress } from './place';
import { TeamForm } from './teamform';
import { counted, requestTitle, stateName, stepName, stepState, type TeamRequest } from './teamrequests';
import { useAnswer } from './useanswer';

/** Milliseconds between looks: a team is made in half a minute. */
const OFTEN = 3_000;
const HERE = Intl.DateTimeFormat().resolvedOptions().timeZone;

interface TeamsProps {
  readonly site: Site;
  readonly api: PageApi;
  readonly trans: TranslationBundle;
}

export function TeamsPage({ site, api, trans }: TeamsProps): JSX.Element {
  useEffect(() => {
    document.title = trans.__('Ask for a team');
  }, [trans]);
  const templates = useAnswer(useCallback(() => api.teamTemplates(), [api]));
  const requests = useAnswer(
    useCallback(() => api.teamRequests(), [api]),
    OFTEN
  );
  return (
    <>
      <PageHead site={site} here={{ page: 'teams' }} trans={trans} />
      <main className="aif-Ledger aif-Approvals">
        <h1>{trans.__('Ask for a team')}</h1>
        <SimulatedNotice shown={site.simulated} trans={trans} />
        <section aria-labelledby="aif-requests">
          <h2 id="aif-requests">{trans.__('My requests')}</h2>
          <Answered answer={requests} trans={trans}>
            {page => (
              <RequestCards
                requests={page.requests}
                none={trans.__('You have asked for no team yet.')}
                again={requests.again}
                {...{ site, api, trans }}
              />
            )}
          </Answered>
        </section>
        <Answered answer={templates} trans={trans}>
          {found => (
            <>
              {found.why_not === null ? null : (
                <p className="aif-Notice">{inOwnZone(printable(found.why_not))}</p>
              )}
              {found.why_not !== null && found.teams.length === 0 ? null : (
                <TeamForm
                  templates={found.templates}
                  teams={found.teams}
                  mayAsk={found.why_not === null}
                  sent={() => {
                    requests.again();
                    templates.again();
                  }}
                  {...{ api, trans }}
                />
              )}
            </>
          )}
        </Answered>
      </main>
    </>
  );
}

interface CardsProps extends TeamsProps {
  readonly requests: readonly TeamRequest[];
  readonly none: string;
  readonly again: () => void;
}

export function RequestCards({ requests, none, ...given }: CardsProps): JSX.Element {
  return requests.length === 0 ? (
    <p className="aif-Quiet">{none}</p>
  ) : (
    <>
      {requests.map(request => (
        <RequestCard key={request.id} request={request} {...given} />
      ))}
    </>
  );
}

const MARKS: Readonly<Record<TeamRequest['state'], string>> = {
  WAITING: 'OPEN',
  GRANTED: 'USED',
  REFUSED: 'REFUSED',
  WITHDRAWN: 'WITHDRAWN',
  REMOVED: 'WITHDRAWN'
};

function RequestCard(props: TeamsProps & { request: TeamRequest; again: () => void }): JSX.Element {
  const { request, trans } = props;
  const title = requestTitle(request, trans);
  return (
    <article className="aif-Approval" aria-label={title} data-state={MARKS[request.state]}>
      <h3>
        {title} <span className="aif-Approval-state">{stateName(request, trans)}</span>
      </h3>
      <p>
        {trans.__('%1 asked, %2: %3', request.asked_by, momentIn(request.asked_at, HERE), request.reason)}
      </p>
      <Facts request={request} trans={trans} />
      <Steps request={request} trans={trans} />
      {request.todo === '' ? null : (
        <p className="aif-Notice" data-kind="trouble">
          {trans.__('To do: %1', printable(request.todo))}
        </p>
      )}
      <Ways {...props} />
      <details>
        <summary>{trans.__('What happened')}</summary>
        <ul className="aif-Approval-votes">
          {request.journal.map(entry => (
            <li key={`${entry.at} ${entry.text}`}>
              {momentIn(entry.at, HERE)}, {entry.who}: {inOwnZone(printable(entry.text))}
            </li>
          ))}
        </ul>
      </details>
    </article>
  );
}

function Facts({ request, trans }: { request: TeamRequest; trans: TranslationBundle }): JSX.Element {
  const borrowed = counted(request.borrowing);
  const facts = [
    request.template === '' ? '' : trans.__('template %1', request.template),
    counted(request.quota),
    borrowed === '' ? '' : trans.__('%1 borrowed', borrowed),
    [...request.members, ...request.admins].join(', '),
    request.expires === '' ? '' : trans.__('until %1', request.expires)
  ];
  return <p className="aif-Quiet">{printable(facts.filter(each => each !== '').join(' · '))}</p>;
}

function Steps({ request, trans }: { request: TeamRequest; trans: TranslationBundle }): JSX.Element {
  return (
    <ol className="aif-Stages" aria-label={trans.__('How far it is')} aria-live="polite">
      {request.steps.map(step => (
        <li key={step.name} data-state={step.state} aria-current={step.state === 'now' ? 'step' : undefined}>
          <strong>{stepName(step.name, trans)}</strong>{' '}
          <span className="aif-Hidden">{stepState(step.state, trans)}</span>{' '}
          <span>{inOwnZone(printable(step.sentence))}</span>
        </li>
      ))}
    </ol>
  );
}

/** What can be done with a request. */
function Ways({
  request,
  site,
  api,
  trans,
  again
}: TeamsProps & { request: TeamRequest; again: () => void }): JSX.Element | null {
  const [trouble, setTrouble] = useState<string | null>(null);
  const takeBack = () => {
    api.withdrawTeamRequest(request.id).then(again, (error: unknown) => {
      setTrouble(words(error, trans));
      again();
    });
  };
  const waits = request.state === 'WAITING';
  return (
    <>
      <div className="aif-Actions">
        {waits && request.approval !== null ? (
          <a className="aif-Link" href={approvalAddress(site.prefix, request.approval)}>
            {trans.__('See the approval')}
          </a>
        ) : null}
        {request.state === 'GRANTED' && site.tenants[request.name] !== undefined ? (
          <a className="aif-Link" href={teamAddress(site.prefix, request.name)}>
            {trans.__('Go to the team')}
          </a>
        ) : null}
        {waits && request.asked_by === site.user ? (
          <button type="button" className="jp-mod-styled" onClick={takeBack}>
            {trans.__('Take it back')}
          </button>
        ) : null}
      </div>
      <Trouble words={trouble} />
    </>
  );
}
