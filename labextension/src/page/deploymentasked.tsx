/** How often a deployment was asked and how long it took, drawn, and as a table; asked for when somebody opens it. */

import type { TranslationBundle } from '@jupyterlab/translation';
import { type JSX, useCallback, useId, useState } from 'react';
import { clock, momentIn } from '../format';
import { printable } from '../printable';
import { Answered } from './answered';
import {
  askedInWords,
  type Deployment,
  type DeploymentUsage,
  everySpan,
  RANGES,
  type Range,
  type Span,
  within
} from './deployments';
import { OpenedDetails } from './openeddetails';
import type { PageApi } from './pageapi';
import { useAnswer } from './useanswer';

/** Pixels of a drawing; it is as wide as its place. */
const HEIGHT = 96;
const STEP = 10;
/** What is above the last bound of the service's buckets is drawn at this height, in milliseconds. */
const TALLEST = 20_000;
const ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone;

interface AskedProps {
  readonly api: PageApi;
  readonly deployment: Deployment;
  readonly trans: TranslationBundle;
}

export function DeploymentAsked({ api, deployment, trans }: AskedProps): JSX.Element {
  return (
    <OpenedDetails summary={trans.__('What %1 was asked', printable(deployment.name))}>
      {() => <Asked {...{ api, deployment, trans }} />}
    </OpenedDetails>
  );
}

function Asked({ api, deployment, trans }: AskedProps): JSX.Element {
  const { tenant, name } = deployment;
  const [range, setRange] = useState<Range>('day');
  const { hours, step } = RANGES[range];
  const asked = useCallback(
    () => api.deploymentUsage(tenant, name, hours, step),
    [api, tenant, name, hours, step]
  );
  const found = useAnswer(asked);
  return (
    <>
      <RangeChoice {...{ range, setRange, trans }} />
      <Answered answer={found} trans={trans}>
        {said => <Drawn {...{ said, range, trans }} key={range} />}
      </Answered>
    </>
  );
}

interface ChoiceProps {
  readonly range: Range;
  readonly setRange: (range: Range) => void;
  readonly trans: TranslationBundle;
}

function RangeChoice({ range, setRange, trans }: ChoiceProps): JSX.Element {
  const id = useId();
  return (
    <p className="aif-Month">
      <label htmlFor={id}>{trans.__('Time')}</label>{' '}
      <select
        id={id}
        value={range}
        onChange={event => {
          setRange(event.target.value as Range);
        }}
      >
        <option value="hour">{trans.__('The last hour')}</option>
        <option value="day">{trans.__('The last 24 hours')}</option>
        <option value="week">{trans.__('The last 7 days')}</option>
      </select>
    </p>
  );
}

interface DrawnProps {
  readonly said: DeploymentUsage;
  readonly range: Range;
  readonly trans: TranslationBundle;
}

function Drawn({ said, range, trans }: DrawnProps): JSX.Element {
  const spans = everySpan(said.minutes, range, new Date());
  const words = askedInWords(said, trans);
  if (spans.every(each => each.asked === 0)) {
    return <p>{words}</p>;
  }
  const most = Math.max(...spans.map(each => each.asked));
  const slowest = Math.max(...spans.map(millis));
  return (
    <>
      <p>{words}</p>
      <svg {...drawing(spans)} aria-label={trans.__('Requests, %1 at most in one bar', String(most))}>
        {spans.map((each, index) => (
          <g key={each.at.getTime()}>
            <title>{title(each, trans)}</title>
            <Bar {...{ index, share: each.asked / most }} />
            <Bar {...{ index, share: each.failed / most }} kind="aif-Bar-failed" />
          </g>
        ))}
      </svg>
      <Foot {...{ spans, trans }} said={trans.__('Requests; the red part failed')} />
      <svg
        {...drawing(spans)}
        aria-label={trans.__('How long 95 % of the answers took; the tallest: %1', atMost(spans, trans))}
      >
        {spans.map((each, index) => (
          <g key={each.at.getTime()}>
            <title>{title(each, trans)}</title>
            <Bar {...{ index, share: each.asked === 0 ? 0 : millis(each) / slowest }} kind="aif-Bar-time" />
          </g>
        ))}
      </svg>
      <Foot
        {...{ spans, trans }}
        said={trans.__('How long 95 % took; the tallest: %1', atMost(spans, trans))}
      />
      <SpanTable {...{ spans, trans }} />
    </>
  );
}

function drawing(spans: readonly Span[]): JSX.IntrinsicElements['svg'] {
  const viewBox = `0 0 ${spans.length * STEP} ${HEIGHT}`;
  return { className: 'aif-Days', viewBox, preserveAspectRatio: 'none', role: 'img' };
}

interface BarProps {
  readonly index: number;
  readonly share: number;
  readonly kind?: string;
}

function Bar({ index, share, kind }: BarProps): JSX.Element | null {
  if (share === 0) {
    return null;
  }
  const height = Math.max(2, share * (HEIGHT - 2));
  return <rect className={kind} x={index * STEP + 1} width={STEP - 2} y={HEIGHT - height} height={height} />;
}

interface FootProps {
  readonly spans: readonly Span[];
  readonly said: string;
  readonly trans: TranslationBundle;
}

function Foot({ spans, said, trans }: FootProps): JSX.Element {
  return (
    <p className="aif-Quiet aif-Days-foot">
      <span>{spans[0] === undefined ? '' : momentIn(spans[0].at.toISOString(), ZONE)}</span>
      <span>{said}</span>
      <span>{trans.__('now, %1', clock(new Date()))}</span>
    </p>
  );
}

interface SpanTableProps {
  readonly spans: readonly Span[];
  readonly trans: TranslationBundle;
}

function SpanTable({ spans, trans }: SpanTableProps): JSX.Element {
  return (
    <details>
      <summary>{trans.__('Requests as a table')}</summary>
      <table className="aif-Table">
        <thead>
          <tr>
            <th scope="col">{trans.__('From')}</th>
            <th scope="col">{trans.__('Requests')}</th>
            <th scope="col">{trans.__('Failed')}</th>
            <th scope="col">{trans.__('Half')}</th>
            <th scope="col">{trans.__('95 %')}</th>
          </tr>
        </thead>
        <tbody>
          {spans
            .filter(each => each.asked > 0)
            .map(each => (
              <tr key={each.at.getTime()}>
                <th scope="row">{momentIn(each.at.toISOString(), ZONE)}</th>
                <td className="aif-Number">{each.asked}</td>
                <td className="aif-Number">{each.failed}</td>
                <td className="aif-Number">{within(each.p50, trans)}</td>
                <td className="aif-Number">{within(each.p95, trans)}</td>
              </tr>
            ))}
        </tbody>
      </table>
    </details>
  );
}

function title(span: Span, trans: TranslationBundle): string {
  const at = momentIn(span.at.toISOString(), ZONE);
  return span.asked === 0
    ? trans.__('%1: no requests', at)
    : trans.__(
        '%1: %2 requests, %3 failed; 95 % took %4',
        at,
        String(span.asked),
        String(span.failed),
        within(span.p95, trans)
      );
}

function millis(span: Span): number {
  return span.asked === 0 ? 0 : (span.p95 ?? TALLEST);
}

function atMost(spans: readonly Span[], trans: TranslationBundle): string {
  const most = Math.max(...spans.map(millis));
  return within(most === TALLEST ? null : most, trans);
}
