/** The head of each page: its name, and the ways to the others. */

import type { TranslationBundle } from '@jupyterlab/translation';
import type { JSX, MouseEvent } from 'react';
import { type Here, modelsAddress, teamAddress } from './place';

/** What the service says about this page and who looks at it. */
export interface Site {
  /** The product's name at this site. */
  readonly name: string;
  /** Where the page begins, as "/services/aifactory/". */
  readonly prefix: string;
  /** Where the hub's pages begin, as "/hub/". */
  readonly hub: string;
  readonly user: string;
  /** The teams whose jobs this person may see, by name, with how they are called. */
  readonly tenants: Readonly<Record<string, string>>;
  /** Whether the cluster's GPUs are simulated. */
  readonly simulated: boolean;
  /** Whether this person is an administrator of the platform. */
  readonly administrator: boolean;
  /** The service's version. */
  readonly version: string;
}

interface HeadProps {
  readonly site: Site;
  readonly here: Here;
  /** Absent where the list of jobs is another page. */
  readonly toJobs?: (event: MouseEvent) => void;
  readonly trans: TranslationBundle;
}

export function PageHead({ site, here, toJobs, trans }: HeadProps): JSX.Element {
  const models = 'tenant' in here ? here.tenant : Object.keys(site.tenants)[0];
  const current = (is: boolean) => (is ? 'page' : undefined);
  return (
    <header className="aif-Page-head">
      <a className="aif-Page-name" href={`${site.hub}home`}>
        {site.name}
      </a>
      <nav aria-label={trans.__('Hub')}>
        <a href={`${site.hub}home`}>{trans.__('Home')}</a>
        <a href={site.prefix} onClick={toJobs} aria-current={current(here.page === 'jobs')}>
          {trans.__('Jobs')}
        </a>
        {Object.entries(site.tenants).map(([name, title]) => (
          <a
            key={name}
            href={teamAddress(site.prefix, name)}
            aria-current={current(
              (here.page === 'team' || here.page === 'pipelines') && here.tenant === name
            )}
          >
            {trans.__('Team %1', title)}
          </a>
        ))}
        {models === undefined ? null : (
          <a href={modelsAddress(site.prefix, models)} aria-current={current(here.page === 'models')}>
            {trans.__('Models')}
          </a>
        )}
        <a href={`${site.prefix}approvals`} aria-current={current(here.page === 'approvals')}>
          {trans.__('Approvals')}
        </a>
        {site.administrator ? (
          <a href={`${site.prefix}platform`} aria-current={current(here.page === 'platform')}>
            {trans.__('Platform')}
          </a>
        ) : null}
        <a href={`${site.prefix}notifications`} aria-current={current(here.page === 'notifications')}>
          {trans.__('Notifications')}
        </a>
        <span className="aif-Page-user">{site.user}</span>
        <a href={`${site.hub}logout`}>{trans.__('Sign out')}</a>
      </nav>
    </header>
  );
}

/** Said wherever numbers come from devices that are not real. */
export function SimulatedNotice({
  shown,
  trans
}: {
  shown: boolean;
  trans: TranslationBundle;
}): JSX.Element | null {
  return shown ? (
    <p className="aif-Notice" data-kind="simulated">
      {trans.__('The GPUs of this cluster are simulated.')}
    </p>
  ) : null;
}
