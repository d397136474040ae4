import { ended, merge } from '../src/joblist';
import { makeJob } from './jobs';

test('news take the place of what was known, and what is new comes first', () => {
  const known = [makeJob(2, 'RUNNING'), makeJob(1, 'RUNNING')];
  const merged = merge(known, [makeJob(3, 'QUEUED'), makeJob(1)]);
  expect(merged.map(job => [job.id, job.state])).toEqual([
    ['j000003', 'QUEUED'],
    ['j000002', 'RUNNING'],
    ['j000001', 'SUCCEEDED']
  ]);
});

test('ten thousand jobs are merged in a blink', () => {
  const known = Array.from({ length: 10_000 }, (_, index) => makeJob(10_000 - index));
  const began = performance.now();
  const merged = merge(known, known.slice(0, 100));
  expect(performance.now() - began).toBeLessThan(250);
  expect(merged).toHaveLength(10_000);
});

test('only what was seen live has ended', () => {
  const before = [makeJob(1, 'RUNNING'), makeJob(2)];
  const now = [makeJob(1, 'FAILED'), makeJob(2), makeJob(3)];
  expect(ended(before, now).map(job => job.id)).toEqual(['j000001']);
  expect(ended([], now)).toEqual([]);
});
