/** One job, in a tab of its own: what it is, what it prints, what it gave back. */

import { MainAreaWidget } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import { type JSX, useEffect, useLayoutEffect, useRef, useState } from 'react';
import { Offline } from './errors';
import { type Difference, differences, runBefore } from './compare';
import { bytes, duration, money, since } from './format';
import { Follower } from './follower';
import { factoryIcon } from './icons';
import type { HubModel } from './model';
import type { ArtifactFile, Job } from './types';
import { useNow } from './view';
import { jobReason, SIGNS, stateName, waitWords } from './words';

export interface JobOptions {
  readonly model: HubModel;
  readonly trans: TranslationBundle;
  readonly id: string;
  /** Show a file that was saved below the server's folder. */
  readonly openFile: (path: string) => void;
  readonly openJob: (job: Job) => void;
}

class JobBody extends ReactWidget {
  constructor(
    private readonly options: JobOptions,
    private readonly named: (name: string) => void
  ) {
    super();
    this.addClass('aif-Job');
  }

  protected render(): JSX.Element {
    return <JobView {...this.options} named={this.named} />;
  }
}

/** A tab for one job. */
export function makeJobTab(options: JobOptions): MainAreaWidget {
  let tab: MainAreaWidget | null = null;
  const content = new JobBody(options, name => {
    if (tab !== null) {
      tab.title.label = name;
    }
  });
  tab = new MainAreaWidget({ content });
  tab.id = `aifactory-hub-job-${options.id}`;
  tab.title.label = options.id;
  tab.title.icon = factoryIcon;
  tab.title.closable = true;
  return tab;
}

interface Seen {
  readonly job: Job | null;
  readonly log: string;
  readonly files: readonly ArtifactFile[] | null;
  readonly before: Job | null;
  readonly trouble: string | null;
}

const NOTHING: Seen = { job: null, log: '', files: null, before: null, trouble: null };

/** Follows a job until it has ended, and only while the page is seen: the service tells, nobody asks again and again. */
function useJob({ model, id, trans }: JobOptions): readonly [Seen, (job: Job) => void] {
  const [seen, setSeen] = useState<Seen>(NOTHING);
  useEffect(() => {
    const follower = new Follower(model.api, id, {
      job: job => {
        setSeen(known => ({ ...known, job, trouble: null }));
        model.learn(job);
      },
      log: log => {
        setSeen(known => ({ ...known, log }));
      },
      files: files => {
        setSeen(known => ({ ...known, files }));
      },
      trouble: error => {
        setSeen(known => ({ ...known, trouble: error === null ? null : words(error, trans) }));
      }
    });
    const look = () => {
      follower.follow(!document.hidden);
    };
    look();
    document.addEventListener('visibilitychange', look);
    return () => {
      document.removeEventListener('visibilitychange', look);
      follower.dispose();
    };
  }, [model, id, trans]);
  const name = seen.job?.name;
  useEffect(() => {
    if (name === undefined) {
      return;
    }
    model.api
      .jobs({ mine: false, text: name, state: '' }, null)
      .then(page => {
        setSeen(known => ({ ...known, before: known.job === null ? null : runBefore(known.job, page.jobs) }));
      })
      .catch(() => undefined);
  }, [model, name]);
  return [
    seen,
    job => {
      setSeen(known => ({ ...known, job }));
      model.learn(job);
    }
  ];
}

function words(error: unknown, trans: TranslationBundle): string {
  if (error instanceof Offline) {
    return trans.__('No connection to your server or to the job service. The job goes on; trying again.');
  }
  return error instanceof Error ? error.message : String(error);
}

function JobView(props: JobOptions & { named: (name: string) => void }): JSX.Element {
  const { trans, named } = props;
  const [seen, learn] = useJob(props);
  const name = seen.job?.name;
  useEffect(() => {
    if (name !== undefined) {
      named(name);
    }
  }, [name, named]);
  const trouble =
    seen.trouble === null ? null : (
      <p className="aif-Notice" data-kind="trouble" role="status">
        {seen.trouble}
      </p>
    );
  if (seen.job === null) {
    return trouble ?? <p className="aif-Empty">{trans.__('Asking for the job…')}</p>;
  }
  return (
    <>
      <JobHead {...props} job={seen.job} learn={learn} />
      {trouble}
      {seen.job.simulated ? (
        <p className="aif-Notice" data-kind="simulated">
          {trans.__('The GPUs of this cluster are simulated.')}
        </p>
      ) : null}
      <div className="aif-Job-columns">
        <div>
          <JobFacts job={seen.job} trans={trans} />
          <Changes job={seen.job} before={seen.before} {...props} />
          <Files job={seen.job} files={seen.files} {...props} />
        </div>
        <Log job={seen.job} text={seen.log} trans={trans} />
      </div>
    </>
  );
}

/** Whether the service can do this; false until it has said so. */
function useCan(model: HubModel, what: string): boolean {
  const [can, setCan] = useState(false);
  useEffect(() => {
    model.api.can(what).then(setCan, () => undefined);
  }, [model, what]);
  return can;
}

interface Shown {
  readonly job: Job;
  readonly trans: TranslationBundle;
}

function JobHead({
  job,
  trans,
  model,
  learn,
  openJob
}: Shown & JobOptions & { learn: (job: Job) => void }): JSX.Element {
  const [trouble, setTrouble] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const again = useCan(model, 'retry');
  const pause = useCan(model, 'suspend');
  const [sign, tone] = SIGNS[job.state];
  const reason = jobReason(job, trans);
  const act = (action: () => Promise<Job>, after: (job: Job) => void) => {
    setBusy(true);
    setTrouble(null);
    action()
      .then(after)
      .catch((error: unknown) => {
        setTrouble(words(error, trans));
      })
      .finally(() => {
        setBusy(false);
      });
  };
  return (
    <div className="aif-Job-head">
      <h1>{job.name}</h1>
      <p aria-live="polite">
        <span className="aif-Sign" data-tone={tone} aria-hidden="true">
          {sign}
        </span>{' '}
        <b>{stateName(job.state, trans)}</b>
        {reason === '' ? '' : ` · ${reason}`}
      </p>
      <div className="aif-Actions">
        {job.final ? (
          !again ? null : (
            <button
              type="button"
              className="jp-mod-styled"
              disabled={busy}
              onClick={() => {
                act(() => model.api.retry(job.id), openJob);
              }}
            >
              {trans.__('Run again')}
            </button>
          )
        ) : (
          <>
            {job.state === 'SUSPENDED' ? (
              <button
                type="button"
                className="jp-mod-styled"
                disabled={busy}
                onClick={() => {
                  act(() => model.api.resume(job.id), learn);
                }}
              >
                {trans.__('Resume')}
              </button>
            ) : !pause ? null : (
              <button
                type="button"
                className="jp-mod-styled"
                disabled={busy || job.cancel_asked}
                onClick={() => {
                  act(() => model.api.suspend(job.id), learn);
                }}
              >
                {trans.__('Suspend')}
              </button>
            )}
            <button
              type="button"
              className="jp-mod-styled jp-mod-warn"
              disabled={busy || job.cancel_asked}
              onClick={() => {
                act(() => model.api.cancel(job.id), learn);
              }}
            >
              {job.cancel_asked ? trans.__('Cancelling') : trans.__('Cancel')}
            </button>
          </>
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

function JobFacts({ job, trans }: Shown): JSX.Element {
  const now = useNow(5_000);
  const rows: [string, string][] = [
    [trans.__('Id'), job.id],
    [trans.__('Owner'), job.owner],
    [trans.__('Profile'), job.profile],
    [trans.__('Command'), job.command]
  ];
  const waited = since(job.times.submitted, job.times.running ?? job.times.finished ?? now);
  const ran = since(job.times.running, job.times.finished ?? now);
  if (waited !== null) {
    rows.push([trans.__('Waited'), duration(waited)]);
  }
  if (ran !== null) {
    rows.push([trans.__('Ran'), duration(ran)]);
  }
  const expected = waitWords(job, trans);
  if (expected !== null) {
    rows.push([trans.__('Expected wait'), expected]);
  }
  if (job.progress?.eta_seconds != null && !job.final) {
    rows.push([trans.__('Left to do'), duration(job.progress.eta_seconds)]);
  }
  if (job.cost?.so_far != null) {
    rows.push([trans.__('Cost so far'), money(Number(job.cost.so_far))]);
  }
  if (job.cost?.at_most != null && !job.final) {
    rows.push([trans.__('Cost at most'), money(Number(job.cost.at_most))]);
  }
  if (job.environment.length > 0) {
    rows.push([trans.__('Variables'), job.environment.join(', ')]);
  }
  return (
    <section aria-label={trans.__('Facts')}>
      <dl className="aif-Facts aif-Facts-long">
        {rows.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

function Changes({
  job,
  before,
  trans,
  openJob
}: Shown & JobOptions & { before: Job | null }): JSX.Element | null {
  if (before === null) {
    return null;
  }
  const found = differences(before, job);
  const names: Record<Difference['field'], string> = {
    command: trans.__('Command'),
    profile: trans.__('Profile'),
    files: trans.__('Files'),
    outputs: trans.__('Files to bring back'),
    environment: trans.__('Variables')
  };
  return (
    <section>
      <h2>{trans.__('What differs from the last run')}</h2>
      {found.length === 0 ? (
        <p>{trans.__('Nothing that is known here.')}</p>
      ) : (
        <table className="aif-Table">
          <thead>
            <tr>
              <th scope="col">{trans.__('What')}</th>
              <th scope="col">{trans.__('Then')}</th>
              <th scope="col">{trans.__('Now')}</th>
            </tr>
          </thead>
          <tbody>
            {found.map(difference => (
              <tr key={difference.field}>
                <th scope="row">{names[difference.field]}</th>
                <td>{difference.before || '–'}</td>
                <td>{difference.now || '–'}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <button
        type="button"
        className="aif-Link"
        onClick={() => {
          openJob(before);
        }}
      >
        {trans.__('Show the last run (%1)', stateName(before.state, trans))}
      </button>
    </section>
  );
}

function Files({
  job,
  files,
  trans,
  model,
  openFile
}: Shown & JobOptions & { files: readonly ArtifactFile[] | null }): JSX.Element {
  const [saving, setSaving] = useState<Readonly<Record<string, string>>>({});
  const left = Object.entries(job.left);
  const save = (file: ArtifactFile) => {
    setSaving(known => ({ ...known, [file.name]: trans.__('Saving…') }));
    model.api
      .saveArtifact(job.id, file.name)
      .then(path => {
        setSaving(known => ({ ...known, [file.name]: trans.__('Saved as %1', path) }));
        openFile(path);
      })
      .catch((error: unknown) => {
        setSaving(known => ({ ...known, [file.name]: words(error, trans) }));
      });
  };
  return (
    <section>
      <h2>{trans.__('Files that it gave back')}</h2>
      {files === null ? (
        <p>{trans.__('They come when the job has ended.')}</p>
      ) : files.length === 0 ? (
        <p>{trans.__('None.')}</p>
      ) : (
        <table className="aif-Table">
          <thead>
            <tr>
              <th scope="col">{trans.__('Name')}</th>
              <th scope="col">{trans.__('Size')}</th>
              <th scope="col">{trans.__('Take it')}</th>
            </tr>
          </thead>
          <tbody>
            {files.map(file => (
              <tr key={file.name}>
                <th scope="row">{file.name}</th>
                <td className="aif-Number">{bytes(file.size)}</td>
                <td>
                  <a
                    className="aif-Link"
                    href={model.api.artifactUrl(job.id, file.name)}
                    download={file.name.split('/').pop()}
                    aria-label={trans.__('Download %1', file.name)}
                  >
                    {trans.__('Download')}
                  </a>{' '}
                  <button
                    type="button"
                    className="aif-Link"
                    aria-label={trans.__('Save %1 among my files and open it', file.name)}
                    onClick={() => {
                      save(file);
                    }}
                  >
                    {trans.__('Open')}
                  </button>
                  <span role="status">{saving[file.name] ?? ''}</span>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {left.length === 0 ? null : (
        <ul>
          {left.map(([name, why]) => (
            <li key={name}>{trans.__('%1 was left behind: %2', name, why)}</li>
          ))}
        </ul>
      )}
    </section>
  );
}

/** What it printed. It follows the end as long as the end is what is looked at. */
function Log({ job, text, trans }: Shown & { text: string }): JSX.Element {
  const box = useRef<HTMLPreElement>(null);
  const [follow, setFollow] = useState(true);
  useLayoutEffect(() => {
    if (follow && box.current !== null) {
      box.current.scrollTop = box.current.scrollHeight;
    }
  }, [follow, text]);
  return (
    <section className="aif-Log" aria-label={trans.__('Log')}>
      <h2>{trans.__('Log')}</h2>
      <pre
        ref={box}
        tabIndex={0}
        aria-label={trans.__('What the job has printed')}
        onScroll={event => {
          const { scrollTop, scrollHeight, clientHeight } = event.currentTarget;
          setFollow(scrollHeight - scrollTop - clientHeight < 24);
        }}
      >
        {text === '' ? (job.final ? trans.__('It printed nothing.') : trans.__('Nothing yet.')) : text}
      </pre>
    </section>
  );
}
