/** The Jobs page: the list, or one job, as its address says. */

import type { TranslationBundle } from '@jupyterlab/translation';
import { type JSX, type MouseEvent, useCallback, useEffect, useState } from 'react';
import { JobListView } from '../joblistview';
import { JobView } from '../jobview';
import type { HubModel } from '../model';
import type { Job } from '../types';
import { useModel } from '../view';
import { linkTrouble } from '../words';
import { jobAddress, listAddress, type Place, readPlace } from './place';
import { PageHead, SimulatedNotice, type Site } from './pagehead';
import { type Question, QuestionBox } from './question';

interface PageProps {
  readonly site: Site;
  readonly model: HubModel;
  readonly trans: TranslationBundle;
}

function placeNow(site: Site): Place {
  return readPlace(site.prefix, location.pathname, location.search);
}

export function Page({ site, model, trans }: PageProps): JSX.Element {
  const [id, setId] = useState(() => placeNow(site).id);
  const go = useCallback((address: string, to: string | null) => {
    history.pushState(null, '', address);
    setId(to);
  }, []);
  useEffect(() => {
    const back = () => {
      const place = placeNow(site);
      setId(place.id);
      if (
        place.id === null &&
        listAddress(site.prefix, place.filter) !== listAddress(site.prefix, model.filter)
      ) {
        void model.setFilter(place.filter);
      }
    };
    window.addEventListener('popstate', back);
    return () => {
      window.removeEventListener('popstate', back);
    };
  }, [site, model]);
  useEffect(() => {
    model.listShown = id === null;
    document.title = id === null ? trans.__('Jobs') : `${id} · ${trans.__('Jobs')}`;
  }, [model, id, trans]);
  const toList = (event: MouseEvent) => {
    if (plain(event)) {
      event.preventDefault();
      go(listAddress(site.prefix, model.filter), null);
    }
  };
  const openJob = useCallback(
    (job: Job) => {
      go(jobAddress(site.prefix, job.id), job.id);
    },
    [go, site]
  );
  return (
    <>
      <PageHead site={site} here={{ page: 'jobs' }} toJobs={toList} trans={trans} />
      {id === null ? (
        <List site={site} model={model} trans={trans} open={openJob} />
      ) : (
        <One key={id} id={id} site={site} model={model} trans={trans} openJob={openJob} toList={toList} />
      )}
    </>
  );
}

/** Whether a click means "here": with a key held down the browser opens another tab. */
function plain(event: MouseEvent): boolean {
  return event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
}

interface ListProps extends PageProps {
  readonly open: (job: Job) => void;
}

function List({ site, model, trans, open }: ListProps): JSX.Element {
  useModel(model);
  const filter = model.filter;
  useEffect(() => {
    // A filter can be sent as a link, and is there again after "back".
    history.replaceState(null, '', listAddress(site.prefix, filter));
  }, [site, filter]);
  const trouble = linkTrouble(model.link, model.trouble, model.asOf, trans);
  const none = trans.__(
    'No jobs yet. Submit one from a notebook or its terminal: aifactory-hub job submit -- python train.py'
  );
  return (
    <main className="aif-Panel aif-Page-list">
      <h1 className="aif-Hidden">{trans.__('Jobs')}</h1>
      <SimulatedNotice shown={site.simulated} trans={trans} />
      <div aria-live="polite">
        {trouble === null ? null : (
          <p className="aif-Notice" data-kind="trouble">
            {trouble}
          </p>
        )}
      </div>
      {Object.keys(site.tenants).length < 2 ? null : <Team site={site} model={model} trans={trans} />}
      <JobListView model={model} trans={trans} open={open} none={none} />
    </main>
  );
}

/** One of several teams. */
function Team({ site, model, trans }: PageProps): JSX.Element {
  const filter = model.filter;
  return (
    <div className="aif-Filters">
      <select
        aria-label={trans.__('Team')}
        value={filter.tenant ?? ''}
        onChange={event => {
          void model.setFilter({ ...filter, tenant: event.target.value || undefined });
        }}
      >
        <option value="">{trans.__('All my teams')}</option>
        {Object.entries(site.tenants).map(([name, title]) => (
          <option key={name} value={name}>
            {title}
          </option>
        ))}
      </select>
    </div>
  );
}

interface OneProps extends PageProps {
  readonly id: string;
  readonly openJob: (job: Job) => void;
  readonly toList: (event: MouseEvent) => void;
}

function One({ id, site, model, trans, openJob, toList }: OneProps): JSX.Element {
  const [question, setQuestion] = useState<Question | null>(null);
  const confirm = (words: string) =>
    new Promise<boolean>(resolve => {
      setQuestion({
        words,
        more: trans.__('The job ends. What it has printed is kept.'),
        yes: trans.__('Cancel job'),
        no: trans.__('Go on'),
        answer: yes => {
          setQuestion(null);
          resolve(yes);
        }
      });
    });
  const named = useCallback(
    (name: string) => {
      document.title = `${name} · ${trans.__('Jobs')}`;
    },
    [trans]
  );
  return (
    <main className="aif-Job">
      <p>
        <a className="aif-Link" href={listAddress(site.prefix, model.filter)} onClick={toList}>
          {trans.__('All jobs')}
        </a>
      </p>
      <JobView model={model} trans={trans} id={id} openJob={openJob} confirm={confirm} named={named} />
      {question === null ? null : <QuestionBox {...question} />}
    </main>
  );
}
