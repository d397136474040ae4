/** The Models page: the models of a team, and one of them with its versions. */

import type { TranslationBundle } from '@jupyterlab/translation';
import { type JSX, useCallback, useEffect, useState } from 'react';
import { printable } from '../printable';
import { Answered } from './answered';
import { DeploymentsView } from './deploymentsview';
import type { Model } from './models';
import { ModelView } from './modelview';
import type { PageApi } from './pageapi';
import { PageHead, SimulatedNotice, type Site } from './pagehead';
import { modelAddress, modelsAddress, teamAddress } from './place';
import { useAnswer } from './useanswer';

interface ModelsProps {
  readonly site: Site;
  readonly tenant: string;
  readonly api: PageApi;
  readonly trans: TranslationBundle;
}

export function ModelsPage({ site, tenant, api, trans }: ModelsProps): JSX.Element {
  const found = useAnswer(useCallback(() => api.models(tenant), [api, tenant]));
  const title = trans.__('Models of %1', site.tenants[tenant] ?? tenant);
  const [name, setName] = useState(() => new URLSearchParams(location.search).get('model'));
  useEffect(() => {
    document.title = title;
  }, [title]);
  const choose = (model: string) => {
    history.replaceState(null, '', modelAddress(site.prefix, tenant, model));
    setName(model);
  };
  return (
    <>
      <PageHead site={site} here={{ page: 'models', tenant }} trans={trans} />
      <main className="aif-Ledger">
        <h1>{title}</h1>
        <SimulatedNotice shown={site.simulated} trans={trans} />
        <p>
          <a className="aif-Link" href={teamAddress(site.prefix, tenant)}>
            {trans.__('The team')}
          </a>
          {Object.entries(site.tenants)
            .filter(([other]) => other !== tenant)
            .map(([other, called]) => (
              <span key={other}>
                {' · '}
                <a className="aif-Link" href={modelsAddress(site.prefix, other)}>
                  {trans.__('Models of %1', called)}
                </a>
              </span>
            ))}
        </p>
        <Answered answer={found} trans={trans}>
          {({ models }) => <ModelTable {...{ models, choose, trans }} />}
        </Answered>
        <DeploymentsView {...{ api, tenant, trans }} />
        {name === null ? null : (
          <ModelView {...{ api, tenant, name, trans }} key={name} prefix={site.prefix} />
        )}
      </main>
    </>
  );
}

interface TableProps {
  readonly models: readonly Model[];
  readonly choose: (name: string) => void;
  readonly trans: TranslationBundle;
}

function ModelTable({ models, choose, trans }: TableProps): JSX.Element {
  if (models.length === 0) {
    return (
      <p>
        {trans.__(
          'The team has no models yet. In a notebook: job.register("fraud", files="model/"), once a job has succeeded.'
        )}
      </p>
    );
  }
  return (
    <div className="aif-Wide" tabIndex={0} role="group" aria-label={trans.__('Models')}>
      <table className="aif-Table aif-Lines">
        <caption>{trans.__('Models')}</caption>
        <thead>
          <tr>
            <th scope="col">{trans.__('Model')}</th>
            <th scope="col">{trans.__('Versions')}</th>
            <th scope="col">{trans.__('Aliases')}</th>
          </tr>
        </thead>
        <tbody>
          {models.map(model => (
            <tr key={model.name}>
              <th scope="row">
                <button
                  type="button"
                  className="aif-Link"
                  onClick={() => {
                    choose(model.name);
                  }}
                >
                  {printable(model.name)}
                </button>
              </th>
              <td className="aif-Number">{model.versions}</td>
              <td>
                {model.aliases.map(alias => (
                  <span key={alias.name} className="aif-Chip">
                    {`${printable(alias.name)} → ${String(alias.version ?? '–')}`}
                  </span>
                ))}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
