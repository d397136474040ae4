/** The team's schedules, in a tab: when each submits next, what became of its last job, and what can be done to it. */

import { Dialog, MainAreaWidget, showDialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import { type JSX, useState } from 'react';
import { momentIn } from './format';
import { factoryIcon } from './icons';
import type { HubModel } from './model';
import { printable } from './printable';
import type { Job, Schedule } from './types';
import { type ScheduleList, useSchedules } from './useschedules';
import { SIGNS, stateName, troubleWords } from './words';

export const SCHEDULES_TAB = 'aifactory-hub-schedules';

export interface SchedulesOptions {
  readonly model: HubModel;
  readonly trans: TranslationBundle;
  readonly openJob: (job: { readonly id: string }) => void;
}

class SchedulesBody extends ReactWidget {
  constructor(private readonly options: SchedulesOptions) {
    super();
    this.addClass('aif-Job');
  }

  protected render(): JSX.Element {
    return <SchedulesView {...this.options} />;
  }
}

/** A tab for all of them. */
export function makeSchedulesTab(options: SchedulesOptions): MainAreaWidget {
  const tab = new MainAreaWidget({ content: new SchedulesBody(options) });
  tab.id = SCHEDULES_TAB;
  tab.title.label = options.trans.__('Schedules');
  tab.title.icon = factoryIcon;
  tab.title.closable = true;
  return tab;
}

function SchedulesView(options: SchedulesOptions): JSX.Element {
  const { model, trans } = options;
  const listed = useSchedules(model.api);
  const { schedules, trouble, more, showMore } = listed;
  return (
    <div className="aif-Schedules" ref={listed.box}>
      <h1>{trans.__('Schedules')}</h1>
      {trouble === null ? null : (
        <p className="aif-Notice" data-kind="trouble" role="status">
          {troubleWords(trouble, trans)}
        </p>
      )}
      {schedules === null ? (
        <p>{trouble === null ? trans.__('Asking for the schedules…') : ''}</p>
      ) : schedules.length === 0 ? (
        <p>{trans.__('No schedules yet. Tick "Repeat" in the form that submits a job.')}</p>
      ) : (
        <ScheduleTable {...options} listed={listed} schedules={schedules} />
      )}
      {more ? (
        <button type="button" className="aif-Link" onClick={showMore}>
          {trans.__('Show older ones')}
        </button>
      ) : null}
    </div>
  );
}

interface TableProps extends SchedulesOptions {
  readonly listed: ScheduleList;
  readonly schedules: readonly Schedule[];
}

function ScheduleTable({ schedules, ...rest }: TableProps): JSX.Element {
  const { trans } = rest;
  return (
    <div className="aif-Schedules-box" tabIndex={0} role="group" aria-label={trans.__('Schedules')}>
      <table className="aif-Table">
        <thead>
          <tr>
            <th scope="col">{trans.__('Name')}</th>
            <th scope="col">{trans.__('When')}</th>
            <th scope="col">{trans.__('Next run')}</th>
            <th scope="col">{trans.__('Last result')}</th>
            <th scope="col">{trans.__('Actions')}</th>
          </tr>
        </thead>
        <tbody>
          {schedules.map(schedule => (
            <ScheduleRow key={schedule.id} schedule={schedule} {...rest} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

interface RowProps extends Omit<TableProps, 'schedules'> {
  readonly schedule: Schedule;
}

function ScheduleRow(props: RowProps): JSX.Element {
  const { schedule, model, trans } = props;
  const { cron, time_zone: zone, next, owner } = schedule;
  const own = owner === model.overview?.here.user;
  return (
    <tr>
      <th scope="row">
        {nameOf(schedule)}
        {own ? null : <small>{printable(owner)}</small>}
      </th>
      <td>
        {cron}
        <small>{zone}</small>
      </td>
      <td>{next === null ? trans.__('Paused') : momentIn(next, zone)}</td>
      <td>
        <LastResult {...props} />
      </td>
      <td>
        <Actions {...props} own={own} />
      </td>
    </tr>
  );
}

/** The name of its jobs; without one, their command. */
function nameOf(schedule: Schedule): string {
  return printable(schedule.name ?? schedule.command);
}

function LastResult({ schedule, trans, openJob }: RowProps): JSX.Element {
  const { last_job: job, last_state: state, problem } = schedule;
  return (
    <>
      {job === null || state === null ? (
        problem === null ? (
          trans.__('None yet')
        ) : null
      ) : (
        <button
          type="button"
          className="aif-Link"
          onClick={() => {
            openJob({ id: job });
          }}
        >
          {`${SIGNS[state][0]} ${stateName(state, trans)}`}
        </button>
      )}
      {problem === null ? null : <small>{printable(problem)}</small>}
    </>
  );
}

function Actions({ schedule, own, listed, model, trans, openJob }: RowProps & { own: boolean }): JSX.Element {
  const [busy, setBusy] = useState(false);
  const [trouble, setTrouble] = useState<string | null>(null);
  const act = (action: () => Promise<unknown>) => {
    setBusy(true);
    setTrouble(null);
    action()
      .then(() => listed.refresh())
      .catch((error: unknown) => {
        setTrouble(troubleWords(error, trans));
      })
      .finally(() => {
        setBusy(false);
      });
  };
  const name = nameOf(schedule);
  const runNow = async (): Promise<void> => {
    const job: Job = await model.api.runSchedule(schedule.id);
    model.add(job);
    openJob(job);
  };
  return (
    <>
      <span className="aif-Schedules-actions">
        <Action
          name={schedule.paused ? trans.__('Resume') : trans.__('Pause')}
          about={schedule.paused ? trans.__('Resume %1', name) : trans.__('Pause %1', name)}
          busy={busy}
          act={() => {
            act(() => model.api.pauseSchedule(schedule.id, !schedule.paused));
          }}
        />
        {own ? (
          <Action
            name={trans.__('Run now')}
            about={trans.__('Run %1 now', name)}
            busy={busy}
            act={() => {
              act(runNow);
            }}
          />
        ) : null}
        <Action
          name={trans.__('Delete…')}
          about={trans.__('Delete %1', name)}
          busy={busy}
          act={() => {
            act(async () => {
              if (await confirmed(name, trans)) {
                await model.api.deleteSchedule(schedule.id);
              }
            });
          }}
        />
      </span>
      {trouble === null ? null : (
        <small className="aif-Problem" role="alert">
          {trouble}
        </small>
      )}
    </>
  );
}

async function confirmed(name: string, trans: TranslationBundle): Promise<boolean> {
  const { button } = await showDialog({
    title: trans.__('Delete the schedule %1?', name),
    body: trans.__('It submits no jobs any more. Jobs that it made stay.'),
    buttons: [Dialog.cancelButton(), Dialog.warnButton({ label: trans.__('Delete') })]
  });
  return button.accept;
}

interface ActionProps {
  readonly name: string;
  readonly about: string;
  readonly busy: boolean;
  readonly act: () => void;
}

function Action({ name, about, busy, act }: ActionProps): JSX.Element {
  return (
    <button type="button" className="aif-Link" aria-label={about} disabled={busy} onClick={act}>
      {name}
    </button>
  );
}
