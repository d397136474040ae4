/** Several jobs beside each other, in a tab: a table with parameters and metrics, and their curves over one another. */

import { MainAreaWidget } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import { type JSX, useEffect, useMemo, useState } from 'react';
import type { Runs } from './api';
import { type Curve, curvesOf } from './curve';
import { Curves, Thinned } from './metricsview';
import { factoryIcon } from './icons';
import { metricNames, type Metrics } from './metrics';
import type { HubModel } from './model';
import { RunsTable } from './runstable';
import type { Job } from './types';
import { useMetrics } from './usemetrics';
import { troubleWords } from './words';

/** Milliseconds between questions while one of the jobs goes on and the page is seen. */
const EVERY = 5_000;
/** Jobs whose curves are drawn at first. */
const DRAWN = 8;

export interface RunsOptions {
  readonly model: HubModel;
  readonly trans: TranslationBundle;
  readonly which: Runs;
  readonly openJob: (job: Job) => void;
}

class RunsBody extends ReactWidget {
  constructor(private readonly options: RunsOptions) {
    super();
    this.addClass('aif-Job');
    this.addClass('aif-Runs');
  }

  protected render(): JSX.Element {
    return <RunsView {...this.options} />;
  }
}

/** The id of the tab of these jobs. */
export function runsTabId(which: Runs): string {
  return `aifactory-hub-runs-${'sweep' in which ? which.sweep : which.ids.join('-')}`;
}

/** A tab for these jobs. */
export function makeRunsTab(options: RunsOptions): MainAreaWidget {
  const tab = new MainAreaWidget({ content: new RunsBody(options) });
  tab.id = runsTabId(options.which);
  tab.title.label = options.trans.__('Compare jobs');
  tab.title.icon = factoryIcon;
  tab.title.closable = true;
  return tab;
}

interface Found {
  readonly jobs: readonly Job[] | null;
  readonly trouble: unknown;
}

/** The jobs, asked for again while one of them goes on. */
function useRuns({ model, which }: RunsOptions): Found {
  const [found, setFound] = useState<Found>({ jobs: null, trouble: null });
  const live = found.jobs?.some(job => !job.final) ?? true;
  useEffect(() => {
    let over = false;
    const ask = () => {
      if (document.hidden) {
        return;
      }
      model.api
        .runs(which)
        .then(jobs => {
          if (!over) {
            setFound({ jobs, trouble: null });
          }
        })
        .catch((trouble: unknown) => {
          if (!over) {
            setFound(known => ({ ...known, trouble }));
          }
        });
    };
    ask();
    const timer = live ? window.setInterval(ask, EVERY) : 0;
    return () => {
      over = true;
      window.clearInterval(timer);
    };
  }, [model, which, live]);
  return found;
}

const NOBODY: readonly Job[] = [];

function RunsView(props: RunsOptions): JSX.Element {
  const { model, trans, openJob } = props;
  const { jobs, trouble } = useRuns(props);
  const [chosen, choose] = useState<ReadonlySet<string> | null>(null);
  const drawn = useDrawn(jobs ?? NOBODY, chosen);
  const { of, trouble: noMetrics } = useMetrics(model.api, drawn);
  if (jobs === null) {
    return (
      <p className="aif-Empty" role="status">
        {trouble === null ? trans.__('Asking for the jobs…') : troubleWords(trouble, trans)}
      </p>
    );
  }
  const wrong = trouble ?? noMetrics;
  return (
    <>
      <h1>{trans._n('%1 job', '%1 jobs', jobs.length, jobs.length)}</h1>
      {wrong === null ? null : (
        <p className="aif-Notice" data-kind="trouble" role="status">
          {troubleWords(wrong, trans)}
        </p>
      )}
      <RunsTable jobs={jobs} drawn={drawn} choose={choose} openJob={openJob} trans={trans} />
      <Overlay jobs={drawn} of={of} trans={trans} />
    </>
  );
}

/** Those whose curves are drawn: the chosen ones, at first some that have metrics. */
function useDrawn(jobs: readonly Job[], chosen: ReadonlySet<string> | null): readonly Job[] {
  return useMemo(() => {
    const reporting = jobs.filter(job => Object.keys(job.progress?.metrics ?? {}).length > 0);
    return chosen === null ? reporting.slice(0, DRAWN) : jobs.filter(job => chosen.has(job.id));
  }, [jobs, chosen]);
}

interface OverlayProps {
  readonly jobs: readonly Job[];
  readonly of: ReadonlyMap<string, Metrics>;
  readonly trans: TranslationBundle;
}

function Overlay({ jobs, of, trans }: OverlayProps): JSX.Element | null {
  const all = useMemo(() => jobs.flatMap(job => of.get(job.id) ?? []), [jobs, of]);
  const names = metricNames(all);
  const curves = useMemo(
    () => new Map(metricNames(all).map(name => [name, overlaid(name, jobs, of)])),
    [all, jobs, of]
  );
  if (names.length === 0) {
    return (
      <p className="aif-Quiet" role="status">
        {trans.__('Choose jobs that have reported metrics to see their curves.')}
      </p>
    );
  }
  return (
    <section aria-label={trans.__('Curves')}>
      <h2>{trans.__('Curves')}</h2>
      <Curves names={names} curves={curves} trans={trans} />
      <Thinned series={all.flatMap(metrics => metrics.series)} trans={trans} />
    </section>
  );
}

/** A curve for each job, and each of its attempts, in the job's colour. */
function overlaid(name: string, jobs: readonly Job[], of: ReadonlyMap<string, Metrics>): readonly Curve[] {
  return jobs.flatMap((job, hue) => curvesOf(name, of.get(job.id)?.series ?? [], job.name, hue));
}
