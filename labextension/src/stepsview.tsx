/** The steps of a job that has several, or its nodes: how far each is, and which one's log is shown. */

import type { TranslationBundle } from '@jupyterlab/translation';
import type { JSX } from 'react';
import { duration, inOwnZone, since } from './format';
import { printable } from './printable';
import { areNodes, type Chosen, logOf, placed, type PlacedStep, type Section } from './steps';
import type { Job } from './types';
import { useNow } from './view';
import { STEP_SIGNS, stepStateName } from './words';

interface StepsProps {
  readonly job: Job;
  /** The parts of its log. */
  readonly parts: readonly Section[];
  readonly chosen: Chosen | null;
  readonly choose: (step: Chosen) => void;
  readonly trans: TranslationBundle;
}

/** Nothing for a job that is one command on one node. */
export function Steps({ job, parts, chosen, choose, trans }: StepsProps): JSX.Element | null {
  const now = useNow(5_000);
  const steps = placed(job.steps);
  if (steps.length === 0) {
    return null;
  }
  const done = steps.filter(step => step.finished !== null).length;
  const title = areNodes(job) ? trans.__('Nodes') : trans.__('Steps');
  return (
    <section className="aif-Steps" aria-label={title}>
      <h2>
        {title}
        <span className="aif-AsOf">{trans.__('%1 of %2 ended', done, steps.length)}</span>
      </h2>
      <div className="aif-Steps-box" tabIndex={0} role="group" aria-label={title}>
        <table className="aif-Table">
          <thead>
            <tr>
              <th scope="col">{trans.__('Name')}</th>
              <th scope="col">{trans.__('State')}</th>
              <th scope="col">{trans.__('Time')}</th>
              <th scope="col">{trans.__('Log')}</th>
            </tr>
          </thead>
          <tbody>
            {steps.map(step => (
              <StepRow
                key={`${step.name} ${step.nth}`}
                step={step}
                now={now}
                chosen={step.name === chosen?.name && step.nth === chosen.nth}
                readable={logOf(parts, step) !== null}
                choose={choose}
                trans={trans}
              />
            ))}
          </tbody>
        </table>
      </div>
      {areNodes(job) ? <p className="aif-Hint">{trans.__('The log is the first node’s.')}</p> : null}
    </section>
  );
}

interface RowProps {
  readonly step: PlacedStep;
  readonly now: Date;
  readonly chosen: boolean;
  readonly readable: boolean;
  readonly choose: (step: Chosen) => void;
  readonly trans: TranslationBundle;
}

function StepRow({ step, now, chosen, readable, choose, trans }: RowProps): JSX.Element {
  const [sign, tone] = STEP_SIGNS[step.state];
  const took = since(step.started, step.finished ?? now);
  return (
    <tr data-chosen={chosen}>
      <th scope="row">
        {printable(step.name)}
        {step.reason === null ? null : <small>{inOwnZone(printable(step.reason))}</small>}
      </th>
      <td className="aif-Steps-state">
        <span className="aif-Sign" data-tone={tone} aria-hidden="true">
          {sign}
        </span>{' '}
        {stepStateName(step.state, trans)}
      </td>
      <td className="aif-Number">{took === null ? '' : duration(took)}</td>
      <td>
        {readable ? (
          <button
            type="button"
            className="aif-Link"
            aria-pressed={chosen}
            aria-label={trans.__('Show the log of %1 alone', printable(step.name))}
            onClick={() => {
              choose({ name: step.name, nth: step.nth });
            }}
          >
            {trans.__('Show')}
          </button>
        ) : null}
      </td>
    </tr>
  );
}
