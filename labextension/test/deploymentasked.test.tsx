/** What deployments were asked, on their page. */

import { act } from 'react';
import { createRoot, type Root } from 'react-dom/client';
import { DeploymentAsked } from '../src/page/deploymentasked';
import { askedInWords, type Deployment, type DeploymentUsage, everySpan } from '../src/page/deployments';
import { PageApi } from '../src/page/pageapi';
import { english } from '../src/page/translation';

const NOW = new Date('2026-01-02T10:07:30Z');
const deployment = { tenant: 'nlp', name: 'scores' } as Deployment;
// What is drawn ends at this browser's own time.
const drawn = new Date(Math.floor((Date.now() - 3_600_000) / 900_000) * 900_000).toISOString();
const minutes = [
  { at: '2026-01-01T10:15:00.000Z', asked: 4, failed: 1, p50: 10, p95: null },
  { at: '2026-01-02T10:00:00.000Z', asked: 8, failed: 0, p50: 5, p95: 25 }
];
const usage: DeploymentUsage = {
  ...{ minutes, asked: 12, failed: 1, p50: 5, p95: 250 },
  ...{ held: [], as_of: 1767225600, currency: 'EUR', simulated: false }
};
const nothing: DeploymentUsage = { ...usage, minutes: [], asked: 0, failed: 0, p50: null, p95: null };

let root: Root;
let box: HTMLElement;
let api: PageApi;

beforeEach(() => {
  (globalThis as unknown as { IS_REACT_ACT_ENVIRONMENT: boolean }).IS_REACT_ACT_ENVIRONMENT = true;
  api = new PageApi('/s/', 'ada');
  box = document.body.appendChild(document.createElement('div'));
  root = createRoot(box);
});

afterEach(async () => {
  jest.restoreAllMocks();
  await act(async () => {
    root.unmount();
    await Promise.resolve();
  });
  box.remove();
});

async function settled(act_: () => void): Promise<void> {
  await act(async () => {
    act_();
    await new Promise(resolve => setTimeout(resolve, 0));
  });
}

async function opened(said: DeploymentUsage): Promise<jest.SpyInstance> {
  const asked = jest.spyOn(api, 'deploymentUsage').mockResolvedValue(said);
  await settled(() => {
    root.render(<DeploymentAsked api={api} deployment={deployment} trans={english} />);
  });
  expect(asked).not.toHaveBeenCalled();
  await settled(() => {
    const details = box.querySelector('details');
    if (details !== null) {
      details.open = true;
      details.dispatchEvent(new Event('toggle'));
    }
  });
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
  const early = { at: new Date(Date.parse(drawn) - 7_200_000).toISOString(), asked: 4, failed: 1 };
  const asked = await opened({
    ...usage,
    minutes: [
      { ...early, p50: 10, p95: null },
      { at: drawn, asked: 8, failed: 0, p50: 5, p95: 25 }
    ]
  });
  expect(asked).toHaveBeenLastCalledWith('nlp', 'scores', 24, 15);
  const drawings = [...box.querySelectorAll('svg')].map(each => each.getAttribute('aria-label'));
  expect(drawings).toEqual([
    'Requests, 8 at most in one bar',
    'How long 95 % of the answers took; the tallest: more than 10 s'
  ]);
  const rows = [...box.querySelectorAll('tbody tr')].map(row =>
    [...row.querySelectorAll('td')].map(cell => cell.textContent)
  );
  expect(rows).toEqual([
    ['4', '1', 'up to 10 ms', 'more than 10 s'],
    ['8', '0', 'up to 5 ms', 'up to 25 ms']
  ]);
  expect(box.querySelectorAll('svg .aif-Bar-failed')).toHaveLength(1);
  await settled(() => {
    const select = box.querySelector('select');
    if (select !== null) {
      select.value = 'week';
      select.dispatchEvent(new Event('change', { bubbles: true }));
    }
  });
  expect(asked).toHaveBeenLastCalledWith('nlp', 'scores', 168, 120);
});

test('a browser whose clock is wrong draws nothing and says the same', async () => {
  await opened(usage);
  expect(box.querySelectorAll('svg')).toHaveLength(0);
  expect(box.textContent).toContain('12 requests, of which 1 failed.');
});

test('where nothing was asked nothing is drawn', async () => {
  await opened(nothing);
  expect(box.querySelectorAll('svg')).toHaveLength(0);
  expect(box.textContent).toContain('Nothing was asked through the service');
});
