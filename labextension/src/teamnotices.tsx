import type { TranslationBundle } from '@jupyterlab/translation';
import type { JSX } from 'react';
import { inOwnZone } from './format';
import type { TeamState } from './types';

/** What the number of approvals means, for people who hear it; null: nothing waits. */
export function waitingWords(waiting: number | null, trans: TranslationBundle): string | null {
  if (waiting === null) {
    return trans.__('How many approvals wait for your vote is not known now');
  }
  if (waiting === 0) {
    return null;
  }
  return waiting === 1
    ? trans.__('1 approval waits for your vote')
    : trans.__('%1 approvals wait for your vote', waiting);
}

/** How many approvals wait for the person, as a link to them; nothing where none does. */
export function WaitingBadge({
  team,
  trans
}: {
  team: TeamState;
  trans: TranslationBundle;
}): JSX.Element | null {
  const words = waitingWords(team.approvals, trans);
  return words === null ? null : (
    <a
      className="aif-Count"
      href={team.page}
      target="_blank"
      rel="noreferrer"
      aria-label={words}
      title={words}
    >
      {team.approvals ?? '?'}
    </a>
  );
}

/** Approvals that wait for the person, and budgets near their end. */
export function TeamNotices({ team, trans }: { team: TeamState; trans: TranslationBundle }): JSX.Element {
  const waiting = team.approvals ?? 0;
  return (
    <>
      {waiting === 0 ? null : (
        <p className="aif-Notice" data-kind="simulated">
          <a className="aif-Link" href={team.page} target="_blank" rel="noreferrer">
            {waitingWords(waiting, trans)}
          </a>
        </p>
      )}
      {(team.budgets ?? []).map(words => (
        <p className="aif-Notice" data-kind="simulated" key={words}>
          {inOwnZone(words)}
        </p>
      ))}
    </>
  );
}
