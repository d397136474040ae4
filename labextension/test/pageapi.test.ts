import { Offline } from '../src/errors';
import type { Approval } from '../src/page/approvalspage';
import { PageApi } from '../src/page/pageapi';

const PREFIX = '/services/aifactory/';
const api = new PageApi(PREFIX, 'ada');
const asked = jest.fn<Promise<Response>, [string, RequestInit]>();

beforeEach(() => {
  document.cookie = '_xsrf=proof';
  global.fetch = asked as unknown as typeof fetch;
  asked.mockReset();
});

function answer(status: number, body: unknown): Response {
  const headers = new Headers({ 'Content-Type': 'application/json' });
  return { ok: status < 400, status, headers, json: () => Promise.resolve(body) } as Response;
}

test('each request goes to the service with the proof that this page asks', async () => {
  asked.mockResolvedValue(answer(200, { jobs: [], next: null }));
  await api.jobs({ mine: true, text: '', state: '', tenant: 'nlp' }, null);
  const [address, init] = asked.mock.calls[0] ?? ['', {}];
  expect(address).toBe(`${PREFIX}api/v1/jobs?tenant=nlp&mine=true&limit=100`);
  expect(new Headers(init.headers).get('X-XSRFToken')).toBe('proof');
});

test('what can have no header has the proof in its address', () => {
  expect(api.eventsUrl('j1', '')).toBe(`${PREFIX}api/v1/jobs/j1/events?log=true&_xsrf=proof`);
  expect(api.artifactUrl('j1', 'a/b c')).toBe(`${PREFIX}api/v1/jobs/j1/artifacts/a/b%20c?_xsrf=proof`);
});

test('a session that is over is said in words, and a network that is away is no refusal', async () => {
  asked.mockResolvedValue(answer(401, {}));
  await expect(api.job('j1')).rejects.toThrow('Load this page again to sign in');
  asked.mockRejectedValue(new TypeError('Failed to fetch'));
  await expect(api.job('j1')).rejects.toThrow(Offline);
});

test('without a list on the screen nothing is asked', async () => {
  const overview = await api.overview(null);
  expect([overview.page, overview.here.user]).toEqual([null, 'ada']);
  expect(asked).not.toHaveBeenCalled();
});

test('a word to the owner of a job goes with the request that cancels it', async () => {
  asked.mockResolvedValue(answer(202, {}));
  await api.cancel('j1', 'we need it & soon');
  await api.cancel('j1');
  expect(asked.mock.calls.map(([address]) => address)).toEqual([
    `${PREFIX}api/v1/jobs/j1?reason=we+need+it+%26+soon`,
    `${PREFIX}api/v1/jobs/j1`
  ]);
});

test('pods behind a line are asked for by its person and profile, page after page', async () => {
  asked.mockResolvedValue(answer(200, { holds: [], next: null }));
  await api.holds(
    'nlp',
    '2026-11',
    [
      ['user', ''],
      ['profile', 'small']
    ],
    '5.pod'
  );
  expect(asked.mock.calls[0]?.[0]).toBe(
    `${PREFIX}api/v1/tenants/nlp/usage/holds?month=2026-11&user=&profile=small&limit=100&after=5.pod`
  );
  expect(api.billUrl('nlp', '2026-11')).toBe(
    `${PREFIX}api/v1/tenants/nlp/bills/2026-11?format=csv&_xsrf=proof`
  );
});

test('a vote goes with the digest of what was shown', async () => {
  asked.mockResolvedValue(answer(200, {}));
  await api.vote({ id: 'a1', digest: 'd' } as Approval, 'emergency', 'the site is down');
  const [address, init] = asked.mock.calls[0] ?? ['', {}];
  expect([address, init.method]).toEqual([`${PREFIX}api/v1/approvals/a1/vote`, 'PUT']);
  expect(JSON.parse(init.body as string)).toEqual({
    ...{ vote: 'yes', digest: 'd', comment: 'the site is down', emergency: true }
  });
});
