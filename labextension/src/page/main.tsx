/** The Jobs page outside JupyterLab: begins here, with what the service wrote into the page. */

import { createRoot } from 'react-dom/client';
import { HubModel } from '../model';
import { Page, type Site } from './page';
import { PageApi } from './pageapi';
import { readPlace } from './place';
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
    simulated
  } = document.body.dataset;
  const called = JSON.parse(tenants) as Record<string, string>;
  return { prefix, hub, user, name, tenants: called, simulated: simulated === 'True' };
}

function begin(): void {
  const box = document.getElementById('page');
  if (box === null) {
    return;
  }
  followTheme();
  const here = site();
  const model = new HubModel(new PageApi(here.prefix, here.user), { busyInterval: BUSY });
  void model.setFilter(readPlace(here.prefix, location.pathname, location.search).filter);
  void model.start();
  createRoot(box).render(<Page site={here} model={model} trans={english} />);
}

begin();
