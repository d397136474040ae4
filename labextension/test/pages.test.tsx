import { createRoot, type Root } from 'react-dom/client';
import { act, type JSX } from 'react';
import type { TranslationBundle } from '@jupyterlab/translation';
import { Offline } from '../src/errors';
import type { Bills, TeamOverview } from '../src/page/ledger';
import { PageApi } from '../src/page/pageapi';
import type { Site } from '../src/page/pagehead';
import { PlatformPage } from '../src/page/platformpage';
import { TeamPage } from '../src/page/teampage';
import { english } from '../src/page/translation';

const trans: TranslationBundle = english;
const SITE: Site = {
  ...{ name: 'Hub', prefix: '/s/', hub: '/hub/', user: 'ada', version: '1.0' },
  ...{ tenants: { nlp: 'Language' }, simulated: false, administrator: false }
};
const TOLD = { as_of: 1_793_527_200, uncertain_seconds: 0, simulated: false, currency: 'EUR' };
const SPAN = { start: 0, end: 1, zone: 'UTC' };
const TOTAL = { key: 'total', seconds: 0, gpu_seconds: 0, pods: 0, amount: null, unpriced_seconds: 0 };
const TEAM: TeamOverview = {
  ...{ tenant: 'nlp', display_name: 'Language', role: 'member', as_of: '2026-11-01T10:00:00Z' },
  ...{ known: true, unavailable: null, simulated: false, holding: [], waiting: [] }
};
const HELD = {
  ...{ kind: 'job', owner: 'j1', name: 'j1', user: 'kim', profile: 'small', size: '1/7', devices: [] },
  ...{ since: null, ends_by: null }
};
const BILLS: Bills = {
  ...TOLD,
  ...SPAN,
  ...{ month: '2026-10', state: 'closing', closed_at: null, closed_by: null, digest: null },
  ...{ amount: '3.00', bills: [] }
};

let api: PageApi;
let root: Root;
let box: HTMLElement;

beforeEach(() => {
  (globalThis as unknown as { IS_REACT_ACT_ENVIRONMENT: boolean }).IS_REACT_ACT_ENVIRONMENT = true;
  api = new PageApi('/s/', 'ada');
  const usage = { ...TOLD, ...SPAN, by: 'day' as const, rows: [], total: TOTAL };
  const heat = { ...TOLD, ...SPAN, scope: 'team' as const, cells: [], gpus: [] };
  jest.spyOn(api, 'team').mockResolvedValue(TEAM);
  jest.spyOn(api, 'teamUsage').mockResolvedValue({ ...usage, tenant: 'nlp', scope: 'own' });
  jest.spyOn(api, 'teamHeat').mockResolvedValue(heat);
  jest
    .spyOn(api, 'holds')
    .mockResolvedValue({ ...TOLD, ...SPAN, tenant: 'nlp', scope: 'own', holds: [], next: null });
  jest.spyOn(api, 'platformUsage').mockResolvedValue(usage);
  jest.spyOn(api, 'platformHeat').mockResolvedValue(heat);
  jest.spyOn(api, 'bills').mockResolvedValue(BILLS);
  const counts = { servers: 2, jobs: 1, waiting: null };
  const teams = [{ tenant: 'nlp', display_name: 'Language', unavailable: null, ...counts }];
  jest.spyOn(api, 'teams').mockResolvedValue({ simulated: false, teams });
  jest.spyOn(api, 'health').mockResolvedValue({
    status: 'ok',
    database: null,
    simulated: false,
    tenants_file: 'in use',
    version: '1'
  });
  box = document.body.appendChild(document.createElement('div'));
  root = createRoot(box);
  HTMLDialogElement.prototype.showModal = jest.fn();
  HTMLDialogElement.prototype.close = jest.fn();
});

afterEach(async () => {
  await act(async () => {
    root.unmount();
    await Promise.resolve();
  });
  box.remove();
});

async function shown(page: JSX.Element): Promise<string> {
  await act(async () => {
    root.render(page);
    await new Promise(resolve => setTimeout(resolve, 0));
  });
  return box.textContent;
}

async function click(words: string): Promise<void> {
  const button = [...box.querySelectorAll('button')].find(each => each.textContent === words);
  await act(async () => {
    button?.click();
    await new Promise(resolve => setTimeout(resolve, 0));
  });
}

const team = (site: Site = SITE) => <TeamPage site={site} tenant="nlp" api={api} trans={trans} />;
const platform = (administrator: boolean) => (
  <PlatformPage site={{ ...SITE, administrator }} api={api} trans={trans} />
);

test('an empty team says what to do', async () => {
  const text = await shown(team());
  expect(text).toContain('Nobody in the team holds anything now. Start a server');
  expect(text).toContain('Nothing waits.');
  expect(text).toContain('Nothing was held in this month.');
  expect(text).not.toContain('Bill of');
});

test('what is not known is not shown as nothing', async () => {
  jest.spyOn(api, 'team').mockResolvedValue({ ...TEAM, known: false, holding: null, waiting: null });
  const text = await shown(team());
  expect(text).toContain('Not known now');
  expect(text).not.toContain('Nothing waits.');
});

test('a service that does not answer is said in words, with a way to try again', async () => {
  jest.spyOn(api, 'team').mockRejectedValue(new Offline());
  expect(await shown(team())).toContain('The job service does not answer now. What runs is not affected.');
  jest.spyOn(api, 'team').mockResolvedValue(TEAM);
  await click('Try again');
  expect(box.textContent).toContain('Nothing waits.');
});

test('a member stops their own jobs alone; an admin those of all, and servers at the hub', async () => {
  const server = { ...HELD, kind: 'server', owner: 'kim', name: '' };
  jest
    .spyOn(api, 'team')
    .mockResolvedValue({ ...TEAM, holding: [HELD, { ...HELD, owner: 'j2', user: 'ada' }, server] });
  await shown(team());
  const stops = () =>
    [...box.querySelectorAll('[aria-label^="Stop"]')].map(each => each.getAttribute('aria-label'));
  expect(stops()).toEqual(['Stop job j2 of ada']);
  jest.spyOn(api, 'bill').mockRejectedValue(new Offline());
  jest.spyOn(api, 'team').mockResolvedValue({ ...TEAM, role: 'admin', holding: [HELD, server] });
  await shown(<></>);
  await shown(team());
  expect(stops()).toEqual(['Stop job j1 of kim', 'Stop server default of kim at the hub']);
});

test('a server of somebody else waits without a name', async () => {
  const waiting = [
    { kind: 'server', owner: null, name: null, user: null, profile: 'p', size: 's', since: null }
  ];
  jest.spyOn(api, 'team').mockResolvedValue({ ...TEAM, waiting });
  expect(await shown(team())).toContain('somebody of the team');
});

test('the platform is for administrators', async () => {
  const bills = jest.spyOn(api, 'bills');
  const text = await shown(platform(false));
  expect(text).toContain('You are not allowed to see this page');
  expect(bills).not.toHaveBeenCalled();
});

test('a month is closed after a question, and not without', async () => {
  const close = jest.spyOn(api, 'closeMonth').mockResolvedValue({});
  const text = await shown(platform(true));
  expect(text).toContain('The month is over and is closed soon.');
  expect(text).toContain('2 servers, 1 jobnot known0 h');
  await click('Close the month…');
  await click('Leave it open');
  expect(close).not.toHaveBeenCalled();
  await click('Close the month…');
  await click('Close the month');
  expect(close).toHaveBeenCalledWith('2026-10');
  expect(box.textContent).toContain('October 2026 is closed.');
});
