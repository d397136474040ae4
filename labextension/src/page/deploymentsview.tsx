/** The deployments of a team: what answers, with which release, and the way back. */

import type { TranslationBundle } from '@jupyterlab/translation';
import { type JSX, useCallback, useState } from 'react';
import { inOwnZone, momentIn } from '../format';
import { printable } from '../printable';
import { Answered, words } from './answered';
import { DeploymentAsked } from './deploymentasked';
import { DeploymentHeld } from './deploymentheld';
import { askedWords, deployedWords, type Deployment, servesWords } from './deployments';
import type { PageApi } from './pageapi';
import { type Question, QuestionBox } from './question';
import { useAnswer } from './useanswer';

/** Characters of a reason; the service takes no more. */
const LONGEST_REASON = 1000;
const ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone;

interface DeploymentsProps {
  readonly api: PageApi;
  readonly tenant: string;
  readonly trans: TranslationBundle;
}

/** Nothing at all where the site deploys nothing and never did. */
export function DeploymentsView({ api, tenant, trans }: DeploymentsProps): JSX.Element {
  const found = useAnswer(useCallback(() => api.deployments(tenant), [api, tenant]));
  const [question, setQuestion] = useState<Question | null>(null);
  const [said, setSaid] = useState<string | null>(null);
  const tell = (waiting: string, call: Promise<string>) => {
    setSaid(waiting);
    call
      .then(setSaid, (error: unknown) => {
        setSaid(words(error, trans));
      })
      .finally(found.again);
  };
  const stop = ({ name }: Deployment) => {
    setQuestion({
      words: trans.__('Stop %1?', name),
      more: trans.__(
        'Nothing answers under the name any more. Its history stays, and it can be deployed again.'
      ),
      yes: trans.__('Stop'),
      no: trans.__('Leave it'),
      answer: yes => {
        setQuestion(null);
        if (yes) {
          const call = api.stopDeployment(tenant, name);
          tell(
            trans.__('Stopping %1…', name),
            call.then(() => trans.__('%1 is stopped.', name))
          );
        }
      }
    });
  };
  const goBack = (deployment: Deployment, release: number) => {
    setQuestion({
      words: trans.__('Roll back %1 to release %2?', deployment.name, String(release)),
      more: trans.__(
        'Its alias goes back with it, and stays frozen until somebody thaws it. A reason is wanted.'
      ),
      yes: trans.__('Roll back'),
      no: trans.__('Leave it'),
      word: { label: trans.__('Why'), longest: LONGEST_REASON },
      answer: (yes, reason) => {
        setQuestion(null);
        if (yes) {
          const call = api.rollBackDeployment(tenant, deployment.name, release, reason);
          tell(
            trans.__('Looking at every byte…'),
            call.then(answer => deployedWords(deployment.name, answer, trans))
          );
        }
      }
    });
  };
  return (
    <Answered answer={found} trans={trans}>
      {({ deployments, enabled }) =>
        deployments.length === 0 && !enabled ? (
          <></>
        ) : (
          <section aria-labelledby="aif-deployments">
            <h2 id="aif-deployments">{trans.__('Deployments')}</h2>
            <p role="status" className="aif-Quiet">
              {said}
            </p>
            <DeploymentTable {...{ deployments, goBack, stop, trans }} />
            {deployments.map(each => (
              <DeploymentAsked key={each.name} deployment={each} {...{ api, trans }} />
            ))}
            {deployments.map(each => (
              <DeploymentHeld key={each.name} deployment={each} {...{ api, trans }} />
            ))}
            {question === null ? null : <QuestionBox {...question} />}
          </section>
        )
      }
    </Answered>
  );
}

interface TableProps {
  readonly deployments: readonly Deployment[];
  readonly goBack: (deployment: Deployment, release: number) => void;
  readonly stop: (deployment: Deployment) => void;
  readonly trans: TranslationBundle;
}

function DeploymentTable({ deployments, goBack, stop, trans }: TableProps): JSX.Element {
  if (deployments.length === 0) {
    return (
      <p>
        {trans.__(
          'Nothing answers yet. In a notebook: deploy("fraud@prod", profile="cpu-small"), once an alias leads to a version.'
        )}
      </p>
    );
  }
  return (
    <div className="aif-Wide" tabIndex={0} role="group" aria-label={trans.__('Deployments')}>
      <table className="aif-Table aif-Lines">
        <caption>{trans.__('Deployments')}</caption>
        <thead>
          <tr>
            <th scope="col">{trans.__('Name')}</th>
            <th scope="col">{trans.__('State')}</th>
            <th scope="col">{trans.__('Answers with')}</th>
            <th scope="col">{trans.__('Since')}</th>
            <th scope="col">{trans.__('Asked for')}</th>
            <th scope="col">{trans.__('Do')}</th>
          </tr>
        </thead>
        <tbody>
          {deployments.map(each => (
            <tr key={each.name}>
              <th scope="row">{printable(each.name)}</th>
              <td>
                <span className="aif-Chip">{each.state}</span> {inOwnZone(printable(each.reason))}
              </td>
              <td>{servesWords(each, trans)}</td>
              <td>{each.serving?.serving_at ? momentIn(each.serving.serving_at, ZONE) : '–'}</td>
              <td>{askedWords(each, trans)}</td>
              <td>
                <BackButton deployment={each} {...{ goBack, trans }} />{' '}
                <StopButton deployment={each} {...{ stop, trans }} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

interface BackProps {
  readonly deployment: Deployment;
  readonly goBack: (deployment: Deployment, release: number) => void;
  readonly trans: TranslationBundle;
}

function BackButton({ deployment, goBack, trans }: BackProps): JSX.Element {
  const { back } = deployment;
  if (back === null) {
    return <>{trans.__('nothing to go back to')}</>;
  }
  return (
    <button
      type="button"
      className="jp-mod-styled"
      aria-label={trans.__('Roll back %1 to release %2', deployment.name, String(back))}
      onClick={() => {
        goBack(deployment, back);
      }}
    >
      {trans.__('Roll back…')}
    </button>
  );
}

interface StopProps {
  readonly deployment: Deployment;
  readonly stop: (deployment: Deployment) => void;
  readonly trans: TranslationBundle;
}

function StopButton({ deployment, stop, trans }: StopProps): JSX.Element | null {
  if (deployment.state === 'STOPPED') {
    return null;
  }
  return (
    <button
      type="button"
      className="jp-mod-styled"
      aria-label={trans.__('Stop %1', deployment.name)}
      onClick={() => {
        stop(deployment);
      }}
    >
      {trans.__('Stop…')}
    </button>
  );
}
