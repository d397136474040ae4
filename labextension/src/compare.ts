/** What differs between two jobs: pure. */

import type { Job, Provenance } from './types';

export type Field =
  | 'command'
  | 'parameters'
  | 'profile'
  | 'image'
  | 'files'
  | 'commit'
  | 'packages'
  | 'outputs'
  | 'environment';

export interface Difference {
  readonly field: Field;
  readonly before: string;
  readonly now: string;
}

/** A job and where it comes from; null where that is not known. */
export interface Run {
  readonly job: Job;
  readonly from: Provenance | null;
}

/** How many packages are named one by one. */
const PACKAGES = 6;

/** The notebook's parameters that a command hands over, as JSON; null when it hands over none. */
export function parametersOf(command: string): Readonly<Record<string, unknown>> | null {
  const quoted = /^python3 (?:-P )?-m aifactory_hub\.runner\.notebook .* --parameters (.+)$/s.exec(
    command
  )?.[1];
  if (quoted === undefined) {
    return null;
  }
  try {
    // As a shell reads one word: what is between quotes as it is, "'"'"'" as one quote.
    const value: unknown = JSON.parse(quoted.replace(/^'|'$/g, '').replaceAll(`'"'"'`, "'"));
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}

/** The command without its parameters, which are shown by themselves. */
export function commandOf(job: Job): string {
  return parametersOf(job.command) === null ? job.command : job.command.replace(/ --parameters .+$/s, '');
}

/** What a job's client said of where it comes from, when it is text. */
export function told(from: Provenance | null, name: string): string {
  const value = from?.provenance?.[name];
  return typeof value === 'string' ? value : '';
}

/** "main 1a2b3c4d5e6f, with changes"; empty outside a repository. */
export function commitOf(from: Provenance | null): string {
  const commit = told(from, 'commit').slice(0, 12);
  const words = [told(from, 'branch'), commit, from?.provenance?.dirty === true ? '+' : ''];
  return commit === '' ? '' : words.filter(word => word !== '').join(' ');
}

function parametersText({ job }: Run): string {
  const entries = Object.entries(parametersOf(job.command) ?? {});
  return entries.map(([name, value]) => `${name} = ${JSON.stringify(value)}`).join(', ');
}

/** How the fields are shown side by side; digests are cut, for nobody compares 64 digits. */
const FIELDS: Readonly<Record<Exclude<Field, 'packages'>, (run: Run) => string>> = {
  command: run => commandOf(run.job),
  parameters: parametersText,
  profile: run => run.job.profile,
  image: run => run.from?.image ?? '',
  commit: run => commitOf(run.from),
  files: run => run.job.files?.slice(0, 12) ?? '',
  outputs: run => (run.job.outputs ?? []).join(', '),
  environment: run => run.job.environment.join(', ')
};

/** What differs; the values of variables are secrets and never come here, so only their names are compared. */
export function differences(before: Run, now: Run): readonly Difference[] {
  const found: Difference[] = (Object.keys(FIELDS) as (keyof typeof FIELDS)[])
    .map(field => ({ field, before: FIELDS[field](before), now: FIELDS[field](now) }))
    .filter(({ before: old, now: fresh }) => old !== fresh);
  const packages = packageDifference(before.from, now.from);
  return packages === null ? found : [...found, packages];
}

function packagesOf(from: Provenance | null): ReadonlyMap<string, string> | null {
  const lines: unknown = from?.provenance?.packages;
  if (!Array.isArray(lines)) {
    return null;
  }
  return new Map(
    lines
      .filter((line): line is string => typeof line === 'string')
      .map(line => [line.split('==')[0] ?? line, line.split('==')[1] ?? ''])
  );
}

/** Only what changed of the packages; null when nothing did, or one of the two is not known. */
function packageDifference(before: Provenance | null, now: Provenance | null): Difference | null {
  const old = packagesOf(before);
  const fresh = packagesOf(now);
  if (old === null || fresh === null) {
    return null;
  }
  const names = [...new Set([...old.keys(), ...fresh.keys()])].filter(
    name => old.get(name) !== fresh.get(name)
  );
  const line = (all: ReadonlyMap<string, string>) => {
    const shown = names.slice(0, PACKAGES).map(name => `${name} ${all.get(name) ?? '–'}`);
    return [...shown, ...(names.length > PACKAGES ? [`+${names.length - PACKAGES}`] : [])].join(', ');
  };
  return names.length === 0 ? null : { field: 'packages', before: line(old), now: line(fresh) };
}

/** The newest of `jobs` that was submitted before `job` by the same person under the same name. */
export function runBefore(job: Job, jobs: readonly Job[]): Job | null {
  const earlier = jobs.filter(
    other =>
      other.id !== job.id &&
      other.owner === job.owner &&
      other.name === job.name &&
      other.times.submitted <= job.times.submitted
  );
  return earlier.sort((a, b) => b.times.submitted.localeCompare(a.times.submitted))[0] ?? null;
}
