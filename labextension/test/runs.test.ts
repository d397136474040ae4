import { type Column, columnsOf, csvOf, filtered, metricOf, sorted } from '../src/runs';
import type { Job } from '../src/types';
import { makeJob } from './jobs';

const OWN: readonly Column[] = [{ key: 'name', name: 'Name', kind: 'own', of: job => job.name }];

function run(name: string, lr: number, metrics: NonNullable<Job['progress']>['metrics'] | null): Job {
  const progress =
    metrics === null ? null : { percent: null, eta_seconds: null, metrics, at: '2027-01-15T08:00:00Z' };
  return makeJob(1, 'SUCCEEDED', { id: name, name, sweep_parameters: { lr }, progress });
}

const RUNS = [
  run('a', 0.1, { loss: 0.5, acc: 0.7 }),
  run('b', 0.01, { loss: 'NaN' }),
  run('c', 10, null),
  run('d', 2, { loss: 0.2, acc: 0.9 }),
  run('e', 0.2, { loss: 'Infinity' })
];
const COLUMNS = columnsOf(RUNS, OWN);

function column(name: string): Column {
  const found = COLUMNS.find(each => each.name === name);
  if (found === undefined) {
    throw new Error(name);
  }
  return found;
}

function names(jobs: readonly Job[]): string {
  return jobs.map(job => job.name).join('');
}

test('columns are those that the jobs have, parameters before metrics', () => {
  expect(COLUMNS.map(each => `${each.kind} ${each.name}`)).toEqual([
    'own Name',
    'parameter lr',
    'metric loss',
    'metric acc'
  ]);
  expect(metricOf(run('x', 1, null), 'loss')).toBeNull();
  const notebook = makeJob(2, 'RUNNING', {
    command: 'python3 -m aifactory_hub.runner.notebook a.ipynb --parameters \'{"depth": [1]}\'',
    parameters: { epochs: '5' }
  });
  expect(columnsOf([notebook], []).map(each => [each.name, each.of(notebook)])).toEqual([
    ['epochs', '5'],
    ['depth', '[1]']
  ]);
});

test('they are sorted by numbers; those without one come last in either direction', () => {
  expect(names(sorted(RUNS, column('loss'), false))).toBe('daebc');
  expect(names(sorted(RUNS, column('loss'), true))).toBe('eadbc');
  expect(names(sorted(RUNS, column('lr'), false))).toBe('baedc');
  expect(names(sorted(RUNS, column('Name'), true))).toBe('edcba');
});

test('they are filtered by words and by comparisons', () => {
  expect(names(filtered(RUNS, COLUMNS, 'loss<0.5'))).toBe('d');
  expect(names(filtered(RUNS, COLUMNS, 'LOSS>=0.5'))).toBe('ae');
  expect(names(filtered(RUNS, COLUMNS, 'lr>0.05 acc<0.8'))).toBe('a');
  expect(names(filtered(RUNS, COLUMNS, 'lr=10'))).toBe('c');
  expect(names(filtered(RUNS, COLUMNS, 'NaN'))).toBe('b');
  expect(names(filtered(RUNS, COLUMNS, 'x<1'))).toBe('');
  expect(names(filtered(RUNS, COLUMNS, ' '))).toBe('abcde');
});

test('CSV has all digits and runs nothing in a spreadsheet', () => {
  const odd = run('=cmd, "x"', -1.5, { loss: 0.123456789 });
  expect(csvOf([odd, run('b', 1, null)], columnsOf([odd], OWN))).toBe(
    'Name,lr,loss\n"\'=cmd, ""x""",-1.5,0.123456789\nb,1,\n'
  );
});
