/** The log in a job's tab: of the present attempt, of one of its steps, or of an attempt before. */

import type { TranslationBundle } from '@jupyterlab/translation';
import { type JSX, useEffect, useMemo, useState } from 'react';
import type { Api } from './api';
import { append, type Log, type LogRow, NOTHING_PRINTED, shownRows } from './log';
import type { LogTab } from './logtabs';
import { LogView } from './logview';
import { printable, savedName } from './printable';
import type { Job } from './types';
import { troubleWords } from './words';

interface JobLogProps {
  readonly job: Job;
  readonly api: Api;
  readonly log: Log;
  /** One step's part of it; null for the whole. */
  readonly part: { readonly name: string; readonly rows: readonly LogRow[] } | null;
  readonly showAll: () => void;
  readonly trans: TranslationBundle;
}

export function JobLog({ job, api, log, part, showAll, trans }: JobLogProps): JSX.Element {
  const [attempt, setAttempt] = useState(job.attempt);
  // A new attempt is what one wants to see, unless an earlier one was chosen.
  const [last, setLast] = useState(job.attempt);
  if (job.attempt !== last) {
    setLast(job.attempt);
    setAttempt(attempt === last ? job.attempt : attempt);
  }
  const earlier = useEarlier(api, job.id, attempt === job.attempt ? null : attempt, trans);
  const present = useMemo(() => shownRows(log), [log]);
  const whole = attempt === job.attempt ? present : earlier;
  const rows = part?.rows ?? whole ?? [];
  const waits = part === null && attempt === job.attempt && !job.final;
  return (
    <LogView
      // The place and what is searched for belong to one log.
      key={part?.name ?? attempt}
      rows={rows}
      title={part === null ? trans.__('Log') : trans.__('Log of %1', printable(part.name))}
      empty={
        whole === null
          ? trans.__('Asking for it…')
          : waits
            ? trans.__('Nothing yet.')
            : trans.__('It printed nothing.')
      }
      tabs={part === null ? tabsOf(job, trans) : []}
      chosen={String(attempt)}
      choose={id => {
        setAttempt(Number(id));
      }}
      back={part === null ? null : { label: trans.__('Show the whole log'), show: showAll }}
      download={{ address: api.logUrl(job.id, attempt), name: savedName(`${job.name}-${attempt}.log`) }}
      trans={trans}
    />
  );
}

/** The attempts whose log can be had: the present one, and those before of which one is stored. */
function tabsOf(job: Job, trans: TranslationBundle): readonly LogTab[] {
  return job.attempts
    .filter(attempt => attempt.attempt === job.attempt || attempt.log_size !== null)
    .map(attempt => ({ id: String(attempt.attempt), label: trans.__('Attempt %1', attempt.attempt) }));
}

/** What an earlier attempt has printed, or why that can't be had; null for none and until it has come. */
function useEarlier(
  api: Api,
  id: string,
  attempt: number | null,
  trans: TranslationBundle
): readonly LogRow[] | null {
  const [known, setKnown] = useState<{ attempt: number; rows: readonly LogRow[] } | null>(null);
  useEffect(() => {
    let gone = false;
    if (attempt !== null) {
      api
        .log(id, attempt)
        .catch((error: unknown) => troubleWords(error, trans))
        .then(text => {
          if (!gone) {
            setKnown({ attempt, rows: shownRows(append(NOTHING_PRINTED, text, false)) });
          }
        }, console.error);
    }
    return () => {
      gone = true;
    };
  }, [api, id, attempt, trans]);
  return known !== null && known.attempt === attempt ? known.rows : null;
}
