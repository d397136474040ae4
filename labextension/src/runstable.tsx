/** The table of jobs beside each other: sorted, filtered, saved as CSV; what is ticked is drawn. */

import type { TranslationBundle } from '@jupyterlab/translation';
import { type JSX, useMemo, useState } from 'react';
import { HUES } from './curveview';
import { saveText } from './download';
import { printable } from './printable';
import { type Column, columnsOf, csvOf, filtered, type Order, sorted, textOf } from './runs';
import type { Job } from './types';
import { SIGNS, stateName } from './words';

interface TableProps {
  readonly jobs: readonly Job[];
  readonly drawn: readonly Job[];
  readonly choose: (ids: ReadonlySet<string>) => void;
  readonly openJob: (job: Job) => void;
  readonly trans: TranslationBundle;
}

/** The columns that every job has. */
function own(trans: TranslationBundle): readonly Column[] {
  return [
    { key: 'name', name: trans.__('Name'), kind: 'own', of: job => job.name },
    { key: 'state', name: trans.__('State'), kind: 'own', of: job => stateName(job.state, trans) },
    { key: 'profile', name: trans.__('Profile'), kind: 'own', of: job => job.profile }
  ];
}

export function RunsTable({ jobs, drawn, choose, openJob, trans }: TableProps): JSX.Element {
  const [text, setText] = useState('');
  const [order, setOrder] = useState<Order | null>(null);
  const columns = useMemo(() => columnsOf(jobs, own(trans)), [jobs, trans]);
  const by = columns.find(column => column.key === order?.key);
  const kept = filtered(jobs, columns, text);
  const shown = by === undefined ? kept : sorted(kept, by, order?.descending ?? false);
  const hues = new Map(drawn.map((job, index) => [job.id, index]));
  const tick = (job: Job) => {
    const ids = new Set(hues.keys());
    if (!ids.delete(job.id)) {
      ids.add(job.id);
    }
    choose(ids);
  };
  return (
    <>
      <Tools
        text={text}
        setText={setText}
        save={() => {
          saveText('jobs.csv', 'text/csv', csvOf(shown, columns));
        }}
        trans={trans}
      />
      <div className="aif-Runs-box">
        <table className="aif-Table">
          <Heads columns={columns} order={order} setOrder={setOrder} trans={trans} />
          <tbody>
            {shown.map(job => (
              <Row
                key={job.id}
                job={job}
                columns={columns}
                hue={hues.get(job.id) ?? null}
                tick={tick}
                open={openJob}
                trans={trans}
              />
            ))}
          </tbody>
        </table>
      </div>
      <p className="aif-Quiet" role="status">
        {shown.length === jobs.length ? '' : trans.__('%1 of %2 jobs', shown.length, jobs.length)}
        {missing(shown, by, trans)}
      </p>
    </>
  );
}

/** How many have nothing to be sorted by: they are last, whichever way it is sorted. */
function missing(jobs: readonly Job[], by: Column | undefined, trans: TranslationBundle): string {
  const without = by === undefined ? 0 : jobs.filter(job => textOf(by.of(job)) === '').length;
  return without === 0 || by === undefined
    ? ''
    : ` ${trans.__('%1 without %2: they come last.', without, printable(by.name))}`;
}

interface ToolsProps {
  readonly text: string;
  readonly setText: (text: string) => void;
  readonly save: () => void;
  readonly trans: TranslationBundle;
}

function Tools({ text, setText, save, trans }: ToolsProps): JSX.Element {
  return (
    <div className="aif-Runs-tools">
      <input
        type="search"
        value={text}
        placeholder={trans.__('Filter: a word, or loss<0.5')}
        aria-label={trans.__('Filter jobs by a word, or by a column, as in loss<0.5')}
        onChange={event => {
          setText(event.target.value);
        }}
      />
      <button type="button" className="jp-mod-styled" onClick={save}>
        {trans.__('Save as CSV')}
      </button>
    </div>
  );
}

interface HeadsProps {
  readonly columns: readonly Column[];
  readonly order: Order | null;
  readonly setOrder: (order: Order | null) => void;
  readonly trans: TranslationBundle;
}

/** Once: the smallest first; again: the largest first; once more: the newest job first, as at the beginning. */
function next(order: Order | null, key: string): Order | null {
  return order?.key !== key
    ? { key, descending: false }
    : order.descending
      ? null
      : { key, descending: true };
}

function Heads({ columns, order, setOrder, trans }: HeadsProps): JSX.Element {
  return (
    <thead>
      <tr>
        <th scope="col">{trans.__('Draw')}</th>
        {columns.map(column => {
          const descending = order?.key === column.key ? order.descending : null;
          return (
            <th
              key={column.key}
              scope="col"
              aria-sort={descending === null ? 'none' : descending ? 'descending' : 'ascending'}
              data-kind={column.kind}
            >
              <button
                type="button"
                className="aif-Sort"
                onClick={() => {
                  setOrder(next(order, column.key));
                }}
              >
                {printable(column.name)}
                <span aria-hidden="true">{descending === null ? '' : descending ? ' ▼' : ' ▲'}</span>
              </button>
            </th>
          );
        })}
      </tr>
    </thead>
  );
}

interface RowProps {
  readonly job: Job;
  readonly columns: readonly Column[];
  /** The number of its colour; null when it is not drawn. */
  readonly hue: number | null;
  readonly tick: (job: Job) => void;
  readonly open: (job: Job) => void;
  readonly trans: TranslationBundle;
}

function Row({ job, columns, hue, tick, open, trans }: RowProps): JSX.Element {
  return (
    <tr>
      <td className="aif-Runs-hue" data-hue={hue === null ? undefined : hue % HUES}>
        <input
          type="checkbox"
          checked={hue !== null}
          aria-label={trans.__('Draw %1', printable(job.name))}
          onChange={() => {
            tick(job);
          }}
        />
      </td>
      {columns.map(column => (
        <Cell key={column.key} job={job} column={column} open={open} />
      ))}
    </tr>
  );
}

function Cell({ job, column, open }: { job: Job; column: Column; open: (job: Job) => void }): JSX.Element {
  const text = printable(textOf(column.of(job)));
  if (column.key === 'name') {
    return (
      <th scope="row">
        <button
          type="button"
          className="aif-Link"
          onClick={() => {
            open(job);
          }}
        >
          {text}
        </button>
      </th>
    );
  }
  const [sign, tone] = SIGNS[job.state];
  return (
    <td className={column.kind === 'own' ? undefined : 'aif-Number'}>
      {column.key !== 'state' ? null : (
        <span className="aif-Sign" data-tone={tone} aria-hidden="true">
          {sign}{' '}
        </span>
      )}
      {text === '' ? '–' : text}
    </td>
  );
}
