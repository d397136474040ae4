import { Follower } from '../src/follower';
import type { Api } from '../src/api';
import { append, NOTHING_PRINTED, shownRows } from '../src/log';
import { areNodes, type Chosen, logOf, placed, sections } from '../src/steps';
import type { Job, Step } from '../src/types';
import { makeJob } from './jobs';

function step(name: string, state: Step['state'] = 'RUNNING'): Step {
  return { name, state, reason: null, started: null, finished: null };
}

const LOG = '=== load ===\nread 5 files\n=== [0].train ===\nepoch 1\nepoch 2\n=== [1].train ===\nother\n';

function partOf(log: string, step: Chosen): readonly string[] | null {
  return logOf(sections(shownRows(append(NOTHING_PRINTED, log, false))), step)?.map(row => row.plain) ?? null;
}

test('each step has its own part of the log, also when two have one name', () => {
  expect(partOf(LOG, { name: 'load', nth: 0 })).toEqual(['read 5 files']);
  expect(partOf(LOG, { name: 'train', nth: 0 })).toEqual(['epoch 1', 'epoch 2']);
  expect(partOf(LOG, { name: 'train', nth: 1 })).toEqual(['other']);
  expect(partOf(LOG, { name: 'train', nth: 2 })).toBeNull();
  expect(partOf(LOG, { name: 'rain', nth: 0 })).toBeNull();
  expect(partOf('no parts here\n', { name: 'load', nth: 0 })).toBeNull();
});

test('steps of one name are told apart', () => {
  expect(placed([step('a'), step('b'), step('a')]).map(({ name, nth }) => [name, nth])).toEqual([
    ['a', 0],
    ['b', 0],
    ['a', 1]
  ]);
});

test('nodes are no steps', () => {
  expect(areNodes(makeJob(1, 'RUNNING', { steps: [step('node 0'), step('node 1')] }))).toBe(true);
  expect(areNodes(makeJob(1, 'RUNNING', { steps: [step('node 0'), step('load')] }))).toBe(false);
  expect(areNodes(makeJob(1))).toBe(false);
});

class Source extends EventTarget {
  static last: Source;
  readyState = 1;
  constructor(readonly url: string) {
    super();
    Source.last = this;
  }
  close(): void {
    this.readyState = 2;
  }
  say(name: string, data: object): void {
    this.dispatchEvent(new MessageEvent(name, { data: JSON.stringify(data) }));
  }
}

async function follow(job: Job): Promise<{ logs: string[]; asked: () => number; follower: Follower }> {
  Object.assign(globalThis, { EventSource: Source });
  const logs: string[] = [];
  let asked = 0;
  const api = {
    job: () => Promise.resolve(job),
    log: () => {
      asked += 1;
      return Promise.resolve(`=== load ===\nread ${asked}\n`);
    },
    eventsUrl: () => ''
  } as unknown as Api;
  const follower = new Follower(api, job.id, {
    job: () => undefined,
    log: log => logs.push(log.rows.map(row => row.plain).join('\n')),
    files: () => undefined,
    trouble: () => undefined
  });
  follower.follow(true);
  await jest.advanceTimersByTimeAsync(0);
  Source.last.say('job', job);
  await jest.advanceTimersByTimeAsync(0);
  return { logs, asked: () => asked, follower };
}

describe('the log of what runs', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  test('is asked for while steps run that send none', async () => {
    const { logs, asked, follower } = await follow(makeJob(1, 'RUNNING', { steps: [step('load')] }));
    expect(logs).toEqual(['=== load ===\nread 1\n']);
    await jest.advanceTimersByTimeAsync(5_000);
    expect(logs).toHaveLength(2);
    follower.follow(false);
    await jest.advanceTimersByTimeAsync(60_000);
    expect(asked()).toBe(2);
  });

  test('is not asked for when it is sent', async () => {
    const { logs, asked, follower } = await follow(makeJob(1, 'RUNNING', { steps: [step('node 0')] }));
    Source.last.say('log', { text: 'sent\n' });
    await jest.advanceTimersByTimeAsync(60_000);
    expect(asked()).toBe(1);
    expect(logs[logs.length - 1]).toBe('sent\n');
    follower.dispose();
  });

  test('is not asked for of a job without steps', async () => {
    const { asked, follower } = await follow(makeJob(1, 'RUNNING'));
    await jest.advanceTimersByTimeAsync(60_000);
    expect(asked()).toBe(0);
    follower.dispose();
  });
});
