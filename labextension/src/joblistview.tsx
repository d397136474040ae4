/** My jobs and the team's: only the rows that show are drawn, so that ten thousand are as quick as ten. */

import type { TranslationBundle } from '@jupyterlab/translation';
import { type JSX, type KeyboardEvent, useEffect, useId, useLayoutEffect, useRef, useState } from 'react';
import { duration, money, shortProfile, since } from './format';
import { lastValues } from './metrics';
import { printable } from './printable';
import type { Job } from './types';
import { useModel, useNow, type ViewProps } from './view';
import { evenRows, visibleRows } from './windowing';
import { jobReason, SIGNS, stateName } from './words';

/** Pixels; the style sheet has the same. */
const ROW = 68;
/** Milliseconds after the last key before the service is asked. */
const TYPING = 300;

interface ListProps extends ViewProps {
  readonly open: (job: Job) => void;
  /** Show these jobs beside each other; absent where that can't be done. */
  readonly compare?: (jobs: readonly Job[]) => void;
  /** What to say while there are no jobs at all. */
  readonly none?: string;
}

export function JobListView(props: ListProps): JSX.Element {
  const { model, trans } = props;
  useModel(model);
  return (
    <section className="aif-Jobs" aria-label={trans.__('Jobs')}>
      <Filters {...props} />
      {model.jobs === null ? (
        <p className="aif-Empty" role="status">
          {model.link === 'unknown' || model.link === 'ok' ? trans.__('Asking for the jobs…') : ''}
        </p>
      ) : model.jobs.length === 0 ? (
        <Empty {...props} />
      ) : (
        <Rows {...props} jobs={model.jobs} />
      )}
    </section>
  );
}

function Filters({ model, trans, compare }: ListProps): JSX.Element {
  const filter = model.filter;
  const [text, setText] = useState(filter.text);
  useEffect(() => {
    if (text === model.filter.text) {
      return undefined;
    }
    const timer = window.setTimeout(() => void model.setFilter({ ...model.filter, text }), TYPING);
    return () => {
      window.clearTimeout(timer);
    };
  }, [model, text]);
  const states: [string, string][] = [
    ['', trans.__('All states')],
    ['HELD,PENDING,QUEUED,STARTING,RUNNING,SUSPENDED', trans.__('Active')],
    ['QUEUED', stateName('QUEUED', trans)],
    ['RUNNING', stateName('RUNNING', trans)],
    ['SUCCEEDED', stateName('SUCCEEDED', trans)],
    ['FAILED', stateName('FAILED', trans)],
    ['CANCELLED', stateName('CANCELLED', trans)]
  ];
  return (
    <div className="aif-Filters">
      <div role="group" aria-label={trans.__('Whose jobs')} className="aif-Whose">
        {[false, true].map(mine => (
          <button
            key={String(mine)}
            type="button"
            aria-pressed={filter.mine === mine}
            onClick={() => void model.setFilter({ ...filter, mine })}
          >
            {mine ? trans.__('Mine') : trans.__("The team's")}
          </button>
        ))}
      </div>
      <select
        aria-label={trans.__('State')}
        value={filter.state}
        onChange={event => void model.setFilter({ ...filter, state: event.target.value })}
      >
        {states.map(([value, name]) => (
          <option key={value} value={value}>
            {name}
          </option>
        ))}
      </select>
      <input
        type="search"
        placeholder={trans.__('Filter by name or command')}
        aria-label={trans.__('Filter by name or command')}
        value={text}
        onChange={event => {
          setText(event.target.value);
        }}
      />
      {compare === undefined ? null : (
        <button
          type="button"
          className="aif-Link"
          disabled={(model.jobs ?? []).length === 0}
          onClick={() => {
            compare(model.jobs ?? []);
          }}
        >
          {trans.__('Compare these jobs')}
        </button>
      )}
    </div>
  );
}

function Empty({ model, trans, none }: ListProps): JSX.Element {
  const narrowed = model.filter.text !== '' || model.filter.state !== '';
  return (
    <p className="aif-Empty" role="status">
      {narrowed
        ? trans.__('No matching jobs')
        : (none ??
          trans.__(
            'No jobs yet. Submit a notebook with the button in its toolbar, or any file from its context menu.'
          ))}
    </p>
  );
}

function Rows({ model, trans, open, jobs }: ListProps & { jobs: readonly Job[] }): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const [scrollTop, setScrollTop] = useState(0);
  const [height, setHeight] = useState(400);
  const [active, setActive] = useState<string | null>(null);
  const now = useNow(10_000);
  const prefix = useId();
  useLayoutEffect(() => {
    const element = box.current;
    if (element === null) {
      return undefined;
    }
    const watch = new ResizeObserver(() => {
      setHeight(element.clientHeight || 400);
    });
    watch.observe(element);
    return () => {
      watch.disconnect();
    };
  }, []);
  const [first, last] = visibleRows(evenRows(jobs.length, ROW), scrollTop, height);
  useEffect(() => {
    if (last >= jobs.length - 10) {
      void model.loadMore();
    }
  }, [model, last, jobs.length]);

  const at = jobs.findIndex(job => job.id === active);
  const move = (to: number) => {
    const job = jobs[Math.min(jobs.length - 1, Math.max(0, to))];
    const element = box.current;
    if (job === undefined || element === null) {
      return;
    }
    setActive(job.id);
    const top = jobs.indexOf(job) * ROW;
    if (top < element.scrollTop) {
      element.scrollTop = top;
    } else if (top + ROW > element.scrollTop + element.clientHeight) {
      element.scrollTop = top + ROW - element.clientHeight;
    }
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const page = Math.max(1, Math.floor(height / ROW) - 1);
    const steps: Record<string, number> = {
      ArrowDown: at + 1,
      ArrowUp: at - 1,
      PageDown: at + page,
      PageUp: at - page,
      Home: 0,
      End: jobs.length - 1
    };
    const to = steps[event.key];
    const job = jobs[at];
    if (to !== undefined) {
      event.preventDefault();
      move(to);
    } else if ((event.key === 'Enter' || event.key === ' ') && job !== undefined) {
      event.preventDefault();
      open(job);
    }
  };
  // The active row may be out of sight, and then is not there to be pointed at.
  const activeId = at >= first && at < last ? `${prefix}${active ?? ''}` : undefined;
  return (
    <div
      ref={box}
      className="aif-Rows"
      role="listbox"
      tabIndex={0}
      aria-label={trans.__('Jobs, newest first')}
      aria-activedescendant={activeId}
      onKeyDown={onKeyDown}
      onFocus={event => {
        // By keyboard alone: a list that scrolls under a pressed mouse button would take the click from its row.
        if (at < 0 && event.currentTarget.matches(':focus-visible')) {
          move(first);
        }
      }}
      onScroll={event => {
        setScrollTop(event.currentTarget.scrollTop);
      }}
    >
      <div role="presentation" style={{ height: jobs.length * ROW }}>
        <div role="presentation" style={{ transform: `translateY(${first * ROW}px)` }}>
          {jobs.slice(first, last).map((job, index) => (
            <div
              key={job.id}
              id={`${prefix}${job.id}`}
              role="option"
              className="aif-Row"
              aria-selected={job.id === active}
              aria-setsize={model.more ? -1 : jobs.length}
              aria-posinset={first + index + 1}
              onClick={() => {
                setActive(job.id);
                open(job);
              }}
            >
              <Row job={job} now={now} own={job.owner === model.overview?.here.user} trans={trans} />
            </div>
          ))}
        </div>
      </div>
    </div>
  );
}

/** Its last metrics, how far it is, or how long it has yet to wait; empty when nothing is known. */
function outlook(job: Job, trans: TranslationBundle): string {
  const metrics = lastValues(job.progress?.metrics, 2);
  if (job.final) {
    return metrics;
  }
  const { percent, eta_seconds: left } = job.progress ?? { percent: null, eta_seconds: null };
  return [
    metrics,
    percent == null ? '' : `${Math.round(percent)} %`,
    left == null ? '' : trans.__('%1 to go', duration(left)),
    job.state === 'QUEUED' && job.expected_wait != null ? job.expected_wait.words : ''
  ]
    .filter(part => part !== '')
    .join(' · ');
}

interface RowProps {
  readonly job: Job;
  readonly now: Date;
  /** Whose it is needs no saying. */
  readonly own: boolean;
  readonly trans: TranslationBundle;
}

function Row({ job, now, own, trans }: RowProps): JSX.Element {
  const [sign, tone] = SIGNS[job.state];
  const state = stateName(job.state, trans);
  const told = [jobReason(job, trans), outlook(job, trans)].filter(part => part !== '').join(' · ');
  const ran = since(job.times.running, job.times.finished ?? now);
  const age = since(job.times.submitted, now);
  const cost = job.cost?.so_far == null ? '' : money(Number(job.cost.so_far), job.cost.currency);
  const about = [...(own ? [] : [printable(job.owner)]), shortProfile(job.profile)];
  return (
    <>
      <span className="aif-Sign" data-tone={tone} aria-hidden="true">
        {sign}
      </span>
      <span
        className="aif-Row-name"
        title={`${printable(job.name)}\n${job.command.split('\n').map(printable).join('\n')}`}
      >
        {printable(job.name)}
      </span>
      <span className="aif-Row-time" title={trans.__('Time that it has run')}>
        {ran === null ? '' : duration(ran)}
      </span>
      <span className="aif-Row-more" title={told === '' ? state : `${state} · ${told}`}>
        <b>{state}</b>
        {told === '' ? '' : ` · ${told}`}
      </span>
      <span className="aif-Row-about" title={`${printable(job.owner)} · ${job.profile}`}>
        {[...about, ...(age === null ? [] : [trans.__('%1 ago', duration(age))])].join(' · ')}
      </span>
      <span className="aif-Row-time" title={trans.__('Cost so far')}>
        {cost}
      </span>
      {job.progress?.percent == null || job.final ? null : (
        <progress
          className="aif-Row-progress"
          max={100}
          value={job.progress.percent}
          aria-label={trans.__('Progress')}
        />
      )}
    </>
  );
}
