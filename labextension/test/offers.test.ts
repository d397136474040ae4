import { firstChoice } from '../src/offers';
import type { Menu } from '../src/types';

const MENU = {
  profiles: [
    { profile: 'small', availability: 'queue' },
    { profile: 'large', availability: 'never' },
    { profile: 'cpu', availability: 'now' }
  ]
} as unknown as Menu;

test.each([
  [['small', 'cpu'], 'small'],
  [['large', 'cpu'], 'cpu'],
  [[undefined, null, '', 'gone', 'small'], 'small'],
  [['large'], '']
])('of %j the form begins with %j', (wishes, chosen) => {
  expect(firstChoice(MENU, wishes)).toBe(chosen);
});
