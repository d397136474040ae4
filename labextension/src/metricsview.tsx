/** The metrics of one job, in its tab: the last values, their curves, and the points as a table. */

import type { TranslationBundle } from '@jupyterlab/translation';
import { type JSX, useMemo, useState } from 'react';
import type { Api } from './api';
import { type Axis, type Curve, curvesOf } from './curve';
import { CurveChart } from './curveview';
import { duration } from './format';
import { metricNames, type Metrics, NONE, numberOf, type Series, shortNumber } from './metrics';
import { printable } from './printable';
import type { Job } from './types';
import { useMetrics } from './usemetrics';
import { troubleWords } from './words';

/** Charts that are drawn unless somebody asks for all. */
const MOST_CHARTS = 6;
/** Rows of a table of points: the last ones. */
const MOST_ROWS = 200;

interface MetricsProps {
  readonly job: Job;
  readonly api: Api;
  readonly trans: TranslationBundle;
}

export function MetricsSection({ job, api, trans }: MetricsProps): JSX.Element | null {
  const jobs = useMemo(() => [job], [job]);
  const { of, trouble } = useMetrics(api, jobs);
  const last = Object.entries(job.progress?.metrics ?? {}).sort(([a], [b]) => a.localeCompare(b));
  if (last.length === 0 && !of.has(job.id)) {
    return null;
  }
  const metrics = of.get(job.id) ?? NONE;
  return (
    <section className="aif-Metrics" aria-label={trans.__('Metrics')}>
      <h2>{trans.__('Metrics')}</h2>
      <dl className="aif-Last">
        {last.map(([name, value]) => (
          <div key={name}>
            <dt>{printable(name)}</dt>
            <dd className="aif-Number">{shortNumber(numberOf(value))}</dd>
          </div>
        ))}
      </dl>
      {trouble === null ? null : (
        <p className="aif-Notice" data-kind="trouble" role="status">
          {troubleWords(trouble, trans)}
        </p>
      )}
      <JobCurves metrics={metrics} trans={trans} />
    </section>
  );
}

function JobCurves({ metrics, trans }: { metrics: Metrics; trans: TranslationBundle }): JSX.Element | null {
  const names = metricNames([metrics]);
  const attempts = [...new Set(metrics.series.map(series => series.attempt))];
  const curves = useMemo(
    () =>
      new Map(
        metricNames([metrics]).map(name => [
          name,
          ofAttempts(name, metrics.series, attempts.length > 1, trans)
        ])
      ),
    [metrics, attempts.length, trans]
  );
  if (names.length === 0) {
    return null;
  }
  return (
    <>
      <Curves names={names} curves={curves} trans={trans} />
      <Thinned series={metrics.series} trans={trans} />
      <Points series={metrics.series} trans={trans} />
    </>
  );
}

/** Attempts are drawn over each other, each in its own colour. */
function ofAttempts(
  name: string,
  series: readonly Series[],
  several: boolean,
  trans: TranslationBundle
): readonly Curve[] {
  return series
    .filter(each => each.name === name)
    .flatMap(each =>
      curvesOf(name, [each], several ? trans.__('attempt %1', each.attempt) : '', each.attempt - 1)
    );
}

interface CurvesProps {
  readonly names: readonly string[];
  readonly curves: ReadonlyMap<string, readonly Curve[]>;
  readonly trans: TranslationBundle;
}

/** A chart for each metric, with one choice of the axes for all. */
export function Curves({ names, curves, trans }: CurvesProps): JSX.Element {
  const [axis, setAxis] = useState<Axis>('step');
  const [log, setLog] = useState(false);
  const [all, setAll] = useState(false);
  const shown = all ? names : names.slice(0, MOST_CHARTS);
  return (
    <>
      <div className="aif-Curve-choices">
        <div role="group" aria-label={trans.__('Horizontal axis')} className="aif-Whose">
          {(['step', 'time'] as const).map(each => (
            <button
              key={each}
              type="button"
              aria-pressed={axis === each}
              onClick={() => {
                setAxis(each);
              }}
            >
              {each === 'step' ? trans.__('Steps') : trans.__('Time')}
            </button>
          ))}
        </div>
        <label>
          <input
            type="checkbox"
            checked={log}
            onChange={event => {
              setLog(event.target.checked);
            }}
          />{' '}
          {trans.__('Logarithmic')}
        </label>
      </div>
      <div className="aif-Curves">
        {shown.map(name => (
          <CurveChart
            key={name}
            name={name}
            curves={curves.get(name) ?? []}
            axis={axis}
            log={log}
            trans={trans}
          />
        ))}
      </div>
      {shown.length === names.length ? null : (
        <button
          type="button"
          className="aif-Link"
          onClick={() => {
            setAll(true);
          }}
        >
          {trans.__('Show all %1 charts', names.length)}
        </button>
      )}
    </>
  );
}

/** That not all points are there, and how many there were. */
export function Thinned({
  series,
  trans
}: {
  series: readonly Series[];
  trans: TranslationBundle;
}): JSX.Element | null {
  const thinned = series.filter(each => each.thinned);
  if (thinned.length === 0) {
    return null;
  }
  const kept = thinned.reduce((sum, each) => sum + each.points.length, 0);
  const reported = thinned.reduce((sum, each) => sum + each.reported, 0);
  return (
    <p className="aif-Quiet">
      {trans.__(
        'Thinned: of %1 points that were reported %2 are kept, among them the first, the last, the lowest and the highest of each metric.',
        reported.toLocaleString(),
        kept.toLocaleString()
      )}
    </p>
  );
}

function Points({ series, trans }: { series: readonly Series[]; trans: TranslationBundle }): JSX.Element {
  const [open, setOpen] = useState(false);
  return (
    <details
      className="aif-More"
      onToggle={event => {
        setOpen(event.currentTarget.open);
      }}
    >
      <summary>{trans.__('The points as a table')}</summary>
      {!open
        ? null
        : series.map(each => <PointTable key={`${each.attempt} ${each.name}`} of={each} trans={trans} />)}
    </details>
  );
}

function PointTable({ of, trans }: { of: Series; trans: TranslationBundle }): JSX.Element {
  const begin = of.points[0]?.time ?? 0;
  const shown = of.points.slice(-MOST_ROWS);
  return (
    <table className="aif-Table">
      <caption>
        {trans.__('%1, attempt %2', printable(of.name), of.attempt)}
        {shown.length === of.points.length ? '' : ` · ${trans.__('the last %1', shown.length)}`}
      </caption>
      <thead>
        <tr>
          <th scope="col">{trans.__('Step')}</th>
          <th scope="col">{trans.__('After')}</th>
          <th scope="col">{trans.__('Value')}</th>
        </tr>
      </thead>
      <tbody>
        {shown.map((point, index) => (
          <tr key={index}>
            <th scope="row" className="aif-Number">
              {point.step}
            </th>
            <td className="aif-Number">{duration(point.time - begin)}</td>
            <td className="aif-Number">{shortNumber(point.value)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
