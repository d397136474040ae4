/** "Repeat": when the service submits the job by itself, with what it understood. */

import type { TranslationBundle } from '@jupyterlab/translation';
import { type JSX, useEffect, useId, useState } from 'react';
import type { Api } from './api';
import { Refused } from './errors';
import { momentIn } from './format';
import type { SchedulePreview, Timing } from './types';

/** Milliseconds after the last key before the service is asked. */
const TYPING = 400;
const EACH_MORNING = '0 6 * * *';

interface RepeatProps {
  /** Null for a job that is submitted once, now. */
  readonly timing: Timing | null;
  readonly api: Api;
  /** What the service said of one of these fields when it was sent. */
  readonly refused: Refused | null;
  readonly change: (timing: Timing | null) => void;
  readonly trans: TranslationBundle;
}

/** Whether a refusal is about one of the fields here. */
export function isOfTiming(error: unknown): error is Refused {
  return error instanceof Refused && (error.field === 'cron' || error.field === 'time_zone');
}

export function Repeat({ timing, api, refused, change, trans }: RepeatProps): JSX.Element {
  return (
    <fieldset className="aif-Repeat">
      <label className="aif-Check">
        <input
          type="checkbox"
          checked={timing !== null}
          onChange={event => {
            change(
              event.target.checked ? { cron: EACH_MORNING, time_zone: ownTimeZone(), overlap: 'skip' } : null
            );
          }}
        />
        <span>{trans.__('Repeat: submit it by the clock, with the files as they are now')}</span>
      </label>
      {timing === null ? null : (
        <RepeatFields timing={timing} api={api} refused={refused} change={change} trans={trans} />
      )}
    </fieldset>
  );
}

function ownTimeZone(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC';
}

interface FieldsProps extends RepeatProps {
  readonly timing: Timing;
}

function RepeatFields({ timing, api, refused, change, trans }: FieldsProps): JSX.Element {
  const [seen, problem] = usePreview(api, timing);
  const wrong = refused ?? problem;
  const about = (field: string) => (wrong?.field === field ? wrong.message : null);
  return (
    <>
      <TimingField
        label={trans.__('When (cron: minute, hour, day, month, weekday)')}
        value={timing.cron}
        choices={cronExamples(trans)}
        problem={about('cron')}
        change={cron => {
          change({ ...timing, cron });
        }}
      />
      <TimingField
        label={trans.__('Time zone')}
        value={timing.time_zone}
        choices={Intl.supportedValuesOf('timeZone').map(zone => [zone, ''])}
        problem={about('time_zone')}
        change={time_zone => {
          change({ ...timing, time_zone });
        }}
      />
      <p className="aif-Repeat-preview" role="status">
        {seen === null || wrong !== null ? '' : previewWords(seen, timing.time_zone, trans)}
      </p>
      <label className="aif-Check">
        <input
          type="checkbox"
          checked={timing.overlap === 'allow'}
          onChange={event => {
            change({ ...timing, overlap: event.target.checked ? 'allow' : 'skip' });
          }}
        />
        <span>{trans.__('Also while its job before goes on')}</span>
      </label>
    </>
  );
}

function cronExamples(trans: TranslationBundle): readonly (readonly [string, string])[] {
  return [
    ['0 * * * *', trans.__('every hour')],
    ['0 6 * * *', trans.__('every day at 6')],
    ['0 6 * * mon-fri', trans.__('each working day at 6')],
    ['0 6 * * mon', trans.__('every Monday at 6')],
    ['0 6 1 * *', trans.__('on the first of each month at 6')]
  ];
}

function previewWords(seen: SchedulePreview, timeZone: string, trans: TranslationBundle): string {
  const times = seen.times.map(time => momentIn(time, timeZone)).join(' · ');
  return trans.__('%1. Next: %2', seen.words, times);
}

interface TimingFieldProps {
  readonly label: string;
  readonly value: string;
  /** What is offered, with what it means. */
  readonly choices: readonly (readonly [string, string])[];
  /** Why it is refused, null when it is not. */
  readonly problem: string | null;
  readonly change: (value: string) => void;
}

function TimingField({ label, value, choices, problem, change }: TimingFieldProps): JSX.Element {
  const id = useId();
  return (
    <div className="aif-Field">
      <label htmlFor={id}>{label}</label>
      <input
        id={id}
        type="text"
        value={value}
        list={`${id}-choices`}
        spellCheck={false}
        autoComplete="off"
        aria-invalid={problem !== null}
        aria-describedby={`${id}-problem`}
        onChange={event => {
          change(event.target.value);
        }}
      />
      <datalist id={`${id}-choices`}>
        {choices.map(([choice, meaning]) => (
          <option key={choice} value={choice}>
            {meaning}
          </option>
        ))}
      </datalist>
      <small id={`${id}-problem`} className="aif-Problem" role="status">
        {problem}
      </small>
    </div>
  );
}

/** What the service makes of it, or why it refuses it; nothing of either until it has answered. */
function usePreview(
  api: Api,
  { cron, time_zone: zone }: Timing
): readonly [SchedulePreview | null, Refused | null] {
  const [answer, setAnswer] = useState<SchedulePreview | Refused | null>(null);
  useEffect(() => {
    let gone = false;
    setAnswer(null);
    const timer = window.setTimeout(() => {
      api
        .previewSchedule(cron, zone)
        // Without an answer there is no preview; what is sent is checked all the same.
        .catch((error: unknown) => (error instanceof Refused ? error : null))
        .then(found => {
          if (!gone) {
            setAnswer(found);
          }
        }, console.error);
    }, TYPING);
    return () => {
      gone = true;
      window.clearTimeout(timer);
    };
  }, [api, cron, zone]);
  return answer instanceof Refused ? [null, answer] : [answer, null];
}
