/** What a job's tab tells below its head. */

import type { TranslationBundle } from '@jupyterlab/translation';
import { type JSX, useState } from 'react';
import { commandOf, commitOf, differences, type Field, parametersOf, type Run } from './compare';
import { bytes, duration, money, since } from './format';
import type { JobOptions } from './jobview';
import { printable, savedName } from './printable';
import type { ArtifactFile, Job, Provenance } from './types';
import { useNow } from './view';
import { attemptWords, stateName, troubleWords, waitWords } from './words';

interface Shown {
  readonly job: Job;
  readonly trans: TranslationBundle;
}

interface FactsProps extends Shown {
  readonly from: Provenance | null;
}

/** What is known of it, and of the attempts before this one. */
export function JobFacts({ job, from, trans }: FactsProps): JSX.Element {
  const now = useNow(5_000);
  const rows: [string, string][] = [
    [trans.__('Id'), job.id],
    [trans.__('Owner'), printable(job.owner)],
    [trans.__('Profile'), job.profile]
  ];
  // A workflow brings commands and images of its own, one for each step.
  const ofSteps = job.command === '';
  if (!ofSteps) {
    rows.push([trans.__('Command'), commandOf(job)]);
  }
  for (const [name, value] of Object.entries(parametersOf(job.command) ?? {})) {
    rows.push([trans.__('Parameter %1', name), JSON.stringify(value)]);
  }
  rows.push([trans.__('Submitted'), new Date(job.times.submitted).toLocaleString()]);
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
    rows.push([trans.__('Remaining'), duration(job.progress.eta_seconds)]);
  }
  if (job.cost?.so_far != null) {
    rows.push([
      job.final ? trans.__('Cost') : trans.__('Cost so far'),
      money(Number(job.cost.so_far), job.cost.currency)
    ]);
  }
  if (job.cost?.at_most != null && !job.final) {
    rows.push([trans.__('Cost at most'), money(Number(job.cost.at_most), job.cost.currency)]);
  }
  if (!job.final) {
    rows.push([trans.__('Time limit'), duration(job.max_seconds)]);
  }
  rows.push([trans.__('Engine'), job.engine]);
  if (!ofSteps) {
    rows.push([trans.__('Image'), job.own_image ? trans.__('%1 (the notebook’s)', job.image) : job.image]);
  }
  if (job.nodes > 1) {
    rows.push([trans.__('Nodes'), String(job.nodes)]);
  }
  if (job.template !== null) {
    rows.push([trans.__('Template'), job.template]);
  }
  if (job.retries.most > 0) {
    rows.push([trans.__('Retries'), trans.__('%1 of %2 used', job.retries.used, job.retries.most)]);
  }
  const commit = commitOf(from);
  if (commit !== '') {
    rows.push([trans.__('Commit'), commit]);
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
      <Attempts job={job} trans={trans} />
    </section>
  );
}

function Attempts({ job, trans }: Shown): JSX.Element | null {
  const before = job.attempts.filter(attempt => attempt.attempt < job.attempt);
  if (before.length === 0) {
    return null;
  }
  return (
    <>
      <h2>{trans.__('Previous attempts')}</h2>
      <ol className="aif-Attempts">
        {before.map(attempt => (
          <li key={attempt.attempt} value={attempt.attempt}>
            {attemptWords(attempt, trans)}
          </li>
        ))}
      </ol>
    </>
  );
}

interface ChangesProps extends JobOptions {
  readonly now: Run;
  readonly before: Run | null;
}

export function Changes({ now, before, trans, openJob }: ChangesProps): JSX.Element | null {
  if (before === null) {
    return null;
  }
  const found = differences(before, now);
  const names: Record<Field, string> = {
    command: trans.__('Command'),
    parameters: trans.__('Parameters'),
    profile: trans.__('Profile'),
    image: trans.__('Image'),
    commit: trans.__('Commit'),
    packages: trans.__('Packages'),
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
        <table className="aif-Table aif-Changes">
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
          openJob(before.job);
        }}
      >
        {trans.__('Show the last run (%1)', stateName(before.job.state, trans))}
      </button>
    </section>
  );
}

export function Files({
  job,
  files,
  trans,
  model,
  openFile
}: Shown & JobOptions & { files: readonly ArtifactFile[] | null }): JSX.Element | null {
  const [saving, setSaving] = useState<Readonly<Record<string, string>>>({});
  const left = Object.entries(job.left);
  const save = (file: ArtifactFile) => {
    setSaving(known => ({ ...known, [file.name]: trans.__('Saving…') }));
    model.api
      .saveArtifact(job.id, file.name)
      .then(path => {
        setSaving(known => ({ ...known, [file.name]: trans.__('Saved as %1', path) }));
        openFile?.(path);
      })
      .catch((error: unknown) => {
        setSaving(known => ({ ...known, [file.name]: troubleWords(error, trans) }));
      });
  };
  // A workflow's steps give none back.
  if (job.command === '' && !files?.length && left.length === 0) {
    return null;
  }
  return (
    <section>
      <h2>{trans.__('Output files')}</h2>
      {files === null ? (
        <p>{job.final ? trans.__('Asking for them…') : trans.__('They come when the job has ended.')}</p>
      ) : files.length === 0 ? (
        <p>{trans.__('None.')}</p>
      ) : (
        <table className="aif-Table">
          <thead>
            <tr>
              <th scope="col">{trans.__('Name')}</th>
              <th scope="col">{trans.__('Size')}</th>
              <th scope="col">{trans.__('Actions')}</th>
            </tr>
          </thead>
          <tbody>
            {files.map(file => (
              <tr key={file.name}>
                <th scope="row">{printable(file.name)}</th>
                <td className="aif-Number">{bytes(file.size)}</td>
                <td>
                  <a
                    className="aif-Link"
                    href={model.api.artifactUrl(job.id, file.name)}
                    download={savedName(file.name)}
                    aria-label={trans.__('Download %1', printable(file.name))}
                  >
                    {trans.__('Download')}
                  </a>{' '}
                  {openFile === undefined ? null : (
                    <button
                      type="button"
                      className="aif-Link"
                      aria-label={trans.__('Save %1 among my files and open it', printable(file.name))}
                      onClick={() => {
                        save(file);
                      }}
                    >
                      {trans.__('Open')}
                    </button>
                  )}
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
