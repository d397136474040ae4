import { startFrom } from '../src/again';
import { differences, parametersOf, runBefore } from '../src/compare';
import { costToday, idleLeft, pricePerHour } from '../src/cost';
import { Offline, Refused, SignedOut, Stopped } from '../src/errors';
import { grouped, settle } from '../src/settle';
import type { Overview } from '../src/types';
import { line } from '../src/chart';
import { readValue } from '../src/values';
import { endedWords, formTroubleWords, jobReason, linkTrouble, troubleWords } from '../src/words';
import { makeAttempt, makeJob } from './jobs';
import { trans } from './trans';

function overview(more: Partial<Overview['here']> = {}, price: string | null = '2.00'): Overview {
  return {
    here: {
      user: 'nlp-user',
      server: '',
      tenant: 'nlp',
      profile: 'mig-1g.10gb',
      environment: null,
      started: '2026-05-05T10:00:00Z',
      memory: null,
      usage: [],
      idle: { stops_after: null, last_activity: '2026-05-05T11:59:00Z' },
      notice: null,
      unused: null,
      ...more
    },
    team: { approvals: null, budgets: null, page: '' },
    service: { reachable: true, message: null },
    quota: {
      menu: [{ profile: 'mig-1g.10gb', price_per_hour: price, currency: 'EUR' }]
    } as unknown as Overview['quota'],
    mine: [],
    page: null
  };
}

const NOON = new Date('2026-05-05T12:00:00Z');

test('what differs between two runs', () => {
  const before = makeJob(1, 'FAILED', { command: 'python a.py', environment: ['X'] });
  const now = makeJob(2, 'RUNNING', { command: 'python b.py', environment: ['X'] });
  expect(differences({ job: before, from: null }, { job: now, from: null })).toEqual([
    { field: 'command', before: 'python a.py', now: 'python b.py' }
  ]);
  expect(differences({ job: now, from: null }, { job: now, from: null })).toEqual([]);
});

test('the parameters of a notebook are read from the command that hands them over', () => {
  const command = `python3 -P -m aifactory_hub.runner.notebook fit.ipynb --parameters '{"rate": 0.25, "name": "it'"'"'s"}'`;
  expect(parametersOf(command)).toEqual({ rate: 0.25, name: "it's" });
  expect(parametersOf('python3 train.py --parameters x')).toBeNull();
  expect(parametersOf(command.replace('{', '['))).toBeNull();
});

test('of commit and packages only what changed is said', () => {
  const from = (commit: string, ...packages: string[]) => ({
    id: 'j',
    files: null,
    image: 'job:test',
    provenance: { commit, branch: 'main', dirty: false, packages }
  });
  const found = differences(
    { job: makeJob(1), from: from('a'.repeat(40), 'numpy==1.0', 'torch==2.0') },
    { job: makeJob(2), from: from('b'.repeat(40), 'numpy==1.0', 'torch==2.1', 'rich==1') }
  );
  expect(found).toEqual([
    { field: 'commit', before: 'main aaaaaaaaaaaa', now: 'main bbbbbbbbbbbb' },
    { field: 'packages', before: 'torch 2.0, rich –', now: 'torch 2.1, rich 1' }
  ]);
});

test('submitting again fills in all but the values of variables', () => {
  const start = startFrom(makeJob(1, 'FAILED', { name: 'fit', environment: ['TOKEN'], outputs: ['*.pt'] }));
  expect(start.fields).toEqual({ name: 'fit', max_seconds: 3600, priority: 'normal', outputs: ['*.pt'] });
  expect(start.variables).toEqual(['TOKEN']);
});

test('the run before is the newest earlier one of the same person and name', () => {
  const named = { name: 'digits' };
  const jobs = [makeJob(9, 'RUNNING', named), makeJob(5, 'FAILED', named), makeJob(3, 'FAILED', named)];
  expect(runBefore(makeJob(7, 'RUNNING', named), jobs)?.id).toBe('j000005');
  expect(runBefore(makeJob(7, 'RUNNING', { ...named, owner: 'other' }), jobs)).toBeNull();
});

test('what is not known is not zero', () => {
  expect(pricePerHour(overview({}, null))).toBeNull();
  expect(costToday(overview({}, null), NOON)).toBeNull();
  expect(costToday(overview({ started: null }), NOON)).toBeNull();
  expect(idleLeft(overview(), NOON)).toBeNull();
});

test('an idle stop is told from the last activity', () => {
  const idle = { stops_after: 600, last_activity: '2026-05-05T11:59:00Z' };
  expect(idleLeft(overview({ idle }), NOON)).toBe(540);
  expect(idleLeft(overview({ idle: { ...idle, last_activity: '2026-05-05T01:00:00Z' } }), NOON)).toBe(0);
});

test('the server and the jobs of today cost', () => {
  const attempts = [makeAttempt(1, { starting: '2026-05-05T11:00:00Z', ended: '2026-05-05T11:30:00Z' })];
  const cost = { per_hour: '4.00', currency: 'EUR', hours: 1, at_most: '4.00', so_far: '2.00' };
  const found = { ...overview(), mine: [makeJob(1, 'SUCCEEDED', { attempts, cost })] };
  const midnight = new Date(NOON);
  midnight.setHours(0, 0, 0, 0);
  const hours = Math.min(2, (NOON.getTime() - midnight.getTime()) / 3_600_000);
  expect(costToday(found, NOON)).toBeCloseTo(hours * 2 + 2);
});

test('jobs that ended while nobody looked are told once', () => {
  const mine = [makeJob(3, 'RUNNING'), makeJob(2), makeJob(1)];
  const first = settle(['j000002', 'j000099'], mine);
  expect(first.ended.map(job => job.id)).toEqual(['j000002']);
  expect(first.underWay).toEqual(['j000003']);
  expect(first.lost).toEqual(['j000099']);
  expect(settle(first.underWay, mine).ended).toEqual([]);
});

test('moments that nobody measured leave a gap in the chart', () => {
  const samples = [0, 30, 60, 90].map((at, index) => ({
    at,
    memory: index === 1 ? null : 50,
    gpu_memory: null
  }));
  expect(line(samples, sample => sample.memory, 100, 90).match(/M/g)).toHaveLength(2);
  expect(line(samples, sample => sample.gpu_memory, 100, 90)).toBe('');
});

test('a parameter keeps its kind', () => {
  expect(readValue('0.1', 0.001)).toBe(0.1);
  expect(readValue('0.001', 1e-3)).toBeUndefined();
  expect(readValue('5', 'text')).toBe('5');
  expect(() => readValue('nonsense', 1)).toThrow();
});

test('reasons in words', () => {
  expect(jobReason(makeJob(1, 'QUEUED', { position: 0 }), trans)).toBe('next in the queue');
  expect(jobReason(makeJob(1, 'QUEUED', { position: 3 }), trans)).toBe('3 ahead in the queue');
  expect(jobReason(makeJob(1, 'RUNNING', { cancel_asked: true }), trans)).toBe('Cancelling');
  expect(jobReason(makeJob(1, 'FAILED', { exit_code: 3 }), trans)).toBe('exit code 3');
});

test('trouble says what and since when', () => {
  expect(linkTrouble('ok', null, null, trans)).toBeNull();
  expect(linkTrouble('offline', null, null, trans)).toContain('Trying again');
  expect(linkTrouble('no-service', 'It is away.', NOON, trans)).toContain('It is away. What you see is from');
});

test('who cancelled a job is said once', () => {
  const more = { reason: 'cancelled by ada', cancelled_by: 'ada' };
  expect(jobReason(makeJob(1, 'CANCELLED', more), trans)).toBe('by ada');
  expect(jobReason(makeJob(1, 'CANCELLED', { reason: 'cancelled by ada' }), trans)).toBe('cancelled by ada');
  expect(jobReason(makeJob(1, 'STARTING', more), trans)).toBe('cancelled by ada');
  const told = { ...more, cancel_word: 'we need it' };
  expect(jobReason(makeJob(1, 'CANCELLED', told), trans)).toBe('by ada: we need it');
});

test('a form whose answer is lost says that what was typed is kept, and a refusal only what is wrong', () => {
  expect(formTroubleWords(new Offline(), trans)).toContain('What you typed is kept');
  const lost = new Refused(503, 'service-unreachable', 'It did not answer within 15 s.');
  expect(formTroubleWords(lost, trans)).toBe(
    'It did not answer within 15 s. What you typed is kept; sent again as it is, it never becomes two jobs.'
  );
  const no = new Refused(422, 'invalid', 'profile: there is none');
  expect(formTroubleWords(no, trans)).toBe('profile: there is none');
});

test('a server that has stopped is said to have, and what the service said ends with a full stop', () => {
  const asOf = new Date(2026, 0, 5, 14, 5, 9);
  const words = linkTrouble('stopped', null, asOf, trans) ?? '';
  expect(words).toMatch(/^Your server has stopped\. Your jobs go on\. What you see is from .*05.*09.*\.$/);
  expect(linkTrouble('signed-out', null, null, trans)).toContain('signed out of your server');
  expect(linkTrouble('failed', 'Failed', asOf, trans)).toMatch(/^Failed\. What you see/);
  expect(linkTrouble('failed', 'It is so.', null, trans)).toBe('It is so.');
  expect(troubleWords(new Stopped(), trans)).toBe('Your server has stopped. Your jobs go on.');
  expect(formTroubleWords(new SignedOut(), trans)).toMatch(
    /signed out.* What you typed is kept on this page\.$/
  );
});

test('what ends together is told together, failures first', () => {
  const failed = { reason: null, exit_code: 3 };
  const first = grouped(null, [makeJob(1), makeJob(2, 'FAILED', { name: 'b', ...failed })], 1_000);
  expect(endedWords(first.jobs, 0, trans)).toBe('2 jobs ended, 1 failed: b (exit code 3)');
  const second = grouped(first, [makeJob(3)], 20_000);
  expect(second.jobs.map(job => job.id)).toEqual(['j000002', 'j000003', 'j000001']);
  expect(endedWords(second.jobs, 17, trans)).toBe('3 of 20 jobs ended, 1 failed: b (exit code 3)');
  const later = grouped(second, [makeJob(4)], 60_000);
  expect(later.jobs.map(job => job.id)).toEqual(['j000004']);
  expect(endedWords(later.jobs, 3, trans)).toBe(`${makeJob(4).name}: Succeeded`);
  expect(endedWords([makeJob(4), makeJob(5)], 0, trans)).toBe('2 jobs ended: job 4, job 5');
  const four = [1, 2, 3, 4].map(id => makeJob(id, 'FAILED', { name: `n${id}`, ...failed, exit_code: null }));
  expect(endedWords(four, 0, trans)).toBe('4 jobs ended, 4 failed: n1, n2, n3, …');
});
