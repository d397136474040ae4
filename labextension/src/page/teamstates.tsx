/** For administrators: requests for teams, and how each team is on the host. */

import type { TranslationBundle } from '@jupyterlab/translation';
import { type JSX, useCallback } from 'react';
import { clock, duration } from '../format';
import { printable } from '../printable';
import { Answered } from './answered';
import type { PageApi } from './pageapi';
import type { Site } from './pagehead';
import { stageWords, type TeamStates } from './teamrequests';
import { RequestCards } from './teamspage';
import { useAnswer } from './useanswer';

/** Milliseconds between looks. */
const OFTEN = 5_000;

interface StatesProps {
  readonly site: Site;
  readonly api: PageApi;
  readonly trans: TranslationBundle;
}

export function TeamsOnTheHost({ site, api, trans }: StatesProps): JSX.Element {
  const states = useAnswer(
    useCallback(() => api.teamStates(), [api]),
    OFTEN
  );
  const requests = useAnswer(
    useCallback(() => api.allTeamRequests(), [api]),
    OFTEN
  );
  return (
    <>
      <section aria-labelledby="aif-on-the-host">
        <h2 id="aif-on-the-host">{trans.__('Teams on the host')}</h2>
        <Answered answer={states} trans={trans}>
          {found => <States states={found} trans={trans} />}
        </Answered>
      </section>
      <section aria-labelledby="aif-asked-for">
        <h2 id="aif-asked-for">{trans.__('Requests for teams')}</h2>
        <Answered answer={requests} trans={trans}>
          {page => (
            <RequestCards
              requests={page.requests}
              none={trans.__('Nobody has asked for a team yet.')}
              again={requests.again}
              {...{ site, api, trans }}
            />
          )}
        </Answered>
      </section>
    </>
  );
}

function States({ states, trans }: { states: TeamStates; trans: TranslationBundle }): JSX.Element {
  return (
    <>
      <p className="aif-Quiet">
        {states.heard_at === null
          ? trans.__('No provisioner has told of teams since the job service started.')
          : trans.__('As the provisioner told at %1.', clock(new Date(states.heard_at)))}
      </p>
      <div className="aif-Wide" role="region" aria-label={trans.__('Stages of teams')} tabIndex={0}>
        <table className="aif-Table aif-Lines">
          <thead>
            <tr>
              <th scope="col">{trans.__('Team')}</th>
              <th scope="col">{trans.__('Stage')}</th>
              <th scope="col">{trans.__('Age')}</th>
              <th scope="col">{trans.__('vCluster')}</th>
              <th scope="col">{trans.__('Put right')}</th>
              <th scope="col">{trans.__('Last day')}</th>
              <th scope="col">{trans.__('What is wrong, and what to do')}</th>
            </tr>
          </thead>
          <tbody>
            {states.teams.map(team => (
              <tr key={team.tenant}>
                <th scope="row">
                  {team.display_name} {team.asked_for ? <small>{trans.__('(asked for)')}</small> : null}
                </th>
                <td>{stageWords(team, trans)}</td>
                <td className="aif-Number">
                  {team.age === null ? trans.__('not known') : duration(team.age)}
                </td>
                <td>{team.version}</td>
                <td className="aif-Number">{team.stage === null ? '' : team.healed}</td>
                <td>{team.expires === null ? '' : team.expires.slice(0, 10)}</td>
                <td>{troubleWords(team)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

function troubleWords(team: TeamStates['teams'][number]): string {
  return printable([team.trouble, team.todo].filter(each => each !== '').join('; '));
}
