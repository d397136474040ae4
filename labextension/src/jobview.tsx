/** One job: what it is, what it prints, what it gave back. */

import type { TranslationBundle } from '@jupyterlab/translation';
import { type JSX, useEffect, useMemo, useRef, useState } from 'react';
import { type Run, runBefore } from './compare';
import { Follower } from './follower';
import { Changes, Files, JobFacts } from './jobdetails';
import { JobHead } from './jobhead';
import { JobLog } from './joblog';
import { MetricsSection } from './metricsview';
import { type Log, NOTHING_PRINTED, shownRows } from './log';
import type { HubModel } from './model';
import { printable } from './printable';
import { type Chosen, logOf, sections } from './steps';
import { Steps } from './stepsview';
import type { ArtifactFile, Job, Provenance } from './types';
import { troubleWords } from './words';

export interface JobOptions {
  readonly model: HubModel;
  readonly trans: TranslationBundle;
  readonly id: string;
  /** Show a file that was saved below the server's folder; absent where there is no server. */
  readonly openFile?: (path: string) => void;
  readonly openJob: (job: Job) => void;
  /** Show all jobs of a sweep beside each other. */
  readonly compareSweep?: (sweep: string) => void;
  /** A form for what this job was made of, as it is now. */
  readonly submitAgain?: (job: Job, path: string) => void;
  /** Ask before a job is cancelled; without it, it is cancelled at once. */
  readonly confirm?: (question: string) => Promise<boolean>;
}

interface Seen {
  readonly job: Job | null;
  readonly log: Log;
  readonly files: readonly ArtifactFile[] | null;
  readonly from: Provenance | null;
  readonly before: Run | null;
  readonly trouble: string | null;
}

const NOTHING: Seen = {
  job: null,
  log: NOTHING_PRINTED,
  files: null,
  from: null,
  before: null,
  trouble: null
};

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
        setSeen(known => ({ ...known, trouble: error === null ? null : troubleWords(error, trans) }));
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
  const job = useRef(seen.job);
  job.current = seen.job;
  const known = seen.job !== null;
  useEffect(() => {
    if (known && job.current !== null) {
      const of = job.current;
      void from(model, of.id).then(found => {
        setSeen(before => ({ ...before, from: found }));
      });
      void lastRun(model, of).then(found => {
        setSeen(before => ({ ...before, before: found }));
      });
    }
  }, [model, known]);
  return [
    seen,
    job => {
      setSeen(known => ({ ...known, job }));
      model.learn(job);
    }
  ];
}

/** Null when it is not known, or can't be had now: nothing hangs on it. */
async function from(model: HubModel, id: string): Promise<Provenance | null> {
  return model.api.provenance(id).catch(() => null);
}

async function lastRun(model: HubModel, job: Job): Promise<Run | null> {
  try {
    const page = await model.api.jobs({ mine: false, text: job.name, state: '' }, null);
    const before = runBefore(job, page.jobs);
    return before === null ? null : { job: before, from: await from(model, before.id) };
  } catch {
    return null;
  }
}

export function JobView(props: JobOptions & { named: (name: string) => void }): JSX.Element {
  const { trans, named } = props;
  const [seen, learn] = useJob(props);
  const [chosen, choose] = useState<Chosen | null>(null);
  const hasSteps = (seen.job?.steps.length ?? 0) > 0;
  const parts = useMemo(() => (hasSteps ? sections(shownRows(seen.log)) : []), [hasSteps, seen.log]);
  const name = seen.job?.name;
  useEffect(() => {
    if (name !== undefined) {
      named(printable(name));
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
  const part = chosen === null ? null : logOf(parts, chosen);
  return (
    <>
      <JobHead {...props} job={seen.job} from={seen.from} learn={learn} />
      {trouble}
      {seen.job.simulated ? (
        <p className="aif-Notice" data-kind="simulated">
          {trans.__('The GPUs of this cluster are simulated.')}
        </p>
      ) : null}
      <div className="aif-Job-columns">
        <div>
          <MetricsSection job={seen.job} api={props.model.api} trans={trans} />
          <Steps job={seen.job} parts={parts} chosen={chosen} choose={choose} trans={trans} />
          <JobFacts job={seen.job} from={seen.from} trans={trans} />
          <Changes now={{ job: seen.job, from: seen.from }} before={seen.before} {...props} />
          <Files job={seen.job} files={seen.files} {...props} />
        </div>
        <JobLog
          job={seen.job}
          api={props.model.api}
          log={seen.log}
          part={chosen === null || part === null ? null : { name: chosen.name, rows: part }}
          showAll={() => {
            choose(null);
          }}
          trans={trans}
        />
      </div>
    </>
  );
}
