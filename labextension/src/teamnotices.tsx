import type { TranslationBundle } from '@jupyterlab/translation';
import type { JSX } from 'react';
import type { TeamState } from './types';

/** Approvals that wait for the person, and budgets near their end. */
export function TeamNotices({ team, trans }: { team: TeamState; trans: TranslationBundle }): JSX.Element {
  const waiting = team.approvals ?? 0;
  return (
    <>
      {waiting === 0 ? null : (
        <p className="aif-Notice" data-kind="simulated">
          <a className="aif-Link" href={team.page} target="_blank" rel="noreferrer">
            {waiting === 1
              ? trans.__('1 approval waits for your vote')
              : trans.__('%1 approvals wait for your vote', waiting)}
          </a>
        </p>
      )}
      {(team.budgets ?? []).map(words => (
        <p className="aif-Notice" data-kind="simulated" key={words}>
          {words}
        </p>
      ))}
    </>
  );
}
