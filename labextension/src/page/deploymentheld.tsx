/** What the releases of a deployment have held, and what that has cost; asked for when somebody opens it. */

import type { TranslationBundle } from '@jupyterlab/translation';
import { type JSX, useCallback } from 'react';
import { duration } from '../format';
import { printable } from '../printable';
import { Answered } from './answered';
import type { Deployment, DeploymentUsage } from './deployments';
import { amount, hours, moment } from './ledger';
import { OpenedDetails } from './openeddetails';
import type { PageApi } from './pageapi';
import { useAnswer } from './useanswer';

interface HeldProps {
  readonly api: PageApi;
  readonly deployment: Deployment;
  readonly trans: TranslationBundle;
}

export function DeploymentHeld({ api, deployment, trans }: HeldProps): JSX.Element {
  return (
    <OpenedDetails summary={trans.__('What %1 has held', printable(deployment.name))}>
      {() => <Held {...{ api, deployment, trans }} />}
    </OpenedDetails>
  );
}

function Held({ api, deployment, trans }: HeldProps): JSX.Element {
  const { tenant, name } = deployment;
  const found = useAnswer(useCallback(() => api.deploymentUsage(tenant, name), [api, tenant, name]));
  return (
    <Answered answer={found} trans={trans}>
      {said => <Releases {...{ said, name, trans }} />}
    </Answered>
  );
}

interface ReleasesProps {
  readonly said: DeploymentUsage;
  readonly name: string;
  readonly trans: TranslationBundle;
}

function Releases({ said, name, trans }: ReleasesProps): JSX.Element {
  if (said.held.length === 0) {
    return <p>{trans.__('No pod of it is in the ledger yet.')}</p>;
  }
  const title = trans.__('What the releases of %1 have held', name);
  return (
    <>
      <div className="aif-Wide" tabIndex={0} role="group" aria-label={title}>
        <table className="aif-Table aif-Lines">
          <caption>{title}</caption>
          <thead>
            <tr>
              <th scope="col">{trans.__('Release')}</th>
              <th scope="col">{trans.__('Pods')}</th>
              <th scope="col">{trans.__('Time')}</th>
              <th scope="col">{trans.__('GPU time')}</th>
              <th scope="col">{trans.__('Uncertain')}</th>
              <th scope="col">{trans.__('Cost')}</th>
            </tr>
          </thead>
          <tbody>
            {said.held.map(each => (
              <tr key={each.release}>
                <th scope="row">{each.release}</th>
                <td>{each.pods}</td>
                <td>{duration(each.seconds)}</td>
                <td>{hours(each.gpu_seconds)}</td>
                <td>{each.uncertain_seconds === 0 ? '–' : duration(each.uncertain_seconds)}</td>
                <td>{amount(each.amount, said.currency, trans)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <p className="aif-Quiet">{trans.__('Up to %1.', moment(said.as_of))}</p>
    </>
  );
}
