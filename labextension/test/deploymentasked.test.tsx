/** What deployments were asked, on their page. */

import { DeploymentAsked } from '../src/page/deploymentasked';
import { askedInWords, type Deployment, type DeploymentUsage, everySpan } from '../src/page/deployments';
import { PageApi } from '../src/page/pageapi';
import { english } from '../src/page/translation';
import { drawn, mountedForEach, openDetails, settled, shown } from './mounted';

const NOW = new Date('2026-01-02T10:07:30Z');
const deployment = { tenant: 'nlp', name: 'scores' } as Deployment;
// What is drawn ends at this browser's own time.
const recent = new Date(Math.floor((Date.now() - 3_600_000) / 900_000) * 900_000).toISOString();
const minutes = [
  { at: '2026-01-01T10:15:00.000Z', asked: 4, failed: 1, p50: 10, p95: null },
  { at: '2026-01-02T10:00:00.000Z', asked: 8, failed: 0, p50: 5, p95: 25 }
];
const usage: DeploymentUsage = {
  ...{ minutes, asked: 12, failed: 1, p50: 5, p95: 250 },
  ...{ held: [], as_of: 1767225600, currency: 'EUR', simulated: false }
};
const nothing: DeploymentUsage = { ...usage, minutes: [], asked: 0, failed: 0, p50: null, p95: null };

mountedForEach();
let api: PageApi;

beforeEach(() => {
  api = new PageApi('/s/', 'ada');
});

afterEach(() => {
  jest.restoreAllMocks();
});

async function opened(said: DeploymentUsage): Promise<jest.SpyInstance> {
  const asked = jest.spyOn(api, 'deploymentUsage').mockResolvedValue(said);
  await shown(<DeploymentAsked api={api} deployment={deployment} trans={english} />);
  expect(asked).not.toHaveBeenCalled();
  await openDetails();
  return asked;
}

test('a range has a span for each bar, those without requests among them', () => {
  const spans = everySpan(minutes, 'day', NOW);
  expect(spans).toHaveLength(97);
  expect(spans[96]).toEqual({ at: new Date(minutes[1]?.at ?? ''), asked: 8, failed: 0, p50: 5, p95: 25 });
  expect(spans[1]?.asked).toBe(4);
  expect(spans.filter(each => each.asked === 0)).toHaveLength(95);
  expect(everySpan([], 'hour', NOW)).toHaveLength(61);
  expect(everySpan([], 'week', NOW)).toHaveLength(85);
});

test('all of it is one sentence, and nothing is not a number', () => {
  expect(askedInWords(usage, english)).toContain(
    '12 requests, of which 1 failed. Half of the answers took up to 5 ms, 95 % of them up to 250 ms.'
  );
  expect(askedInWords(nothing, english)).toContain('Nothing was asked through the service in this time.');
});

test('requests and times are drawn and can be read as a table; another range is asked for', async () => {
  const early = { at: new Date(Date.parse(recent) - 7_200_000).toISOString(), asked: 4, failed: 1 };
  const asked = await opened({
    ...usage,
    minutes: [
      { ...early, p50: 10, p95: null },
      { at: recent, asked: 8, failed: 0, p50: 5, p95: 25 }
    ]
  });
  expect(asked).toHaveBeenLastCalledWith('nlp', 'scores', 24, 15);
  const drawings = [...drawn().querySelectorAll('svg')].map(each => each.getAttribute('aria-label'));
  expect(drawings).toEqual([
    'Requests, 8 at most in one bar',
    'How long 95 % of the answers took; the tallest: more than 10 s'
  ]);
  const rows = [...drawn().querySelectorAll('tbody tr')].map(row =>
    [...row.querySelectorAll('td')].map(cell => cell.textContent)
  );
  expect(rows).toEqual([
    ['4', '1', 'up to 10 ms', 'more than 10 s'],
    ['8', '0', 'up to 5 ms', 'up to 25 ms']
  ]);
  expect(drawn().querySelectorAll('svg .aif-Bar-failed')).toHaveLength(1);
  await settled(() => {
    const select = drawn().querySelector('select');
    if (select !== null) {
      select.value = 'week';
      select.dispatchEvent(new Event('change', { bubbles: true }));
    }
  });
  expect(asked).toHaveBeenLastCalledWith('nlp', 'scores', 168, 120);
});

test('a browser whose clock is wrong draws nothing and says the same', async () => {
  await opened(usage);
  expect(drawn().querySelectorAll('svg')).toHaveLength(0);
  expect(drawn().textContent).toContain('12 requests, of which 1 failed.');
});

test('where nothing was asked nothing is drawn', async () => {
  await opened(nothing);
  expect(drawn().querySelectorAll('svg')).toHaveLength(0);
  expect(drawn().textContent).toContain('Nothing was asked through the service');
});
