import type { Api } from '../src/api';
import { Offline } from '../src/errors';
import { HubModel } from '../src/model';
import type { Job, Overview } from '../src/types';
import { makeJob } from './jobs';

/** A server that counts how often it is asked. */
class FakeApi {
  asked = 0;
  pages = 0;
  jobs_: readonly Job[] = [];
  problem: Error | null = null;
  next: string | null = null;

  overview(filter: unknown): Promise<Overview> {
    this.asked += 1;
    if (this.problem !== null) {
      return Promise.reject(this.problem);
    }
    return Promise.resolve({
      here: { idle: {}, usage: [] } as unknown as Overview['here'],
      team: { approvals: null, budgets: null, page: '' },
      service: { reachable: true, message: null },
      quota: null,
      mine: this.jobs_,
      page: filter === null ? null : { jobs: this.jobs_, next: this.next }
    });
  }

  jobs(_filter: unknown, before: string | null): Promise<{ jobs: Job[]; next: string | null }> {
    this.pages += 1;
    return Promise.resolve({ jobs: before === null ? [] : [makeJob(1)], next: null });
  }
}

let api: FakeApi;
let model: HubModel;
let hidden = false;

beforeEach(() => {
  jest.useFakeTimers();
  hidden = false;
  jest.spyOn(document, 'hidden', 'get').mockImplementation(() => hidden);
  api = new FakeApi();
  model = new HubModel(api as unknown as Api, { busyInterval: 5_000 });
});

afterEach(() => {
  model.dispose();
  jest.useRealTimers();
});

async function pass(seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second += 1) {
    await jest.advanceTimersByTimeAsync(1_000);
  }
}

test('with nothing under way it asks twice a minute at most', async () => {
  await model.start();
  await pass(2);
  const before = api.asked;
  model.listShown = true;
  await pass(600);
  // One more for the list that is shown now.
  expect(api.asked - before).toBeLessThanOrEqual(21);
  expect(api.asked - before).toBeGreaterThan(15);
});

test('a hidden page asks nothing', async () => {
  await model.start();
  await pass(40);
  hidden = true;
  await pass(35);
  const before = api.asked;
  await pass(600);
  expect(api.asked).toBe(before);
});

test('a job that is looked at is asked for every few seconds, until it has ended', async () => {
  api.jobs_ = [makeJob(1, 'RUNNING')];
  model.listShown = true;
  await pass(40);
  const before = api.asked;
  await pass(60);
  expect(api.asked - before).toBeGreaterThanOrEqual(10);
  api.jobs_ = [makeJob(1)];
  await pass(40);
  const then = api.asked;
  await pass(60);
  expect(api.asked - then).toBeLessThanOrEqual(3);
});

test('offline is said, what was known stays, and it recovers by itself', async () => {
  api.jobs_ = [makeJob(1)];
  model.listShown = true;
  await pass(5);
  expect(model.link).toBe('ok');
  api.problem = new Offline();
  await pass(40);
  expect(model.link).toBe('offline');
  expect(model.jobs).toHaveLength(1);
  expect(model.asOf).not.toBeNull();
  api.problem = null;
  await pass(70);
  expect(model.link).toBe('ok');
});

test('older jobs are asked for once, and only when there are some', async () => {
  api.jobs_ = [makeJob(2)];
  api.next = 'j000002';
  model.listShown = true;
  await pass(2);
  expect(model.more).toBe(true);
  await Promise.all([model.loadMore(), model.loadMore()]);
  expect(api.pages).toBe(1);
  expect(model.jobs?.map(job => job.id)).toEqual(['j000002', 'j000001']);
  await model.loadMore();
  expect(api.pages).toBe(1);
});
