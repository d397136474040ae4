/** The Pipelines page: runs with their steps as they go, what started them, and why a push started nothing. */

import type { TranslationBundle } from '@jupyterlab/translation';
import { type JSX, useCallback, useEffect, useState } from 'react';
import { inOwnZone } from '../format';
import { printable } from '../printable';
import { Answered, words } from './answered';
import type { PageApi } from './pageapi';
import { PageHead, SimulatedNotice, type Site } from './pagehead';
import {
  madeWords,
  aboutStep,
  BOX,
  causeWords,
  drawing,
  type PipelineRun,
  shortRef,
  takenWords,
  type Trigger,
  type TriggerEvents
} from './pipelines';
import { jobAddress, modelAddress } from './place';
import { CompareWith } from './runcompare';
import { useAnswer } from './useanswer';

/** Milliseconds between looks while something may run, and at triggers. */
const OFTEN = 3_000;
const SELDOM = 15_000;

interface PipelinesProps {
  readonly site: Site;
  readonly tenant: string;
  readonly api: PageApi;
  readonly trans: TranslationBundle;
}

export function PipelinesPage({ site, tenant, api, trans }: PipelinesProps): JSX.Element {
  const runs = useAnswer(
    useCallback(() => api.pipelineRuns(tenant), [api, tenant]),
    OFTEN
  );
  const [told, setTold] = useState('');
  const title = trans.__('Pipelines of %1', site.tenants[tenant] ?? tenant);
  useEffect(() => {
    document.title = title;
  }, [title]);
  const act = (asked: Promise<unknown>, done: string) => {
    asked.then(
      () => {
        setTold(done);
        runs.again();
      },
      (error: unknown) => {
        setTold(words(error, trans));
      }
    );
  };
  return (
    <>
      <PageHead site={site} here={{ page: 'pipelines', tenant }} trans={trans} />
      <main className="aif-Ledger">
        <h1>{title}</h1>
        <SimulatedNotice shown={site.simulated} trans={trans} />
        <p role="status" className={told === '' ? '' : 'aif-Notice'}>
          {told}
        </p>
        <Answered answer={runs} trans={trans}>
          {page =>
            page.runs.length === 0 ? (
              <p>
                {trans.__(
                  'No pipeline has run yet. Put .aifactory/pipeline.yaml into a repository, and: aifactory-hub pipeline run'
                )}
              </p>
            ) : (
              page.runs.map((run, place) => (
                <Run key={run.id} open={place === 0} {...{ run, runs: page.runs, site, api, act, trans }} />
              ))
            )
          }
        </Answered>
        <Triggers {...{ tenant, api, trans }} />
      </main>
    </>
  );
}

interface RunProps {
  readonly run: PipelineRun;
  readonly runs: readonly PipelineRun[];
  readonly open: boolean;
  readonly site: Site;
  readonly api: PageApi;
  readonly act: (asked: Promise<unknown>, done: string) => void;
  readonly trans: TranslationBundle;
}

function Run({ run, runs, open, site, api, act, trans }: RunProps): JSX.Element {
  const own = run.owner === site.user;
  return (
    <details open={open} id={run.id}>
      <summary>
        <strong>{printable(run.name)}</strong> <span data-state={run.state}>{run.state}</span>{' '}
        <span className="aif-Quiet">
          {printable(causeWords(run, trans))} · {new Date(run.created).toLocaleString()}
        </span>
      </summary>
      {run.reason === null ? null : <p>{inOwnZone(printable(run.reason))}</p>}
      <Graph {...{ run, trans }} />
      <Steps {...{ run, site, trans }} />
      <p>
        {run.state === 'RUNNING' ? (
          <button
            type="button"
            className="jp-mod-styled"
            disabled={run.cancel_asked}
            onClick={() => {
              act(api.cancelPipeline(run.id), trans.__('%1 is being cancelled.', run.id));
            }}
          >
            {trans.__('Cancel')}
          </button>
        ) : own ? (
          <Again {...{ run, api, act, trans }} />
        ) : null}
      </p>
      <CompareWith {...{ run, runs, api, trans }} />
    </details>
  );
}

function Again({ run, api, act, trans }: Pick<RunProps, 'run' | 'api' | 'act' | 'trans'>): JSX.Element {
  const [step, setStep] = useState('');
  const names = [...new Set(run.steps.map(each => each.step))];
  return (
    <>
      <label>
        {trans.__('Run again from')}{' '}
        <select
          value={step}
          onChange={event => {
            setStep(event.target.value);
          }}
        >
          <option value="">{trans.__('what did not succeed')}</option>
          {names.map(name => (
            <option key={name}>{name}</option>
          ))}
        </select>
      </label>{' '}
      <button
        type="button"
        className="jp-mod-styled"
        onClick={() => {
          act(api.retryPipeline(run.id, step === '' ? null : step), trans.__('A new run was started.'));
        }}
      >
        {trans.__('Run again')}
      </button>
    </>
  );
}

/** For the eye alone: the table below says the same. */
function Graph({ run, trans }: Pick<RunProps, 'run' | 'trans'>): JSX.Element {
  const drawn = drawing(run.steps);
  const middle = BOX.height / 2;
  return (
    <div className="aif-Wide" role="region" aria-label={trans.__('Steps as a graph')} tabIndex={0}>
      <svg width={drawn.width} height={drawn.height} aria-hidden="true" className="aif-Graph">
        {drawn.lines.map(({ from, to }) => (
          <path
            key={`${from.step.key} ${to.step.key}`}
            d={`M${String(from.x + BOX.width)} ${String(from.y + middle)} C${String(from.x + BOX.width + BOX.across / 2)} ${String(from.y + middle)} ${String(to.x - BOX.across / 2)} ${String(to.y + middle)} ${String(to.x)} ${String(to.y + middle)}`}
          />
        ))}
        {drawn.boxes.map(({ step, x, y }) => (
          <g key={step.key} transform={`translate(${String(x)} ${String(y)})`} data-state={step.state}>
            <rect width={BOX.width} height={BOX.height} rx="4" />
            <text x="8" y="14">
              {step.key.length > 20 ? `${step.key.slice(0, 19)}…` : step.key}
            </text>
            <text x="8" y="28" className="aif-Quiet">
              {step.state === 'RUNNING' ? (step.job_state ?? step.state) : step.state}
            </text>
          </g>
        ))}
      </svg>
    </div>
  );
}

function Steps({ run, site, trans }: Pick<RunProps, 'run' | 'site' | 'trans'>): JSX.Element {
  return (
    <div className="aif-Wide" role="region" aria-label={trans.__('Steps')} tabIndex={0}>
      <table className="aif-Table aif-Lines">
        <thead>
          <tr>
            <th scope="col">{trans.__('Step')}</th>
            <th scope="col">{trans.__('State')}</th>
            <th scope="col">{trans.__('Needs')}</th>
            <th scope="col">{trans.__('Job or model')}</th>
            <th scope="col">{trans.__('About')}</th>
          </tr>
        </thead>
        <tbody>
          {run.steps.map(step => (
            <tr key={step.key}>
              <th scope="row">{step.key}</th>
              <td>{step.state}</td>
              <td>{step.needs.join(', ')}</td>
              <td>
                {step.job === null ? null : (
                  <a className="aif-Link" href={jobAddress(site.prefix, step.job)}>
                    {step.job_state ?? step.job}
                  </a>
                )}
                {step.result === null ? null : (
                  <a className="aif-Link" href={modelAddress(site.prefix, run.tenant, step.result.model)}>
                    {madeWords(step.result, trans)}
                  </a>
                )}
              </td>
              <td>
                {step.taken_from === null ? null : (
                  <>
                    <a className="aif-Link" href={`#${step.taken_from}`}>
                      {takenWords(step, trans)}
                    </a>{' '}
                  </>
                )}
                {printable(aboutStep(step, trans))}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Triggers({ tenant, api, trans }: Pick<PipelinesProps, 'tenant' | 'api' | 'trans'>): JSX.Element {
  const found = useAnswer(
    useCallback(() => api.triggers(tenant), [api, tenant]),
    SELDOM
  );
  return (
    <section aria-labelledby="aif-triggers">
      <h2 id="aif-triggers">{trans.__('Triggers')}</h2>
      <Answered answer={found} trans={trans}>
        {({ triggers }) =>
          triggers.length === 0 ? (
            <p>{trans.__('No repository starts a pipeline yet: aifactory-hub trigger add')}</p>
          ) : (
            triggers.map(trigger => <One key={trigger.id} {...{ trigger, api, trans }} />)
          )
        }
      </Answered>
    </section>
  );
}

interface TriggerProps {
  readonly trigger: Trigger;
  readonly api: PageApi;
  readonly trans: TranslationBundle;
}

function One({ trigger, api, trans }: TriggerProps): JSX.Element {
  const [open, setOpen] = useState(false);
  return (
    <details
      onToggle={event => {
        setOpen(event.currentTarget.open);
      }}
    >
      <summary>
        <strong>{printable(trigger.name)}</strong>{' '}
        <span>{trigger.paused ? trans.__('paused') : trans.__('on')}</span>{' '}
        <span className="aif-Quiet">
          {printable(trigger.url)} · {trigger.owner}
          {trigger.next === null ? null : (
            <> · {trans.__('next at its time, %1', new Date(trigger.next).toLocaleString())}</>
          )}
        </span>
      </summary>
      {trigger.problem === null ? null : (
        <p className="aif-Notice" data-kind="trouble">
          {printable(trigger.problem)}
        </p>
      )}
      {trigger.refused === 0 ? null : (
        <p className="aif-Notice" data-kind="trouble">
          {trans.__(
            '%1 calls had a wrong signature: the secret may be another one at the host.',
            trigger.refused
          )}
        </p>
      )}
      {open ? <Events {...{ trigger, api, trans }} /> : null}
    </details>
  );
}

function Events({ trigger, api, trans }: TriggerProps): JSX.Element {
  const found = useAnswer(
    useCallback(() => api.triggerEvents(trigger.id), [api, trigger.id]),
    SELDOM
  );
  return (
    <Answered answer={found} trans={trans}>
      {said => <EventTable said={said} trans={trans} />}
    </Answered>
  );
}

function EventTable({ said, trans }: { said: TriggerEvents; trans: TranslationBundle }): JSX.Element {
  if (said.events.length === 0) {
    return <p>{trans.__('Nothing has changed in the repository since the trigger was made.')}</p>;
  }
  return (
    <div className="aif-Wide" role="region" aria-label={trans.__('Changes')} tabIndex={0}>
      <table className="aif-Table aif-Lines">
        <thead>
          <tr>
            <th scope="col">{trans.__('Branch or tag')}</th>
            <th scope="col">{trans.__('Commit')}</th>
            <th scope="col">{trans.__('Seen')}</th>
            <th scope="col">{trans.__('What became of it')}</th>
          </tr>
        </thead>
        <tbody>
          {said.events.map(event => (
            <tr key={`${event.ref} ${String(event.number)}`}>
              <th scope="row">{printable(shortRef(event.ref))}</th>
              <td>{event.commit === null ? trans.__('deleted') : event.commit.slice(0, 8)}</td>
              <td>{new Date(event.seen).toLocaleString()}</td>
              <td>
                {event.scheduled ? <>{trans.__('at its time')}: </> : null}
                {printable(event.run ?? event.reason ?? event.state)}
                <Told {...{ event, trans }} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** What the Git host shows at the commit, where the trigger tells it. */
function Told({
  event,
  trans
}: {
  event: TriggerEvents['events'][number];
  trans: TranslationBundle;
}): JSX.Element | null {
  if (event.told_problem !== null) {
    return <div>{trans.__('The Git host could not be told: %1', printable(event.told_problem))}</div>;
  }
  return event.told === null ? null : <div>{trans.__('The Git host shows: %1', event.told)}</div>;
}
