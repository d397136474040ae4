/** Two runs of pipelines side by side. */

import type { TranslationBundle } from '@jupyterlab/translation';
import { type JSX, useCallback, useState } from 'react';
import { duration } from '../format';
import { printable } from '../printable';
import { Answered } from './answered';
import { amount } from './ledger';
import type { PageApi } from './pageapi';
import type { ComparedStep, PipelineRun, RunComparison } from './pipelines';
import { useAnswer } from './useanswer';

interface ChoiceProps {
  readonly run: PipelineRun;
  /** All runs that are shown, the newest first. */
  readonly runs: readonly PipelineRun[];
  readonly api: PageApi;
  readonly trans: TranslationBundle;
}

/** Which earlier run to compare with, and the comparison. */
export function CompareWith({ run, runs, api, trans }: ChoiceProps): JSX.Element | null {
  const [before, setBefore] = useState('');
  const earlier = runs.slice(runs.findIndex(each => each.id === run.id) + 1);
  if (earlier.length === 0) {
    return null;
  }
  return (
    <>
      <p>
        <label>
          {trans.__('Compare with')}{' '}
          <select
            value={before}
            onChange={event => {
              setBefore(event.target.value);
            }}
          >
            <option value="">{trans.__('no other run')}</option>
            {earlier.map(each => (
              <option key={each.id} value={each.id}>
                {`${printable(each.name)} ${each.id}, ${new Date(each.created).toLocaleString()}`}
              </option>
            ))}
          </select>
        </label>
      </p>
      {before === '' ? null : <Comparison {...{ run, before, api, trans }} />}
    </>
  );
}

interface ComparisonProps {
  readonly run: PipelineRun;
  readonly before: string;
  readonly api: PageApi;
  readonly trans: TranslationBundle;
}

function Comparison({ run, before, api, trans }: ComparisonProps): JSX.Element {
  const found = useAnswer(useCallback(() => api.comparePipelines(run.id, before), [api, run.id, before]));
  return (
    <section aria-label={trans.__('Runs %1 and %2', before, run.id)}>
      <Answered answer={found} trans={trans}>
        {said => (
          <>
            <Sides said={said} trans={trans} />
            <Changes said={said} trans={trans} />
          </>
        )}
      </Answered>
    </section>
  );
}

interface SaidProps {
  readonly said: RunComparison;
  readonly trans: TranslationBundle;
}

function Sides({ said, trans }: SaidProps): JSX.Element {
  const { before, after } = said;
  return (
    <div className="aif-Wide" role="region" aria-label={trans.__('Steps of both runs')} tabIndex={0}>
      <table className="aif-Table aif-Lines">
        <caption>{trans.__('Steps of both runs')}</caption>
        <thead>
          <tr>
            <th scope="col">{trans.__('Step')}</th>
            <th scope="col">{before.id}</th>
            <th scope="col">{after.id}</th>
            <th scope="col">{trans.__('Difference')}</th>
          </tr>
        </thead>
        <tbody>
          <tr>
            <th scope="row">{trans.__('The whole run')}</th>
            {[before, after].map(side => (
              <td key={side.id}>{told(side, said, trans)}</td>
            ))}
            <td />
          </tr>
          {said.steps.flatMap(pair => [
            <tr key={pair.key}>
              <th scope="row">{pair.key}</th>
              <td>{side(pair.before, said, trans)}</td>
              <td>{side(pair.after, said, trans)}</td>
              <td />
            </tr>,
            ...pair.metrics.map(metric => (
              <tr key={`${pair.key} ${metric.name}`}>
                <th scope="row">{printable(`${pair.key}.${metric.name}`)}</th>
                <td>{number(metric.before)}</td>
                <td>{number(metric.after)}</td>
                <td>{signed(metric.difference)}</td>
              </tr>
            ))
          ])}
        </tbody>
      </table>
    </div>
  );
}

function Changes({ said, trans }: SaidProps): JSX.Element {
  const rows = [
    ...said.changes.map(change => ({ where: trans.__('the run'), change })),
    ...said.steps.flatMap(pair => pair.changes.map(change => ({ where: pair.key, change })))
  ];
  if (rows.length === 0) {
    return <p>{trans.__('Nothing was changed between the two.')}</p>;
  }
  return (
    <div className="aif-Wide" role="region" aria-label={trans.__('What was changed')} tabIndex={0}>
      <table className="aif-Table aif-Lines">
        <caption>{trans.__('What was changed')}</caption>
        <thead>
          <tr>
            <th scope="col">{trans.__('Of')}</th>
            <th scope="col">{trans.__('What')}</th>
            <th scope="col">{said.before.id}</th>
            <th scope="col">{said.after.id}</th>
          </tr>
        </thead>
        <tbody>
          {rows.map(({ where, change }) => (
            <tr key={`${where} ${change.what}`}>
              <th scope="row">{where}</th>
              <td>{printable(change.what)}</td>
              {change.hidden ? (
                <td colSpan={2}>{trans.__('it has another value, which is not shown')}</td>
              ) : (
                [change.before, change.after].map((text, place) => (
                  <td key={place}>{text === null ? trans.__('none') : printable(text)}</td>
                ))
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function side(step: ComparedStep | null, said: RunComparison, trans: TranslationBundle): string {
  if (step === null) {
    return trans.__('not there');
  }
  if (step.taken_from !== null) {
    return trans.__('%1, taken from run %2', step.state, step.taken_from);
  }
  return step.job === null ? withTime(step) : told(step, said, trans);
}

function told(
  side: { readonly state: string; readonly seconds: number | null; readonly cost: string | null },
  said: RunComparison,
  trans: TranslationBundle
): string {
  return `${withTime(side)}, ${amount(side.cost, said.after.currency, trans)}`;
}

function withTime({ state, seconds }: { readonly state: string; readonly seconds: number | null }): string {
  return seconds === null ? state : `${state}, ${duration(seconds)}`;
}

function number(value: number | null): string {
  return value === null ? '' : value.toLocaleString(undefined, { maximumSignificantDigits: 6 });
}

function signed(value: number | null): string {
  return value === null || value <= 0 ? number(value) : `+${number(value)}`;
}
