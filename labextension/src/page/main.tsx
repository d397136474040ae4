/** The pages outside JupyterLab: they begin here, with what the service wrote into the page. */

import type { JSX } from 'react';
import { createRoot } from 'react-dom/client';
import { ApprovalsPage } from './approvalspage';
import { HubModel } from '../model';
import { ModelsPage } from './modelspage';
import { Page } from './page';
import { PageApi } from './pageapi';
import type { Site } from './pagehead';
import { readHere, readPlace } from './place';
import { PipelinesPage } from './pipelinespage';
import { NotificationsPage } from './notificationspage';
import { PlatformPage } from './platformpage';
import { TeamPage } from './teampage';
import { TeamsPage } from './teamspage';
import { english } from './translation';

/** Milliseconds between requests while something runs. */
const BUSY = 5_000;

/** The theme is the system's; the parts from JupyterLab read it where JupyterLab writes it. */
function followTheme(): void {
  const dark = window.matchMedia('(prefers-color-scheme: dark)');
  const follow = () => {
    document.body.dataset.jpThemeLight = String(!dark.matches);
  };
  dark.addEventListener('change', follow);
  follow();
}

function site(): Site {
  const {
    prefix = '/',
    hub = '/hub/',
    user = '',
    name = '',
    tenants = '{}',
    simulated,
    administrator,
    version = ''
  } = document.body.dataset;
  const called = JSON.parse(tenants) as Record<string, string>;
  return {
    ...{ prefix, hub, user, name, version, tenants: called },
    simulated: simulated === 'True',
    administrator: administrator === 'True'
  };
}

function begin(): void {
  const box = document.getElementById('page');
  if (box === null) {
    return;
  }
  followTheme();
  const here = site();
  const api = new PageApi(here.prefix, here.user);
  createRoot(box).render(page(here, api));
}

function page(here: Site, api: PageApi): JSX.Element {
  const place = readHere(here.prefix, location.pathname);
  if (place.page === 'team') {
    return <TeamPage site={here} tenant={place.tenant} api={api} trans={english} />;
  }
  if (place.page === 'approvals') {
    return <ApprovalsPage site={here} id={place.id} api={api} trans={english} />;
  }
  if (place.page === 'models') {
    return <ModelsPage site={here} tenant={place.tenant} api={api} trans={english} />;
  }
  if (place.page === 'pipelines') {
    return <PipelinesPage site={here} tenant={place.tenant} api={api} trans={english} />;
  }
  if (place.page === 'platform') {
    return <PlatformPage site={here} api={api} trans={english} />;
  }
  if (place.page === 'notifications') {
    return <NotificationsPage site={here} api={api} trans={english} />;
  }
  if (place.page === 'teams') {
    return <TeamsPage site={here} api={api} trans={english} />;
  }
  const model = new HubModel(api, { busyInterval: BUSY });
  void model.setFilter(readPlace(here.prefix, location.pathname, location.search).filter);
  void model.start();
  return <Page site={here} model={model} trans={english} />;
}

begin();
