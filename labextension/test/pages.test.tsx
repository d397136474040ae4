import { inOwnZone, momentIn } from '../src/format';
import type { TranslationBundle } from '@jupyterlab/translation';
import { Offline } from '../src/errors';
import type { AllAdvice, Bills, Budget, Budgets, IdleServers, TeamOverview } from '../src/page/ledger';
import { QUEUE } from './queue';
import { PageApi } from '../src/page/pageapi';
import type { Site } from '../src/page/pagehead';
import { PlatformPage } from '../src/page/platformpage';
import { TeamPage } from '../src/page/teampage';
import type { TeamStates } from '../src/page/teamrequests';
import { english } from '../src/page/translation';
import { click, drawn, mountedForEach, shown } from './mounted';

const trans: TranslationBundle = english;
const SITE: Site = {
  ...{ name: 'Hub', prefix: '/s/', hub: '/hub/', user: 'ada', version: '1.0' },
  ...{ tenants: { nlp: 'Language' }, simulated: false, administrator: false }
};
const TOLD = { as_of: 1_793_527_200, uncertain_seconds: 0, simulated: false, currency: 'EUR' };
const HERE = Intl.DateTimeFormat().resolvedOptions().timeZone;
const SPAN = { start: 0, end: 1, zone: 'UTC' };
const TOTAL = { key: 'total', seconds: 0, gpu_seconds: 0, pods: 0, amount: null, unpriced_seconds: 0 };
const TEAM: TeamOverview = {
  ...{ tenant: 'nlp', display_name: 'Language', role: 'member', as_of: '2026-11-01T10:00:00Z' },
  ...{ known: true, unavailable: null, simulated: false, holding: [], waiting: [] },
  ...{ notice: '', renewable: false }
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

const IDLE: IdleServers = {
  ...{ action: 'dry-run', after: 2700, trouble: null, saved_seconds: 7200 },
  servers: [
    {
      ...{ tenant: 'nlp', user: 'lena', server: '', pod: 'p1', profile: 'small', verdict: 'idle', since: 60 },
      ...{ why: ['Nothing computed.'], notice: null, kept_until: null, keeps: 0, simulated: true }
    }
  ],
  acts: [
    {
      ...{ act: 'would-stop', at: 120, until: null, since: 60, tenant: 'nlp', user: 'lena', server: '' },
      ...{ pod: 'p1', profile: 'small', evidence: ['91 of 91 samples.'], note: '', by: '' }
    }
  ]
};
const ADVICE: AllAdvice = {
  ...{ as_of: 1, currency: 'EUR', month: '48.00', gpu_seconds: 3600 },
  advice: [
    {
      ...{
        tenant: 'nlp',
        user: 'ines',
        kind: 'job',
        instead_of: 'large',
        profile: 'small',
        text: 'small would do.'
      },
      ...{ memory: 6, engine: 0.1, month: '48.00', gpu_seconds: 3600, simulated: false }
    }
  ]
};
const BUDGET: Budget = {
  ...{ name: 'month', per: 'team', user: null, unit: 'gpu_hours', currency: null, period: '2026-11' },
  ...{ start: '2026-11-01T00:00:00Z', resets_at: '2026-12-01T00:00:00Z', limit: '500.00', granted: '0.00' },
  ...{ spent: '440.00', reserved: '20.00', left: '40.00', per_cent: 88, safe: true, known: true },
  steps: [
    { share: 80, action: 'warn', reached: true },
    { share: 100, action: 'hold', reached: false }
  ],
  forecast: { low: '2026-11-22', median: '2026-11-24', high: '2026-11-27', words: 'ends between 22 and 27' },
  words: '440 GPU-hours of 500 GPU-hours used, 20 GPU-hours reserved, resets at 2026-12-01 00:00 UTC'
};
const BUDGETS: Budgets = {
  ...{ tenant: 'nlp', as_of: '2026-11-20T10:00:00Z', known: true, simulated: false, held: 2 },
  budgets: [BUDGET],
  people: [
    { ...BUDGET, name: 'each', per: 'person', user: 'kim', spent: '3.00', limit: '60.00', per_cent: 5 }
  ],
  grants: [
    {
      ...{ id: 1, budget: 'month', user: null, amount: '50.00', until: '2026-12-01T00:00:00Z' },
      ...{ reason: 'a deadline', by: 'rene', at: '2026-11-20T00:00:00Z', counts: true }
    }
  ]
};

const STATES: TeamStates = {
  heard_at: null,
  simulated: false,
  teams: [
    {
      ...{ tenant: 'audio', display_name: 'Audio', asked_for: true, expires: '2027-04-01T00:00:00.000Z' },
      ...{ stage: 'api', in_stage: 200, age: 300, sentence: '', trouble: 'it takes longer than 180 s' },
      ...{ todo: 'look at its pod', version: '0.33.1', follows: '', healed: 2 }
    },
    {
      ...{ tenant: 'nlp', display_name: 'Language', asked_for: false, expires: null },
      ...{ stage: null, in_stage: null, age: null, sentence: '', trouble: '' },
      ...{ todo: '', version: '', follows: '', healed: 0 }
    }
  ]
};

let api: PageApi;
mountedForEach();

beforeEach(() => {
  api = new PageApi('/s/', 'ada');
  const usage = { ...TOLD, ...SPAN, by: 'day' as const, rows: [], total: TOTAL };
  const heat = { ...TOLD, ...SPAN, scope: 'team' as const, cells: [], gpus: [] };
  jest.spyOn(api, 'team').mockResolvedValue(TEAM);
  jest.spyOn(api, 'teamBudgets').mockResolvedValue({ ...BUDGETS, budgets: [], people: null, grants: [] });
  jest.spyOn(api, 'teamUsage').mockResolvedValue({ ...usage, tenant: 'nlp', scope: 'own' });
  jest.spyOn(api, 'teamIdle').mockResolvedValue(IDLE);
  jest.spyOn(api, 'teamAdvice').mockResolvedValue(ADVICE);
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
  jest.spyOn(api, 'queue').mockResolvedValue(QUEUE);
  jest.spyOn(api, 'teamStates').mockResolvedValue(STATES);
  jest.spyOn(api, 'allTeamRequests').mockResolvedValue({ requests: [], simulated: false });
  jest.spyOn(api, 'health').mockResolvedValue({
    status: 'ok',
    database: null,
    simulated: false,
    tenants_file: 'in use',
    version: '1'
  });
  HTMLDialogElement.prototype.showModal = jest.fn();
  HTMLDialogElement.prototype.close = jest.fn();
});

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

test("budgets are said in the service's own words, with what holds and who gave more", async () => {
  expect(await shown(team())).not.toContain('Budgets');
  jest.spyOn(api, 'teamBudgets').mockResolvedValue(BUDGETS);
  await shown(<></>);
  const text = await shown(team());
  expect(text).toContain(inOwnZone(BUDGET.words));
  expect(text).toContain('It ends between 22 and 27.');
  expect(text).toContain('Reached: warn (80 %).');
  expect(text).toContain('Jobs that budgets hold now: 2.');
  expect(text).toContain(
    `Granted: 50.00 more of month until ${momentIn('2026-12-01T00:00:00Z', HERE)}, by rene: a deadline`
  );
  expect(text).toContain('3.00 (5 %)');
  expect(drawn().querySelector('progress')?.getAttribute('value')).toBe('88');
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
  expect(drawn().textContent).toContain('Nothing waits.');
});

test('a member stops their own jobs alone; an admin those of all, and servers at the hub', async () => {
  const server = { ...HELD, kind: 'server', owner: 'kim', name: '' };
  jest
    .spyOn(api, 'team')
    .mockResolvedValue({ ...TEAM, holding: [HELD, { ...HELD, owner: 'j2', user: 'ada' }, server] });
  await shown(team());
  const stops = () =>
    [...drawn().querySelectorAll('[aria-label^="Stop"]')].map(each => each.getAttribute('aria-label'));
  expect(stops()).toEqual(['Stop job j2 of ada']);
  jest.spyOn(api, 'bill').mockRejectedValue(new Offline());
  jest.spyOn(api, 'team').mockResolvedValue({ ...TEAM, role: 'admin', holding: [HELD, server] });
  await shown(<></>);
  await shown(team());
  expect(stops()).toEqual(['Stop job j1 of kim', 'Stop server default of kim at the hub']);
});

test('a server of somebody else waits without a name', async () => {
  const waiting = [
    {
      ...{ kind: 'server', owner: null, name: null, user: null, profile: 'p', size: 's', since: null },
      ...{ why: 'Its notebooks hold all.', lets_go: 'One of them ends.' }
    }
  ];
  jest.spyOn(api, 'team').mockResolvedValue({ ...TEAM, waiting });
  const text = await shown(team());
  expect(text).toContain('somebody of the team');
  expect(text).toContain('Its notebooks hold all. One of them ends.');
});

test('the platform is for administrators', async () => {
  const bills = jest.spyOn(api, 'bills');
  const text = await shown(platform(false));
  expect(text).toContain('You are not allowed to see this page');
  expect(bills).not.toHaveBeenCalled();
});

test('how teams are on the host is said with what to do, and what nobody said is not known', async () => {
  const text = await shown(platform(true));
  expect(text).toContain('No provisioner has told of teams since the job service started.');
  const rows = [...drawn().querySelectorAll('[aria-label="Stages of teams"] tbody tr')].map(
    row => row.textContent
  );
  expect(rows[0]).toContain('Audio (asked for)api for 3 min');
  expect(rows[0]).toContain('it takes longer than 180 s; look at its pod');
  expect(rows[1]).toContain('Language not knownnot known');
});

test('a team that ends says so, and its administrators ask there for more time', async () => {
  const ending = { ...TEAM, notice: 'Team nlp ends.', renewable: true };
  jest.spyOn(api, 'team').mockResolvedValue(ending);
  expect(await shown(team())).toContain('Team nlp ends.');
  expect(drawn().querySelector('[aria-label="New last day"]')).toBeNull();
  jest.spyOn(api, 'bill').mockRejectedValue(new Offline());
  jest.spyOn(api, 'team').mockResolvedValue({ ...ending, role: 'admin' });
  await shown(<></>);
  await shown(team());
  expect(drawn().querySelector('[aria-label="New last day"]')).not.toBeNull();
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
  expect(drawn().textContent).toContain('October 2026 is closed.');
});

test('the team page tells of idle servers, of what was done, and of sizes that would do', async () => {
  const text = await shown(team());
  expect(text).toContain('stops would have saved 2 h');
  expect(text).toContain('Nothing computed.');
  expect(text).toContain('would be stopped');
  expect(text).toContain('48.00 EUR a month less together');
  expect(text).toContain('small would do.');
});
