import { bytes, duration, inOwnZone, momentIn, money, shortResource, since } from '../src/format';

test.each([
  [0, '0 s'],
  [59.9, '59 s'],
  [60, '1 min'],
  [3600, '1 h 00 min'],
  [3660 + 240, '1 h 05 min'],
  [86400 * 2 + 3600 * 4, '2 d 4 h'],
  [86400 * 5, '5 d'],
  [86400 * 12 + 3600 * 4, '12 d'],
  [-5, '0 s']
])('%d seconds are %s', (seconds, text) => {
  expect(duration(seconds)).toBe(text);
});

test.each([
  [0, '0 B'],
  [1023, '1023 B'],
  [1536, '1.5 KiB'],
  [200 * 2 ** 20, '200 MiB'],
  [3 * 2 ** 50, '3072 TiB']
])('%d bytes are %s', (count, text) => {
  expect(bytes(count)).toBe(text);
});

test('a cost has two digits', () => {
  expect(money(1234.5, null, 'en')).toBe('1,234.50');
  expect(money(0.4, 'EUR', 'en')).toBe('0.40 EUR');
});

test('what has not happened yet has no time', () => {
  expect(since(null, new Date())).toBeNull();
  expect(since('2026-01-01T00:00:00Z', null)).toBeNull();
  expect(since('no time', new Date())).toBeNull();
  expect(since('2026-01-01T00:00:00Z', '2026-01-01T00:01:00Z')).toBe(60);
});

test('a resource without its maker', () => {
  expect(shortResource('nvidia.com/mig-1g.10gb')).toBe('mig-1g.10gb');
  expect(shortResource('cpu')).toBe('cpu');
});

test('a time of a schedule is read on the clocks of its zone', () => {
  expect(momentIn('2026-03-30T04:00:00.000+00:00', 'Europe/Amsterdam', 'en-US')).toBe('Mon, Mar 30, 06:00');
  expect(momentIn('2026-03-29T22:30:00.000+00:00', 'Europe/Amsterdam', 'en-US')).toBe('Mon, Mar 30, 00:30');
  expect(momentIn('2026-03-30T04:00:00.000+00:00', 'No/Where', 'en-US')).toMatch(/Mar (29|30)/);
});

describe('times in sentences of the service', () => {
  const now = new Date('2026-12-01T12:00:00Z');
  const there = (text: string) => inOwnZone(text, 'Europe/Amsterdam', now, 'en-US');

  it('are read on the clocks of who reads them', () => {
    expect(there('It is stopped at 2026-12-01 14:05 UTC, idle since 2026-12-01 13:20:09 UTC.')).toBe(
      'It is stopped at Dec 1, 15:05, idle since Dec 1, 14:20:09.'
    );
    expect(there('resets at 2027-01-01 00:00 UTC')).toBe('resets at Jan 1, 2027, 01:00');
    expect(there('from 2026-07-01 22:30 UTC on')).toBe('from Jul 2, 00:30 on');
  });

  it('stay where they are none', () => {
    const texts = ['', 'at 14:05 UTC', '2026-12-01T14:05:00Z', '12026-12-01 14:05 UTCs'];
    expect(texts.map(there)).toEqual(texts);
  });
});
