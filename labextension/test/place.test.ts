import { ALL, jobAddress, listAddress, readHere, readPlace, teamAddress } from '../src/page/place';

const PREFIX = '/services/aifactory/';

test.each([
  ['', '', null, ALL],
  ['jobs', '', null, ALL],
  ['jobs/j0123456789ab', '', 'j0123456789ab', ALL],
  ['jobs/j%20x', '', 'j x', ALL],
  ['jobs/%ff', '', '%ff', ALL],
  ['jobs/a/b', '', null, ALL],
  ['', '?mine=true&state=FAILED&text=a%20b', null, { mine: true, text: 'a b', state: 'FAILED' }],
  ['', '?team=nlp&mine=1', null, { ...ALL, tenant: 'nlp' }]
])('the address %s%s is read', (path, search, id, filter) => {
  expect(readPlace(PREFIX, PREFIX + path, search)).toEqual({ id, filter });
});

test('an address of another page is the whole list', () => {
  expect(readPlace(PREFIX, '/hub/jobs/j1', '').id).toBeNull();
});

test.each([ALL, { mine: true, text: 'a&b=c', state: 'QUEUED,RUNNING' }, { ...ALL, tenant: 'vision' }])(
  'the address of a list gives the same filter back',
  filter => {
    const address = new URL(listAddress(PREFIX, filter), 'http://hub');
    expect(readPlace(PREFIX, address.pathname, address.search)).toEqual({ id: null, filter });
  }
);

test('what is not narrowed is not in the address', () => {
  expect(listAddress(PREFIX, ALL)).toBe(PREFIX);
  expect(jobAddress(PREFIX, 'j/1')).toBe(`${PREFIX}jobs/j%2F1`);
});

test.each([
  ['', { page: 'jobs' }],
  ['jobs/j1', { page: 'jobs' }],
  ['team/nlp', { page: 'team', tenant: 'nlp' }],
  ['team/', { page: 'jobs' }],
  ['platform', { page: 'platform' }],
  ['platform/x', { page: 'jobs' }],
  ['approvals', { page: 'approvals', id: null }],
  ['approvals/a1', { page: 'approvals', id: 'a1' }],
  ['approvals/a/b', { page: 'jobs' }]
])('%s is of its page', (path, here) => {
  expect(readHere(PREFIX, PREFIX + path)).toEqual(here);
});

test('the address of a team is read as that team', () => {
  expect(readHere(PREFIX, teamAddress(PREFIX, 'a b'))).toEqual({ page: 'team', tenant: 'a b' });
});
