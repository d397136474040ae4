import type { JSX } from 'react';
import type { TranslationBundle } from '@jupyterlab/translation';
import { type Gpu, gpuWords, pieces } from '../src/page/gpuview';
import { PageApi } from '../src/page/pageapi';
import type { Site } from '../src/page/pagehead';
import { Copied, cutWords, type QueueAnswer, QueueView } from '../src/page/queueview';
import { english } from '../src/page/translation';
import { click, drawn, mountedForEach, shown } from './mounted';
import { QUEUE } from './queue';

const trans: TranslationBundle = english;
const SITE: Site = {
  ...{ name: 'Hub', prefix: '/s/', hub: '/hub/', user: 'rene', version: '1.0' },
  ...{ tenants: { nlp: 'Language' }, simulated: true, administrator: true }
};
const GPU: Gpu = {
  ...{ node: 'gpu-1', index: 1, uuid: 'u', model: 'h100-80gb', unknown: null, held: false, uncut: 1 },
  ...{ largest: '3g.40gb', compute: { '1g.10gb': 1, '3g.40gb': 3 }, compute_slices: 7 },
  slices: [
    { slice: '1g.10gb', total: 3, free: 2, stranded: 0 },
    { slice: '3g.40gb', total: 1, free: 1, stranded: 1 }
  ]
};
const WAITER = {
  ...{
    tenant: 'nlp',
    team: 'Language',
    kind: 'job',
    owner: 'j1',
    user: 'kim',
    profile: 'small',
    size: '1/7'
  },
  ...{ devices: [], since: null, cause: 'no-borrowing' as const, why: 'All are held.', lets_go: 'One ends.' }
};
const FULL: QueueAnswer = {
  ...QUEUE,
  not_known: ['vision'],
  waiting: [
    WAITER,
    ...Array.from({ length: 11 }, (_, n) => ({ ...WAITER, tenant: 'other', owner: `k${n}` }))
  ],
  gpus: {
    ...{ known: true, why: null, gpus: [GPU], sizes: [], free: 0.8, stranded: 0.5 },
    ...{ idle: 0, partly: 1, full: 0, unknown: 0 }
  },
  plan: {
    ...{ words: 'Cut anew, 1 idle GPU would have room for 1 more.', candidates: 1, fits_now: 0, left: 0 },
    ...{ left_out: 0, config: 'version: v1\n', commands: ['kubectl cordon gpu-1', 'kubectl uncordon gpu-1'] },
    steps: [
      {
        ...{ node: 'gpu-1', index: 0, uuid: 'v', model: 'h100-80gb', held_beside: 1 },
        ...{ before: { '3g.40gb': 2 }, after: { '1g.10gb': 4, '3g.40gb': 1 } },
        starts: [{ tenant: 'nlp', profile: 'small', count: 1 }]
      }
    ],
    capacities: [
      {
        ...{ resource: 'nvidia.com/mig-3g.40gb', flavor: 'h100-80gb', carved: 2, after: 1 },
        ...{ promised: 2, short: 1, teams: ['nlp', 'vision'] }
      }
    ],
    more_quota: [{ tenant: 'nlp', resource: 'nvidia.com/mig-1g.10gb', flavor: 'h100-80gb', more: 1 }]
  }
};

mountedForEach();

function queue(told: QueueAnswer): JSX.Element {
  const api = new PageApi('/s/', 'rene');
  jest.spyOn(api, 'queue').mockResolvedValue(told);
  return <QueueView site={SITE} api={api} trans={trans} />;
}

test('a GPU is drawn by its slices, held ones first and what is not cut last', () => {
  expect(pieces(GPU).map(piece => [piece.use, piece.wide])).toEqual([
    ['held', 1],
    ['free', 1],
    ['free', 1],
    ['stranded', 3],
    ['uncut', 1]
  ]);
  expect(pieces({ ...GPU, slices: [], held: true })).toEqual([{ name: '', use: 'held', wide: 7 }]);
  expect(gpuWords(GPU, trans)).toBe(
    '1g.10gb: 1 held, 2 free; 3g.40gb: 0 held, 1 free (of no use to what waits)'
  );
  expect(gpuWords({ ...GPU, unknown: 'not heard' }, trans)).toBe('not known: not heard');
  expect(cutWords({}, trans)).toBe('not cut');
});

test('where nothing tells of GPUs the page says so and has no plan', async () => {
  const text = await shown(queue(QUEUE));
  expect(text).toContain('Nothing waits.');
  expect(text).toContain('How the GPUs are cut is not known: telemetry.prometheus is not set.');
  expect(text).not.toContain('Plan');
});

test('who waits, why, and what would let it go, ten at first', async () => {
  const text = await shown(queue(FULL));
  expect(text).toContain('What waits in team vision is not known now');
  expect(text).toContain('All are held. One ends.');
  const rows = () => drawn().querySelectorAll('[aria-label="What waits"] tbody tr');
  expect(rows()).toHaveLength(10);
  expect(rows()[0]?.querySelector('a')?.getAttribute('href')).toBe('/s/jobs/j1');
  expect(rows()[1]?.querySelector('a')).toBeNull();
  await click('Show all 12');
  expect(rows()).toHaveLength(12);
});

test('a plan says what it changes, frees and costs, and nothing that is applied', async () => {
  const text = await shown(queue(FULL));
  expect(text).toContain('AIFactory Hub applies nothing of it.');
  expect(drawn().querySelector('[aria-label="Steps of the plan"] tbody tr')?.textContent).toBe(
    'gpu-1 02 × 3g.40gb4 × 1g.10gb + 1 × 3g.40gb1 × small of nlp1 slice'
  );
  expect(text).toContain('Quotas would no longer be covered: 1 of nlp, vision.');
  expect(text).toContain('Team nlp needs 1 more nvidia.com/mig-1g.10gb in its quota before it starts.');
  expect(drawn().querySelectorAll('pre')[1]?.textContent).toBe(
    'kubectl cordon gpu-1\nkubectl uncordon gpu-1'
  );
});

test('a text is copied, or the page says that it may not', async () => {
  const writeText = jest.fn().mockResolvedValue(undefined);
  Object.defineProperty(navigator, 'clipboard', { value: { writeText }, configurable: true });
  await shown(<Copied title="File" text="a: 1" trans={trans} />);
  await click('Copy');
  expect(writeText).toHaveBeenCalledWith('a: 1');
  expect(drawn().textContent).toContain('Copied.');
  Object.defineProperty(navigator, 'clipboard', { value: undefined, configurable: true });
  await click('Copy');
  expect(drawn().textContent).toContain('select the text');
});
