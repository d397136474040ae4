import { createRoot, type Root } from 'react-dom/client';
import { act } from 'react';
import { PageApi } from '../src/page/pageapi';
import type { Site } from '../src/page/pagehead';
import { causeWords, drawing, type PipelineRun, type PipelineStep } from '../src/page/pipelines';
import { PipelinesPage } from '../src/page/pipelinespage';
import { readHere } from '../src/page/place';
import { english } from '../src/page/translation';

const SITE: Site = {
  ...{ name: 'Hub', prefix: '/s/', hub: '/hub/', user: 'ada', version: '1.0' },
  ...{ tenants: { nlp: 'Language' }, simulated: false, administrator: false }
};

function step(key: string, needs: string[], more: Partial<PipelineStep> = {}): PipelineStep {
  return {
    ...{ key, step: key.split('.')[0] ?? '', needs, when: [], work: 'true', values: {}, metrics: {} },
    ...{ state: 'PENDING', reason: null, job: null, job_state: null, taken_from: null, result: null },
    ...{ started: null, finished: null, cached: false, cache_reason: null, data: [] },
    ...more
  };
}

const RUN: PipelineRun = {
  ...{ id: 'p1', tenant: 'nlp', owner: 'ada', name: 'fraud', state: 'STOPPED', retry_of: null, cache: true },
  ...{ reason: 'test: train.accuracy is 0.4, and >= 0.9 was asked', cancel_asked: false, simulated: false },
  ...{ created: '2026-11-01T10:00:00Z', finished: '2026-11-01T10:05:00Z' },
  cause: {
    ...{ kind: 'push', by: 'ann', trigger: 't1', repository: 'https://git.example.org/a', forced: true },
    ...{ ref: 'refs/heads/main', commit: '3f2a1c80aaaa', before: null }
  },
  steps: [
    step('prepare', [], { state: 'SUCCEEDED', job: 'j1', job_state: 'SUCCEEDED' }),
    step('train.1', ['prepare'], {
      state: 'SUCCEEDED',
      job: 'j2',
      metrics: { accuracy: 0.4 },
      values: { SEED: 1 }
    }),
    step('train.2', ['prepare'], { state: 'FAILED', job: 'j3', reason: 'exit code 1' }),
    step('test', ['train'], { state: 'SKIPPED', reason: 'it needs train' }),
    step('release', ['prepare'], {
      ...{ state: 'SUCCEEDED', work: 'promote to prod', reason: 'fraud@prod leads to version 3' },
      result: { model: 'fraud', version: 3, alias: 'prod', deployment: 'scores' }
    })
  ]
};

let api: PageApi;
let root: Root;
let box: HTMLElement;

beforeEach(() => {
  (globalThis as unknown as { IS_REACT_ACT_ENVIRONMENT: boolean }).IS_REACT_ACT_ENVIRONMENT = true;
  api = new PageApi('/s/', 'ada');
  jest.spyOn(api, 'pipelineRuns').mockResolvedValue({ runs: [RUN], next: null });
  jest.spyOn(api, 'triggers').mockResolvedValue({ triggers: [] });
  box = document.body.appendChild(document.createElement('div'));
  root = createRoot(box);
});

afterEach(async () => {
  await act(async () => {
    root.unmount();
    await Promise.resolve();
  });
  box.remove();
});

async function shown(): Promise<string> {
  await act(async () => {
    root.render(<PipelinesPage site={SITE} tenant="nlp" api={api} trans={english} />);
    await new Promise(resolve => setTimeout(resolve, 0));
  });
  return box.textContent;
}

test('a run says its state, what started it, and each step with its job', async () => {
  const text = await shown();
  expect(document.title).toBe('Pipelines of Language');
  for (const words of [
    'fraud',
    'STOPPED',
    'push to main, 3f2a1c80 by ann, history was rewritten',
    'train.accuracy is 0.4',
    'SEED 1, accuracy 0.4',
    'exit code 1'
  ]) {
    expect(text).toContain(words);
  }
  expect([...box.querySelectorAll('table a')].map(link => link.getAttribute('href'))).toEqual([
    '/s/jobs/j1',
    '/s/jobs/j2',
    '/s/jobs/j3',
    '/s/models/nlp?model=fraud'
  ]);
  expect(text).toContain('fraud@prod 3');
});

test('a step that took an earlier result leads to the run that has it', async () => {
  const { steps } = RUN;
  const took = { state: 'SUCCEEDED' as const, taken_from: 'p0', metrics: { rows: 3 } };
  const why = 'nothing that decides it has changed';
  const cached = step('a', [], { ...took, cached: true, cache_reason: why });
  const ran = step('c', [], { state: 'SUCCEEDED', cache_reason: 'src/train.py changed since run p0' });
  const run = { ...RUN, steps: [cached, step('b', [], took), ran, ...steps] };
  jest.spyOn(api, 'pipelineRuns').mockResolvedValue({ runs: [run], next: null });
  const text = await shown();
  expect(text).toContain(`taken from run p0 rows 3; ${why}`);
  expect(text).toContain('src/train.py changed since run p0');
  expect(text).toContain('taken over from run p0 rows 3');
  expect(box.querySelector('td a')?.getAttribute('href')).toBe('#p0');
  expect(box.querySelector('#p1')).not.toBeNull();
});

test('a run is compared with an earlier one', async () => {
  const older = { ...RUN, id: 'p0' };
  jest.spyOn(api, 'pipelineRuns').mockResolvedValue({ runs: [RUN, older], next: null });
  const run = {
    ...{ name: 'fraud', owner: 'ada', state: 'SUCCEEDED' as const, created: RUN.created },
    currency: 'EUR'
  };
  const side = {
    ...{ state: 'SUCCEEDED' as const, reason: null, job: 'j1', taken_from: null, cached: false },
    ...{ seconds: 125, running: 100, cost: '0.4' }
  };
  const compare = jest.spyOn(api, 'comparePipelines').mockResolvedValue({
    before: { ...run, id: 'p0', seconds: 130, cost: '0.4' },
    after: { ...run, id: 'p1', seconds: 3, cost: null },
    changes: [{ what: 'commit', before: 'aaa', after: 'bbb', hidden: false }],
    steps: [
      {
        ...{ key: 'train', before: side, after: { ...side, taken_from: 'p0', cost: '0', cached: true } },
        metrics: [{ name: 'accuracy', before: 0.4, after: 0.9, difference: 0.5 }],
        changes: [{ what: 'variable SEED', before: null, after: null, hidden: true }]
      },
      {
        ...{ key: 'test', before: null, after: { ...side, job: null, cost: null } },
        metrics: [],
        changes: []
      }
    ],
    simulated: false
  });
  await shown();
  const choices = [...box.querySelectorAll('select')].filter(each => each.innerHTML.includes('no other run'));
  expect(choices).toHaveLength(1);
  await act(async () => {
    const [choice] = choices;
    if (choice !== undefined) {
      choice.value = 'p0';
      choice.dispatchEvent(new Event('change', { bubbles: true }));
    }
    await new Promise(resolve => setTimeout(resolve, 0));
  });
  expect(compare).toHaveBeenCalledWith('p1', 'p0');
  const section = box.querySelector('section[aria-label="Runs p0 and p1"]');
  const cells = [...(section?.querySelectorAll('tbody tr') ?? [])].map(row =>
    [...row.children].map(cell => cell.textContent)
  );
  expect(cells).toEqual([
    ['The whole run', 'SUCCEEDED, 2 min, 0.40 EUR', 'SUCCEEDED, 3 s, no price', ''],
    ['train', 'SUCCEEDED, 2 min, 0.40 EUR', 'SUCCEEDED, taken from run p0', ''],
    ['train.accuracy', '0.4', '0.9', '+0.5'],
    ['test', 'not there', 'SUCCEEDED, 2 min', ''],
    ['the run', 'commit', 'aaa', 'bbb'],
    ['train', 'variable SEED', 'it has another value, which is not shown']
  ]);
});

test('it is run again from a step', async () => {
  const retry = jest.spyOn(api, 'retryPipeline').mockResolvedValue({});
  await shown();
  const button = [...box.querySelectorAll('button')].find(each => each.textContent === 'Run again');
  await act(async () => {
    button?.click();
    await new Promise(resolve => setTimeout(resolve, 0));
  });
  expect(retry).toHaveBeenCalledWith('p1', null);
  expect(box.textContent).toContain('A new run was started.');
});

test("another person's run has no button", async () => {
  jest.spyOn(api, 'pipelineRuns').mockResolvedValue({ runs: [{ ...RUN, owner: 'kim' }], next: null });
  await shown();
  expect(box.querySelector('button')).toBeNull();
});

test('what starts nothing says why', async () => {
  jest.spyOn(api, 'triggerEvents').mockResolvedValue({
    deliveries: [],
    events: [
      {
        ...{
          ref: 'refs/heads/docs',
          number: 2,
          before: 'a',
          commit: 'b'.repeat(40),
          seen: '2026-11-01T10:00:00Z'
        },
        ...{
          state: 'SKIPPED',
          reason: 'none of the 1 changed files fits',
          run: null,
          by: null,
          forced: null
        },
        ...{ scheduled: false, told: null, told_problem: null }
      },
      {
        ...{ ref: 'refs/heads/main', number: 3, before: 'a', commit: 'c'.repeat(40) },
        ...{
          seen: '2026-11-01T11:00:00Z',
          state: 'STARTED',
          reason: null,
          run: 'p7',
          by: null,
          forced: null
        },
        ...{ scheduled: true, told: 'success', told_problem: null }
      },
      {
        ...{ ref: 'refs/heads/main', number: 4, before: 'c', commit: 'd'.repeat(40) },
        ...{
          seen: '2026-11-01T12:00:00Z',
          state: 'STARTED',
          reason: null,
          run: 'p8',
          by: null,
          forced: null
        },
        ...{ scheduled: false, told: null, told_problem: 'the host answered 403' }
      }
    ]
  });
  jest.spyOn(api, 'triggers').mockResolvedValue({
    triggers: [
      {
        ...{
          id: 't1',
          tenant: 'nlp',
          owner: 'ada',
          name: 'fraud',
          provider: 'gitea',
          url: 'https://git.example.org/a'
        },
        ...{
          pipeline: 'p',
          branches: ['main'],
          tags: [],
          paths: [],
          quiet: 3,
          per_hour: 20,
          ignore_authors: []
        },
        ...{ cron: '0 3 * * *', time_zone: 'UTC', next: '2026-11-02T03:00:00Z', pushes: true },
        ...{
          skip_mark: false,
          cancel_on_delete: false,
          signs_in: true,
          tells: true,
          hook: '/s/hooks/x',
          paused: true
        },
        ...{ created: '2026-11-01T10:00:00Z', problem: 'ada may not', seen: null, unreachable_since: null },
        ...{ refused: 3, refused_last: null }
      }
    ]
  });
  const text = await shown();
  expect(text).toContain('ada may not');
  expect(text).toContain('3 calls had a wrong signature');
  const details = [...box.querySelectorAll('details')].at(-1);
  await act(async () => {
    if (details !== undefined) {
      details.open = true;
      details.dispatchEvent(new Event('toggle'));
    }
    await new Promise(resolve => setTimeout(resolve, 0));
  });
  expect(box.textContent).toContain('none of the 1 changed files fits');
  expect(box.textContent).toContain('The Git host shows: success');
  expect(box.textContent).toContain('at its time: p7');
  expect(text).toContain('next at its time');
  expect(box.textContent).toContain('The Git host could not be told: the host answered 403');
});

test('steps stand behind what they need', () => {
  const drawn = drawing(RUN.steps);
  expect(drawn.boxes.map(({ x, y }) => [x, y])).toEqual([
    [4, 4],
    [198, 4],
    [198, 50],
    [392, 4],
    [198, 96]
  ]);
  expect(drawn.lines.map(({ from, to }) => `${from.step.key} ${to.step.key}`)).toEqual([
    'prepare train.1',
    'prepare train.2',
    'train.1 test',
    'train.2 test',
    'prepare release'
  ]);
});

test('a circle does not hang the page', () => {
  expect(drawing([step('a', ['b']), step('b', ['a'])]).boxes).toHaveLength(2);
});

test('a run by hand and a tag', () => {
  const hand = { ...RUN, cause: { ...RUN.cause, kind: 'hand' as const, by: 'ada' } };
  expect(causeWords(hand, english)).toBe('by hand, ada');
  const tag = { ...RUN.cause, kind: 'tag' as const, ref: 'refs/tags/v1', by: null, forced: false };
  expect(causeWords({ ...RUN, cause: tag }, english)).toBe('tag v1, 3f2a1c80');
});

test('the address names the team', () => {
  expect(readHere('/s/', '/s/pipelines/nlp')).toEqual({ page: 'pipelines', tenant: 'nlp' });
});
