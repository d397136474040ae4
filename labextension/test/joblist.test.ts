import { ended, merge, visibleRows } from '../src/joblist';
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

test('ten thousand jobs are merged in a blink and drawn by the dozen', () => {
  const known = Array.from({ length: 10_000 }, (_, index) => makeJob(10_000 - index));
  const began = performance.now();
  const merged = merge(known, known.slice(0, 100));
  expect(performance.now() - began).toBeLessThan(250);
  expect(merged).toHaveLength(10_000);
  const [first, last] = visibleRows(10_000, 52, 52 * 5_000, 520);
  expect(last - first).toBeLessThanOrEqual(24);
  expect(first).toBeLessThanOrEqual(5_000);
  expect(last).toBeGreaterThanOrEqual(5_010);
});

test('rows stay within the list', () => {
  expect(visibleRows(3, 52, 0, 520)).toEqual([0, 3]);
  expect(visibleRows(0, 52, 0, 520)).toEqual([0, 0]);
  expect(visibleRows(5, 52, 99_999, 520)).toEqual([5, 5]);
});

test('only what was seen live has ended', () => {
  const before = [makeJob(1, 'RUNNING'), makeJob(2)];
  const now = [makeJob(1, 'FAILED'), makeJob(2), makeJob(3)];
  expect(ended(before, now).map(job => job.id)).toEqual(['j000001']);
  expect(ended([], now)).toEqual([]);
});
