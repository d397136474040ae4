/** The chart of one metric: curves with axes, read with the pointer or the keyboard. */

import type { TranslationBundle } from '@jupyterlab/translation';
import { type JSX, type KeyboardEvent, type PointerEvent, useMemo, useRef, useState } from 'react';
import { type Axis, type Curve, draw, type Drawing, nearest, path, stops } from './curve';
import { shortNumber } from './metrics';
import { printable } from './printable';
import { tickLabel } from './scale';
import { useWidth } from './view';

const HEIGHT = 200;
/** Room for the labels, in pixels. */
const LEFT = 56;
const RIGHT = 12;
const TOP = 8;
const BOTTOM = 36;
/** Colours in the style sheet; dashes tell curves apart without colours. */
export const HUES = 8;
const DASHES = ['', '7 3', '2 3', '9 3 2 3'];

export interface CurveProps {
  readonly name: string;
  readonly curves: readonly Curve[];
  readonly axis: Axis;
  readonly log: boolean;
  readonly trans: TranslationBundle;
}

export function CurveChart({ name, curves, axis, log, trans }: CurveProps): JSX.Element {
  const drawing = useMemo(() => draw(curves, axis, log), [curves, axis, log]);
  return (
    <figure className="aif-Curve">
      <figcaption>{printable(name)}</figcaption>
      {drawing === null ? (
        <p className="aif-Quiet">
          {log ? trans.__('Nothing above zero to draw.') : trans.__('No number to draw yet.')}
        </p>
      ) : (
        <Plot name={name} drawing={drawing} trans={trans} />
      )}
      {drawing === null || drawing.left === 0 ? null : (
        <p className="aif-Quiet">{leftWords(drawing.left, log, trans)}</p>
      )}
    </figure>
  );
}

function leftWords(count: number, log: boolean, trans: TranslationBundle): string {
  return log
    ? trans._n(
        '%1 point is not drawn: it is NaN, infinite or not above zero.',
        '%1 points are not drawn: they are NaN, infinite or not above zero.',
        count,
        count
      )
    : trans._n(
        '%1 point is not drawn: it is NaN or infinite.',
        '%1 points are not drawn: they are NaN or infinite.',
        count,
        count
      );
}

interface PlotProps {
  readonly name: string;
  readonly drawing: Drawing;
  readonly trans: TranslationBundle;
}

/** A place from 0 to 1 that moves from dot to dot with the arrow keys. */
function useReading(drawing: Drawing) {
  const [at, read] = useState<number | null>(null);
  const places = useMemo(() => stops(drawing), [drawing]);
  const onKeyDown = (event: KeyboardEvent) => {
    const now = at === null ? -1 : places.findIndex(place => place >= at - 1e-9);
    const tenth = Math.max(1, Math.round(places.length / 10));
    const moves: Record<string, number> = {
      ArrowRight: now + 1,
      ArrowLeft: now - 1,
      PageDown: now + tenth,
      PageUp: now - tenth,
      Home: 0,
      End: places.length - 1
    };
    const to = moves[event.key];
    if (event.key === 'Escape') {
      read(null);
    } else if (to !== undefined) {
      event.preventDefault();
      read(places[Math.min(places.length - 1, Math.max(0, to))] ?? null);
    }
  };
  return { at, read, onKeyDown };
}

function Plot({ name, drawing, trans }: PlotProps): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const width = Math.max(60, useWidth(box, 320) - LEFT - RIGHT);
  const height = HEIGHT - TOP - BOTTOM;
  const { at, read, onKeyDown } = useReading(drawing);
  const onPointerMove = (event: PointerEvent<HTMLDivElement>) => {
    const left = event.currentTarget.getBoundingClientRect().left;
    read(Math.min(1, Math.max(0, (event.clientX - left - LEFT) / width)));
  };
  return (
    <>
      <div
        ref={box}
        className="aif-Curve-plot"
        role="img"
        tabIndex={0}
        aria-label={trans.__('Chart of %1. The arrow keys read its values.', printable(name))}
        onKeyDown={onKeyDown}
        onPointerMove={onPointerMove}
        onPointerLeave={() => {
          read(null);
        }}
      >
        <svg width={LEFT + width + RIGHT} height={HEIGHT} aria-hidden="true">
          <g transform={`translate(${LEFT} ${TOP})`}>
            <Axes drawing={drawing} width={width} height={height} trans={trans} />
            {drawing.curves.map((curve, index) => (
              <path
                key={index}
                d={path(curve.dots, width, height)}
                data-hue={curve.hue % HUES}
                strokeDasharray={DASHES[Math.floor(curve.hue / HUES) % DASHES.length]}
              />
            ))}
            <Marks drawing={drawing} at={at} width={width} height={height} />
          </g>
        </svg>
      </div>
      <Reading drawing={drawing} at={at} trans={trans} />
    </>
  );
}

interface SizedProps {
  readonly drawing: Drawing;
  readonly width: number;
  readonly height: number;
}

function Axes({ drawing, width, height, trans }: SizedProps & { trans: TranslationBundle }): JSX.Element {
  const { x, y, unit } = drawing;
  return (
    <>
      {y.ticks.map(({ at, label }) => {
        const top = (1 - (y.place(at) ?? 0)) * height;
        return (
          <g key={at}>
            <line x1={0} x2={width} y1={top} y2={top} />
            <text x={-6} y={top + 4} textAnchor="end">
              {label}
            </text>
          </g>
        );
      })}
      {x.ticks.map(({ at, label }) => (
        <text key={at} x={(x.place(at) ?? 0) * width} y={height + 15} textAnchor="middle">
          {label}
        </text>
      ))}
      <text x={width} y={height + 31} textAnchor="end">
        {axisName(unit, trans)}
      </text>
    </>
  );
}

function axisName(unit: Drawing['unit'], trans: TranslationBundle): string {
  return unit === null ? trans.__('Step') : trans.__('Time (%1)', unit);
}

function Marks({ drawing, at, width, height }: SizedProps & { at: number | null }): JSX.Element | null {
  if (at === null) {
    return null;
  }
  const dots = drawing.curves.map(curve => ({ hue: curve.hue, dot: nearest(curve.dots, at) }));
  return (
    <>
      <line className="aif-Curve-here" x1={at * width} x2={at * width} y1={0} y2={height} />
      {dots.map(({ hue, dot }, index) =>
        dot?.y == null ? null : (
          <circle key={index} cx={dot.x * width} cy={(1 - dot.y) * height} r={3.5} data-hue={hue % HUES} />
        )
      )}
    </>
  );
}

/** What is read at the place, in words: the value of each curve at its dot nearest to it. */
function Reading({
  drawing,
  at,
  trans
}: {
  drawing: Drawing;
  at: number | null;
  trans: TranslationBundle;
}): JSX.Element {
  const found =
    at === null
      ? []
      : drawing.curves.flatMap(curve => {
          const dot = nearest(curve.dots, at);
          return dot === null ? [] : [{ ...curve, dot }];
        });
  const where =
    found[0] === undefined ? '' : `${axisName(drawing.unit, trans)} ${tickLabel(found[0].dot.at)}: `;
  return (
    <p className="aif-Curve-reading" role="status">
      {where}
      {found.map(({ label, hue, dot }, index) => (
        <span key={index} data-hue={hue % HUES}>
          {label === '' ? '' : `${printable(label)} `}
          <b>{shortNumber(dot.value)}</b>{' '}
        </span>
      ))}
    </p>
  );
}
