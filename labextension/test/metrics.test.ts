import { curvesOf, draw, nearest, path, stops } from '../src/curve';
import { lastValues, metricNames, NONE, shortNumber, withNews } from '../src/metrics';
import { extent, linear, logarithmic, niceStep, tickLabel, timeUnit } from '../src/scale';
import type { MetricsAnswer, MetricValue } from '../src/types';

type Told = Partial<MetricsAnswer['series'][number]>;

function answer(cursor: number, values: readonly MetricValue[], more: Told = {}): MetricsAnswer {
  const series = {
    name: 'loss',
    attempt: 1,
    reported: values.length,
    thinned: false,
    whole: true,
    steps: values.map((_, index) => index * 10),
    times: values.map((_, index) => 1000 + index),
    values,
    ...more
  };
  return { cursor, series: [series], simulated: true };
}

test('what is new is added, and a series that came whole takes the place of the one before', () => {
  const first = withNews(NONE, answer(1, [3, 'NaN']));
  expect(first.series[0]?.points.map(point => point.value)).toEqual([3, NaN]);
  const second = withNews(first, answer(2, [1], { whole: false, reported: 3, steps: [20] }));
  expect(second.cursor).toBe(2);
  expect(second.series[0]?.points.map(point => point.step)).toEqual([0, 10, 20]);
  const third = withNews(second, answer(3, [3, 1], { thinned: true, reported: 9 }));
  expect(third.series).toHaveLength(1);
  expect(third.series[0]).toMatchObject({ reported: 9, thinned: true });
  expect(third.series[0]?.points).toHaveLength(2);
  const more = withNews(third, answer(4, [1], { attempt: 2 }));
  expect(more.series.map(series => series.attempt)).toEqual([1, 2]);
  expect(metricNames([more, withNews(NONE, answer(1, [1], { name: 'acc' }))])).toEqual(['acc', 'loss']);
});

test('numbers are short, and those that are none are named', () => {
  expect([0.3125, 1e-5, 123456789, 2e12, NaN, -Infinity, 0].map(value => shortNumber(value))).toEqual([
    '0.3125',
    '1e-5',
    '123457000',
    '2e12',
    'NaN',
    '-Infinity',
    '0'
  ]);
  expect(lastValues({ loss: 0.25, acc: 'NaN', lr: 1 }, 2)).toBe('loss 0.25 · acc NaN · +1');
  expect(lastValues(undefined, 2)).toBe('');
});

test('ticks are round numbers', () => {
  expect(niceStep(1, 5)).toBeCloseTo(0.2);
  expect(linear([0, 1], 5).ticks.map(tick => tick.label)).toEqual(['0', '0.2', '0.4', '0.6', '0.8', '1']);
  expect(linear([0, 50_000], 5).ticks.map(tick => tick.label)).toEqual([
    '0',
    '10k',
    '20k',
    '30k',
    '40k',
    '50k'
  ]);
  expect(logarithmic([0.001, 10], 5).ticks.map(tick => tick.label)).toEqual([
    '0.001',
    '0.01',
    '0.1',
    '1',
    '10'
  ]);
  expect(logarithmic([2, 8], 3).ticks.map(tick => tick.at)).toEqual([2, 4, 6, 8]);
  expect([1500, 2e6, 1e-7].map(tickLabel)).toEqual(['1500', '2M', '1e-7']);
  expect([extent([3, NaN, 1, Infinity]), extent([NaN]), extent([5, 5])]).toEqual([[1, 3], null, [4.5, 5.5]]);
  expect([30, 600, 20_000].map(seconds => timeUnit(seconds)[0])).toEqual(['s', 'min', 'h']);
});

test('a curve has gaps where its values are no numbers', () => {
  const { series } = withNews(NONE, answer(1, [1, 2, 'NaN', 4]));
  const drawing = draw(curvesOf('loss', series, 'a', 0), 'step', false);
  const dots = drawing?.curves[0]?.dots ?? [];
  expect(path(dots, 300, 100)).toBe('M0.0 100.0L100.0 66.7M300.0 0.0');
  expect(drawing?.left).toBe(1);
  expect(nearest(dots, 0.4)?.value).toBe(2);
  expect(drawing === null ? [] : stops(drawing).map(stop => Math.round(stop * 30))).toEqual([0, 10, 20, 30]);
});

test('on a logarithmic scale what is not above zero is left out, and said', () => {
  const { series } = withNews(NONE, answer(1, [-1, 0, 1, 100]));
  const drawing = draw(curvesOf('loss', series, 'a', 0), 'step', true);
  expect(drawing?.left).toBe(2);
  expect(drawing?.curves[0]?.dots.map(dot => dot.y)).toEqual([null, null, 0, 1]);
  const none = withNews(NONE, answer(1, [-1, 0]));
  expect(draw(curvesOf('loss', none.series, 'a', 0), 'step', true)).toBeNull();
  expect(draw([], 'step', false)).toBeNull();
});

test('over time each curve begins at its first point', () => {
  const early = withNews(NONE, answer(1, [1, 2], { times: [1000, 1600] })).series;
  const late = withNews(NONE, answer(1, [1, 2], { times: [9000, 9300] })).series;
  const curves = [...curvesOf('loss', early, 'a', 0), ...curvesOf('loss', late, 'b', 1)];
  const drawing = draw(curves, 'time', false);
  expect(drawing?.unit).toBe('min');
  expect(drawing?.curves.map(curve => curve.dots.map(dot => dot.at))).toEqual([
    [0, 10],
    [0, 5]
  ]);
});

test('one value, and equal values, are drawn in the middle', () => {
  const { series } = withNews(NONE, answer(1, [5]));
  expect(draw(curvesOf('loss', series, '', 0), 'step', true)?.curves[0]?.dots[0]?.y).toBeCloseTo(0.5, 0);
});
