/** The head of a job's tab. */

import { type JSX, useEffect, useState } from 'react';
import { told } from './compare';
import type { JobOptions } from './jobview';
import type { HubModel } from './model';
import { printable } from './printable';
import type { Job, Provenance } from './types';
import { jobReason, SIGNS, stateName, troubleWords } from './words';

/** Whether the service can do this; false until it has said so. */
function useCan(model: HubModel, what: string): boolean {
  const [can, setCan] = useState(false);
  useEffect(() => {
    model.api.can(what).then(setCan, () => undefined);
  }, [model, what]);
  return can;
}

interface HeadProps extends JobOptions {
  readonly job: Job;
  readonly from: Provenance | null;
  readonly learn: (job: Job) => void;
}

/** Its name and state, and what can be done to it. */
export function JobHead(props: HeadProps): JSX.Element {
  const { job, from, trans, model, learn, openJob, submitAgain, compareSweep, confirm } = props;
  const { sweep } = job;
  const [trouble, setTrouble] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const again = useCan(model, 'retry');
  const pause = useCan(model, 'suspend');
  const [sign, tone] = SIGNS[job.state];
  const path = told(from, 'path');
  const reason = jobReason(job, trans);
  const act = (action: () => Promise<Job>, after: (job: Job) => void) => {
    setBusy(true);
    setTrouble(null);
    action()
      .then(after)
      .catch((error: unknown) => {
        setTrouble(troubleWords(error, trans));
      })
      .finally(() => {
        setBusy(false);
      });
  };
  return (
    <div className="aif-Job-head">
      <h1>{printable(job.name)}</h1>
      <p aria-live="polite">
        <span className="aif-Sign" data-tone={tone} aria-hidden="true">
          {sign}
        </span>{' '}
        <b>{stateName(job.state, trans)}</b>
        {reason === '' ? '' : ` · ${reason}`}
      </p>
      <div className="aif-Actions">
        {job.final ? (
          <>
            {!again ? null : (
              <Action
                name={trans.__('Retry')}
                about={trans.__('Run it again as it was, with the same files')}
                busy={busy}
                act={() => {
                  act(() => model.api.retry(job.id), openJob);
                }}
              />
            )}
            {path === '' || submitAgain === undefined ? null : (
              <Action
                name={trans.__('Submit again…')}
                about={trans.__('Fill in the form for %1 as it is now', path)}
                busy={busy}
                act={() => {
                  submitAgain(job, path);
                }}
              />
            )}
          </>
        ) : (
          <>
            {job.state === 'SUSPENDED' ? (
              <Action
                name={trans.__('Resume')}
                about={trans.__('Let it queue again')}
                busy={busy}
                act={() => {
                  act(() => model.api.resume(job.id), learn);
                }}
              />
            ) : !pause ? null : (
              <Action
                name={job.suspend_asked ? trans.__('Suspending…') : trans.__('Suspend')}
                about={trans.__('Stop it and give its place back until it is resumed')}
                busy={busy || job.cancel_asked || job.suspend_asked}
                act={() => {
                  act(() => model.api.suspend(job.id), learn);
                }}
              />
            )}
            <Action
              name={job.cancel_asked ? trans.__('Cancelling…') : trans.__('Cancel job')}
              about={trans.__('End it; what it has printed is kept')}
              danger
              busy={busy || job.cancel_asked}
              act={() => {
                void asked(confirm, trans.__('Cancel %1?', printable(job.name))).then(yes => {
                  if (yes) {
                    act(() => model.api.cancel(job.id), learn);
                  }
                });
              }}
            />
          </>
        )}
        {sweep === null || compareSweep === undefined ? null : (
          <Action
            name={trans.__('Compare the sweep')}
            about={trans.__('Show the jobs that were submitted together beside each other')}
            busy={false}
            act={() => {
              compareSweep(sweep);
            }}
          />
        )}
      </div>
      {trouble === null ? null : (
        <p className="aif-Notice" data-kind="trouble" role="alert">
          {trouble}
        </p>
      )}
      {job.progress?.percent == null || job.final ? null : (
        <progress max={100} value={job.progress.percent} aria-label={trans.__('Progress')} />
      )}
    </div>
  );
}

/** What a person answered; yes where nobody is asked. */
async function asked(confirm: JobOptions['confirm'], question: string): Promise<boolean> {
  return confirm === undefined || (await confirm(question));
}

interface ActionProps {
  readonly name: string;
  readonly about: string;
  readonly busy: boolean;
  readonly danger?: boolean;
  readonly act: () => void;
}

function Action({ name, about, busy, danger, act }: ActionProps): JSX.Element {
  return (
    <button
      type="button"
      className={danger === true ? 'jp-mod-styled aif-Danger' : 'jp-mod-styled'}
      title={about}
      disabled={busy}
      onClick={act}
    >
      {name}
    </button>
  );
}
