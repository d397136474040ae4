/** How a team's budgets stand: in the same words as the menu, the command and refusals have them. */

import type { TranslationBundle } from '@jupyterlab/translation';
import { type JSX, useCallback } from 'react';
import { inOwnZone, momentIn } from '../format';
import { printable } from '../printable';
import { Answered } from './answered';
import type { Budget, Budgets } from './ledger';
import type { PageApi } from './pageapi';
import { useAnswer } from './useanswer';

const HERE = Intl.DateTimeFormat().resolvedOptions().timeZone;
/** Milliseconds between looks. */
const SELDOM = 60_000;

interface BudgetProps {
  readonly tenant: string;
  readonly api: PageApi;
  readonly trans: TranslationBundle;
}

export function TeamBudgets({ tenant, api, trans }: BudgetProps): JSX.Element | null {
  const answer = useAnswer(
    useCallback(() => api.teamBudgets(tenant), [api, tenant]),
    SELDOM
  );
  if (answer.value !== null && answer.value.budgets.length === 0) {
    return null;
  }
  return (
    <section aria-labelledby="aif-budgets">
      <h2 id="aif-budgets">{trans.__('Budgets')}</h2>
      <Answered answer={answer} trans={trans}>
        {budgets => <Shown budgets={budgets} trans={trans} />}
      </Answered>
    </section>
  );
}

function Shown({ budgets, trans }: { budgets: Budgets; trans: TranslationBundle }): JSX.Element {
  const granted = budgets.grants.filter(grant => grant.counts);
  return (
    <>
      {budgets.budgets.map(each => (
        <One key={each.name} budget={each} trans={trans} />
      ))}
      {budgets.held > 0 ? <p>{trans.__('Jobs that budgets hold now: %1.', budgets.held)}</p> : null}
      {granted.map(grant => (
        <p key={grant.id} className="aif-Quiet">
          {trans.__(
            'Granted: %1 more of %2 until %3, by %4: %5',
            grant.amount,
            printable(grant.user === null ? grant.budget : `${grant.budget} (${grant.user})`),
            momentIn(grant.until, HERE),
            printable(grant.by),
            printable(grant.reason)
          )}
        </p>
      ))}
      {budgets.people === null || budgets.people.length === 0 ? null : (
        <People people={budgets.people} trans={trans} />
      )}
    </>
  );
}

function One({ budget, trans }: { budget: Budget; trans: TranslationBundle }): JSX.Element {
  const whose = budget.user === null ? trans.__('of the team') : trans.__('your own');
  const reached = budget.steps.filter(step => step.reached).map(step => `${step.action} (${step.share} %)`);
  return (
    <div className="aif-Budget">
      <p>
        <strong>{printable(budget.name)}</strong>, {whose}: {inOwnZone(printable(budget.words))}.
        {budget.forecast === null ? '' : ` ${trans.__('It %1.', inOwnZone(budget.forecast.words))}`}
      </p>
      <progress
        max={100}
        value={Math.min(100, budget.per_cent)}
        aria-label={trans.__('Budget %1: %2 % used', budget.name, budget.per_cent)}
      />
      {reached.length === 0 ? null : (
        <p className="aif-Quiet">{trans.__('Reached: %1.', reached.join(', '))}</p>
      )}
    </div>
  );
}

function People({ people, trans }: { people: readonly Budget[]; trans: TranslationBundle }): JSX.Element {
  return (
    <table className="aif-Table">
      <caption>{trans.__('Budgets of each person')}</caption>
      <thead>
        <tr>
          {[
            trans.__('Person'),
            trans.__('Budget'),
            trans.__('Spent'),
            trans.__('Reserved'),
            trans.__('Limit')
          ].map(head => (
            <th key={head} scope="col">
              {head}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {people.map(each => (
          <tr key={`${each.name} ${each.user ?? ''}`}>
            <th scope="row">{printable(each.user ?? '')}</th>
            <td>{printable(each.name)}</td>
            <td>
              {each.spent} ({each.per_cent} %)
            </td>
            <td>{each.reserved}</td>
            <td>
              {each.limit} {each.unit === 'gpu_hours' ? trans.__('GPU-hours') : (each.currency ?? '')}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
