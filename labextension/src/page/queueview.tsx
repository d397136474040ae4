/** The queue of all teams, the GPUs as they are cut, and a plan to cut idle ones anew. For administrators. */

import type { TranslationBundle } from '@jupyterlab/translation';
import { type JSX, useCallback, useState } from 'react';
import type { components } from '../openapi';
import { clock, duration, since } from '../format';
import { printable } from '../printable';
import { useNow } from '../view';
import { Answered } from './answered';
import { GpuPictures } from './gpuview';
import { kindName } from './ledger';
import type { PageApi } from './pageapi';
import type { Site } from './pagehead';
import { jobAddress } from './place';
import { useAnswer } from './useanswer';

type Schemas = components['schemas'];
export type QueueAnswer = Schemas['QueueAnswer'];
type Waiter = Schemas['WaiterAnswer'];
type Plan = Schemas['PlanAnswer'];
type Step = Schemas['PlanStepAnswer'];

/** Milliseconds between looks. */
const OFTEN = 15_000;
/** Lines that are shown before the rest is asked for. */
const FIRST = 10;

interface QueueProps {
  readonly site: Site;
  readonly api: PageApi;
  readonly trans: TranslationBundle;
}

export function QueueView({ site, api, trans }: QueueProps): JSX.Element {
  const queue = useAnswer(
    useCallback(() => api.queue(), [api]),
    OFTEN
  );
  return (
    <section aria-labelledby="aif-queue">
      <h2 id="aif-queue">{trans.__('Queue')}</h2>
      <Answered answer={queue} trans={trans}>
        {found => (
          <>
            <p className="aif-Quiet">{trans.__('As of %1.', clock(new Date(found.as_of)))}</p>
            {found.not_known.map(team => (
              <p key={team} className="aif-Notice" data-kind="trouble">
                {trans.__(
                  'What waits in team %1 is not known now: the cluster did not answer in time.',
                  site.tenants[team] ?? team
                )}
              </p>
            ))}
            <Waiting {...{ found, site, trans }} />
            {found.gpus === null ? null : (
              <>
                <h3>{trans.__('GPUs')}</h3>
                <GpuPictures gpus={found.gpus} trans={trans} />
              </>
            )}
            {found.plan === null ? null : (
              <>
                <h3>{trans.__('Plan to cut idle GPUs anew')}</h3>
                <PlanView plan={found.plan} trans={trans} />
              </>
            )}
          </>
        )}
      </Answered>
    </section>
  );
}

interface WaitingProps {
  readonly found: QueueAnswer;
  readonly site: Site;
  readonly trans: TranslationBundle;
}

/** Who waits, the longest first. */
function Waiting({ found, site, trans }: WaitingProps): JSX.Element {
  const [all, setAll] = useState(false);
  const now = useNow(10_000);
  if (found.waiting.length === 0) {
    return <p>{trans.__('Nothing waits.')}</p>;
  }
  const shown = all ? found.waiting : found.waiting.slice(0, FIRST);
  return (
    <>
      <div className="aif-Wide" role="region" aria-label={trans.__('What waits')} tabIndex={0}>
        <table className="aif-Table aif-Lines aif-Queue">
          <thead>
            <tr>
              <th scope="col">{trans.__('Waits for')}</th>
              <th scope="col">{trans.__('Team')}</th>
              <th scope="col">{trans.__('Who')}</th>
              <th scope="col">{trans.__('What')}</th>
              <th scope="col">{trans.__('Size')}</th>
              <th scope="col">{trans.__('Why, and what would let it go')}</th>
            </tr>
          </thead>
          <tbody>
            {shown.map((each, index) => (
              <tr key={`${each.tenant} ${each.kind} ${each.owner ?? index}`}>
                <td className="aif-Number">{ageWords(each, now, trans)}</td>
                <td>{each.team}</td>
                <td>{each.user === null ? trans.__('not shown') : printable(each.user)}</td>
                <td>
                  <What waiter={each} {...{ site, trans }} />
                </td>
                <td>{each.size}</td>
                <td>
                  {printable(each.why)}{' '}
                  <span className="aif-Quiet aif-Lets-go">{printable(each.lets_go)}</span>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {all || found.waiting.length <= FIRST ? null : (
        <p>
          <button
            type="button"
            className="aif-Link"
            onClick={() => {
              setAll(true);
            }}
          >
            {trans.__('Show all %1', found.waiting.length)}
          </button>
        </p>
      )}
      {found.left_off === 0 ? null : <p className="aif-Quiet">{trans.__('%1 more wait.', found.left_off)}</p>}
    </>
  );
}

function What({ waiter, site, trans }: Omit<WaitingProps, 'found'> & { waiter: Waiter }): JSX.Element {
  const name = kindName(waiter.kind, trans);
  if (waiter.kind !== 'job' || waiter.owner === null) {
    return <>{name}</>;
  }
  // A job's page is for its team's people.
  const mine = site.tenants[waiter.tenant] !== undefined;
  return (
    <>
      {name}{' '}
      {mine ? (
        <a className="aif-Link" href={jobAddress(site.prefix, waiter.owner)}>
          {waiter.owner}
        </a>
      ) : (
        waiter.owner
      )}
    </>
  );
}

function ageWords(waiter: Waiter, now: Date, trans: TranslationBundle): string {
  const seconds = since(waiter.since, now);
  return seconds === null ? trans.__('not known') : duration(seconds);
}

/** "2 x 3g.40gb + 1 x 1g.10gb" */
export function cutWords(cut: Readonly<Record<string, number>>, trans: TranslationBundle): string {
  const parts = Object.entries(cut).map(([name, count]) => `${count} × ${name}`);
  return parts.length === 0 ? trans.__('not cut') : parts.join(' + ');
}

/** What a person may apply, with what it frees and costs. */
export function PlanView({ plan, trans }: { plan: Plan; trans: TranslationBundle }): JSX.Element {
  return (
    <>
      <p>{plan.words}</p>
      {plan.left_out === 0 ? null : (
        <p className="aif-Quiet">
          {trans.__('%1 that have waited the shortest are not planned for.', plan.left_out)}
        </p>
      )}
      {plan.steps.length === 0 ? null : (
        <>
          <p className="aif-Quiet">
            {trans.__(
              'AIFactory Hub applies nothing of it. Changing how a node is cut can end the GPU pods on it: let what is held there end first.'
            )}
          </p>
          <Steps steps={plan.steps} trans={trans} />
          <Costs plan={plan} trans={trans} />
          <Copied title={trans.__('For nvidia-mig-parted')} text={plan.config} trans={trans} />
          <Copied title={trans.__('What a person types')} text={plan.commands.join('\n')} trans={trans} />
        </>
      )}
    </>
  );
}

function Steps({ steps, trans }: { steps: readonly Step[]; trans: TranslationBundle }): JSX.Element {
  return (
    <div className="aif-Wide" role="region" aria-label={trans.__('Steps of the plan')} tabIndex={0}>
      <table className="aif-Table aif-Lines">
        <thead>
          <tr>
            <th scope="col">{trans.__('GPU')}</th>
            <th scope="col">{trans.__('Cut now')}</th>
            <th scope="col">{trans.__('Cut then')}</th>
            <th scope="col">{trans.__('Room for')}</th>
            <th scope="col">{trans.__('Held on its node')}</th>
          </tr>
        </thead>
        <tbody>
          {steps.map(step => (
            <tr key={step.uuid}>
              <th scope="row">
                {printable(step.node)} {step.index}
              </th>
              <td>{cutWords(step.before, trans)}</td>
              <td>{cutWords(step.after, trans)}</td>
              <td>
                {step.starts
                  .map(each => trans.__('%1 × %2 of %3', each.count, each.profile, each.tenant))
                  .join(', ')}
              </td>
              <td className="aif-Number">
                {step.held_beside === 0
                  ? trans.__('nothing')
                  : trans._n('%1 slice', '%1 slices', step.held_beside, step.held_beside)}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** What tenants.yaml has to say then, and who is short of what. */
function Costs({ plan, trans }: { plan: Plan; trans: TranslationBundle }): JSX.Element {
  return (
    <ul>
      {plan.capacities.map(each => (
        <li key={`${each.flavor} ${each.resource}`}>
          {trans.__('%1 (%2): %3 carved now, %4 then.', each.resource, each.flavor, each.carved, each.after)}{' '}
          {each.short === 0 ? null : (
            <strong>
              {trans.__('Quotas would no longer be covered: %1 of %2.', each.short, each.teams.join(', '))}
            </strong>
          )}
        </li>
      ))}
      {plan.more_quota === null ? (
        <li>{trans.__('Which teams need more quota is not known now.')}</li>
      ) : (
        plan.more_quota.map(each => (
          <li key={`${each.tenant} ${each.resource} ${each.flavor}`}>
            {trans.__(
              'Team %1 needs %2 more %3 in its quota before it starts.',
              each.tenant,
              each.more,
              each.resource
            )}
          </li>
        ))
      )}
    </ul>
  );
}

interface CopiedProps {
  readonly title: string;
  readonly text: string;
  readonly trans: TranslationBundle;
}

/** A text with a button that copies it. */
export function Copied({ title, text, trans }: CopiedProps): JSX.Element {
  const [said, setSaid] = useState('');
  const copy = () => {
    // Without https a page may not use the clipboard: then there is none.
    const clipboard = navigator.clipboard as Clipboard | undefined;
    if (clipboard === undefined) {
      setSaid(trans.__('The browser does not let this page copy: select the text.'));
      return;
    }
    clipboard.writeText(text).then(
      () => {
        setSaid(trans.__('Copied.'));
      },
      () => {
        setSaid(trans.__('The browser does not let this page copy: select the text.'));
      }
    );
  };
  return (
    <>
      <h4>{title}</h4>
      <pre className="aif-Copied" tabIndex={0} aria-label={title}>
        {text.split('\n').map(printable).join('\n')}
      </pre>
      <p>
        <button
          type="button"
          className="jp-mod-styled"
          onClick={copy}
          aria-label={trans.__('Copy %1', title)}
        >
          {trans.__('Copy')}
        </button>{' '}
        <span role="status">{said}</span>
      </p>
    </>
  );
}
