/** What deployments have held, on their page. */

import { DeploymentHeld } from '../src/page/deploymentheld';
import type { Deployment, DeploymentUsage } from '../src/page/deployments';
import { PageApi } from '../src/page/pageapi';
import { english } from '../src/page/translation';
import { drawn, mountedForEach, openDetails, shown } from './mounted';

const deployment: Deployment = {
  ...{
    tenant: 'nlp',
    name: 'scores',
    reason: '',
    model: 'fraud',
    at: 'prod',
    state: 'READY',
    framework: 'auto'
  },
  ...{ profile: 'mig-1g.10gb', replicas: 2, recreate: false, example: null, by: 'ada' },
  ...{ created_at: '2026-01-01T00:00:00Z', changed_at: '2026-01-01T00:00:00Z' },
  ...{ serving: null, newest: null, back: null }
};
const usage: DeploymentUsage = {
  ...{
    minutes: [],
    asked: 0,
    failed: 0,
    p50: null,
    p95: null,
    as_of: 1767225600,
    currency: 'EUR',
    simulated: false
  },
  held: [
    { release: 7, seconds: 7200, gpu_seconds: 3600, pods: 2, uncertain_seconds: 0, amount: '0.4' },
    { release: 6, seconds: 60, gpu_seconds: 8, pods: 1, uncertain_seconds: 30, amount: null }
  ]
};

mountedForEach();
let api: PageApi;

beforeEach(() => {
  api = new PageApi('/s/', 'ada');
});

async function opened(
  said: DeploymentUsage
): Promise<{ rows: (string | null)[][]; asked: jest.SpyInstance }> {
  const asked = jest.spyOn(api, 'deploymentUsage').mockResolvedValue(said);
  await shown(<DeploymentHeld api={api} deployment={deployment} trans={english} />);
  expect(asked).not.toHaveBeenCalled();
  await openDetails();
  const rows = [...drawn().querySelectorAll('tbody tr')].map(row =>
    [...row.children].map(cell => cell.textContent)
  );
  return { rows, asked };
}

test('what each release has held is asked for when it is opened', async () => {
  const { rows, asked } = await opened(usage);
  expect(asked).toHaveBeenCalledWith('nlp', 'scores');
  expect(drawn().querySelector('summary')?.textContent).toBe('What scores has held');
  expect(rows).toEqual([
    ['7', '2', '2 h 00 min', '1 h', '–', '0.40 EUR'],
    ['6', '1', '1 min', '< 0.01 h', '30 s', 'no price']
  ]);
});

test('one that nothing is known of says so', async () => {
  const { rows } = await opened({ ...usage, held: [] });
  expect(rows).toEqual([]);
  expect(drawn().textContent).toContain('No pod of it is in the ledger yet.');
});
