import { jobToday } from '../src/cost';
import { makeAttempt, makeJob } from './jobs';

const MIDNIGHT = new Date('2026-03-02T00:00:00Z');
const NOW = new Date('2026-03-02T06:00:00Z');
const COST = { per_hour: '0.40', currency: 'EUR', hours: 1, at_most: '1', so_far: '1' };

function spent(...attempts: ReturnType<typeof makeAttempt>[]): number | null {
  const cost = jobToday(makeJob(1, 'RUNNING', { cost: COST, attempts }), MIDNIGHT, NOW);
  return cost === null ? null : Number(cost.toFixed(2));
}

describe('what a job has cost today', () => {
  it('counts all its attempts, from when they had their devices, since midnight', () => {
    const before = makeAttempt(1, { starting: '2026-03-01T20:00:00Z', ended: '2026-03-01T23:00:00Z' });
    const overnight = makeAttempt(2, { starting: '2026-03-01T23:30:00Z', ended: '2026-03-02T01:00:00Z' });
    const old = makeAttempt(3, { running: '2026-03-02T02:00:00Z', ended: '2026-03-02T03:00:00Z' });
    const waited = makeAttempt(4, { queued: '2026-03-02T03:00:00Z', ended: '2026-03-02T04:00:00Z' });
    const runs = makeAttempt(5, { starting: '2026-03-02T05:30:00Z' });
    expect(spent(before)).toBe(0);
    expect(spent(before, overnight, old, waited, runs)).toBe(1);
  });

  it('is not known without a price', () => {
    expect(jobToday(makeJob(1), MIDNIGHT, NOW)).toBeNull();
  });
});
