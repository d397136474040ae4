import {
  amount,
  everyDay,
  heldBy,
  hours,
  lengthOf,
  mean,
  months,
  person,
  shade,
  type UsageRow
} from '../src/page/ledger';
import { trans } from './trans';

function row(key: string, seconds: number): UsageRow {
  return { key, seconds, gpu_seconds: 0, pods: 1, amount: '1.00', unpriced_seconds: 0 };
}

test.each([
  [0, '0 h'],
  [1, '< 0.01 h'],
  [3600, '1 h'],
  [148_500, '41.25 h'],
  [3_600_000, '1,000 h']
])('%d seconds are %s', (seconds, said) => {
  expect(hours(seconds, 'en')).toBe(said);
});

test('money is shown digit by digit, and no price is not nothing', () => {
  expect(amount('12.30', 'EUR', trans)).toBe('12.30 EUR');
  expect(amount('0.0040', null, trans)).toBe('0.0040');
  expect(amount(null, 'EUR', trans)).toBe('no price');
  expect(amount('0', 'EUR', trans)).toBe('0.00 EUR');
  expect(amount('-1.5', 'EUR', trans)).toBe('-1.50 EUR');
});

test('who is nobody is said to be unknown', () => {
  expect(person('', trans)).toBe('unknown (made without the hub)');
  expect(person('ada', trans)).toBe('ada');
});

test('months go back over the year', () => {
  expect(months(new Date(2027, 0, 31), 3)).toEqual(['2027-01', '2026-12', '2026-11']);
  expect(['2028-02', '2026-02', '2026-11'].map(lengthOf)).toEqual([29, 28, 30]);
});

test('days without use are there with nothing, days to come are not', () => {
  const noon = Date.UTC(2026, 10, 4, 12) / 1000;
  const days = everyDay([row('2026-11-02', 60)], '2026-11', noon);
  expect(days.map(each => [each.day.slice(-2), each.seconds])).toEqual([
    ['01', 0],
    ['02', 60],
    ['03', 0],
    ['04', 0]
  ]);
  expect(everyDay([], '2026-10', noon)).toHaveLength(31);
  // In a zone that is ahead, the day has begun there before it does in UTC.
  expect(everyDay([row('2026-11-05', 60)], '2026-11', noon)).toHaveLength(5);
});

test('the darkest shade is the most there is, and what is something is never blank', () => {
  expect([0, 0.001, 1, 2.1, 4].map(value => shade(value, 4))).toEqual([0, 1, 1, 3, 4]);
  expect(shade(0, 0)).toBe(0);
  expect([mean(0, 'en'), mean(0.26, 'en'), mean(12.4, 'en')]).toEqual(['0', '0.3', '12']);
});

test('what a team held is the sum of its lines', () => {
  expect(heldBy({ lines: [{ seconds: 5 }, { seconds: 7 }] })).toBe(12);
});
