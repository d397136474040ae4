/** A month in days and in hours of the week, drawn, and as tables that can be read out. */

import type { TranslationBundle } from '@jupyterlab/translation';
import type { JSX } from 'react';
import { amount, everyDay, type Heat, hours, lengthOf, mean, shade, type UsageRow } from './ledger';

interface DaysProps {
  readonly rows: readonly UsageRow[];
  readonly month: string;
  readonly asOf: number;
  readonly currency: string | null;
  readonly trans: TranslationBundle;
}

/** Pixels of the drawing; it is as wide as its place. */
const HEIGHT = 96;
const STEP = 10;

/** One bar for each day so far. */
export function Days({ rows, month, asOf, currency, trans }: DaysProps): JSX.Element {
  const days = everyDay(rows, month, asOf);
  const most = Math.max(1, ...days.map(each => each.seconds));
  const top = days.reduce((best, each) => (each.seconds > best.seconds ? each : best), {
    day: '',
    seconds: 0
  });
  const said =
    top.seconds === 0
      ? trans.__('Nothing was held on any day of this month.')
      : trans.__('%1 at most, on %2.', hours(top.seconds), top.day);
  return (
    <>
      <svg
        className="aif-Days"
        viewBox={`0 0 ${lengthOf(month) * STEP} ${HEIGHT}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={trans.__('Hours held on each day. %1', said)}
      >
        {days.map((each, index) => (
          <rect
            key={each.day}
            x={index * STEP + 1}
            width={STEP - 2}
            y={HEIGHT - 1 - (each.seconds / most) * (HEIGHT - 2)}
            height={1 + (each.seconds / most) * (HEIGHT - 2)}
          >
            <title>{`${each.day}: ${hours(each.seconds)}`}</title>
          </rect>
        ))}
      </svg>
      <p className="aif-Quiet aif-Days-foot">
        <span>1</span>
        <span>{said}</span>
        <span>{lengthOf(month)}</span>
      </p>
      <details>
        <summary>{trans.__('Days as a table')}</summary>
        <table className="aif-Table">
          <thead>
            <tr>
              <th scope="col">{trans.__('Day')}</th>
              <th scope="col">{trans.__('Held')}</th>
              <th scope="col">{trans.__('Amount')}</th>
            </tr>
          </thead>
          <tbody>
            {days
              .filter(each => each.seconds > 0)
              .map(each => (
                <tr key={each.day}>
                  <th scope="row">{each.day}</th>
                  <td className="aif-Number">{hours(each.seconds)}</td>
                  <td className="aif-Number">{amount(each.amount, currency, trans)}</td>
                </tr>
              ))}
          </tbody>
        </table>
      </details>
    </>
  );
}

/** The mean number of pods in each hour of the week: the darker, the more. */
export function HeatTable({ heat, trans }: { heat: Heat; trans: TranslationBundle }): JSX.Element {
  const most = Math.max(0, ...heat.cells.flat());
  const names = [
    trans.__('Mon'),
    trans.__('Tue'),
    trans.__('Wed'),
    trans.__('Thu'),
    trans.__('Fri'),
    trans.__('Sat'),
    trans.__('Sun')
  ];
  return (
    <>
      <h3 id="aif-heat">
        {trans.__('Servers and jobs held at once on average, by hour of the week (%1)', heat.zone)}
      </h3>
      <div className="aif-Wide" role="region" aria-label={trans.__('Hours of the week')} tabIndex={0}>
        <table className="aif-Heat" aria-labelledby="aif-heat">
          <thead>
            <tr>
              <td />
              {Array.from({ length: 24 }, (_, hour) => (
                <th key={hour} scope="col">
                  {hour}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {heat.cells.map((row, day) => (
              <tr key={names[day]}>
                <th scope="row">{names[day]}</th>
                {row.map((value, hour) => (
                  <td key={hour} data-shade={shade(value, most)}>
                    {mean(value)}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}
