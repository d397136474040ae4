/** What a team holds now and what waits, with the ways to end it. */

import type { TranslationBundle } from '@jupyterlab/translation';
import { type JSX, useState } from 'react';
import { clock, duration, since } from '../format';
import { printable } from '../printable';
import { useNow } from '../view';
import { words } from './answered';
import { type Holding, kindName, moment, type TeamOverview, type Waiting } from './ledger';
import type { PageApi } from './pageapi';
import type { Site } from './pagehead';
import { jobAddress } from './place';
import { type Question, QuestionBox } from './question';

/** Characters of a word to a person; the service takes no more. */
const LONGEST_WORD = 500;

interface NowProps {
  readonly site: Site;
  readonly tenant: string;
  readonly api: PageApi;
  readonly team: TeamOverview;
  /** Ask anew. */
  readonly again: () => void;
  readonly trans: TranslationBundle;
}

export function TeamNow(props: NowProps): JSX.Element {
  const { team, api, again, trans } = props;
  const [question, setQuestion] = useState<Question | null>(null);
  const [said, setSaid] = useState('');
  const stop = (id: string, user: string) => {
    setQuestion({
      words: trans.__('Stop job %1 of %2?', id, user),
      more: trans.__('The job ends. What it has printed is kept.'),
      yes: trans.__('Stop the job'),
      no: trans.__('Go on'),
      word: { label: trans.__('A word to %1 (they see it with the job)', user), longest: LONGEST_WORD },
      answer: (yes, word) => {
        setQuestion(null);
        if (yes) {
          api.cancel(id, word).then(
            () => {
              setSaid(trans.__('Job %1 of %2 is being stopped.', id, user));
              again();
            },
            (error: unknown) => {
              setSaid(words(error, trans));
            }
          );
        }
      }
    });
  };
  return (
    <section aria-labelledby="aif-now">
      <h2 id="aif-now">{trans.__('Now')}</h2>
      <p className="aif-Quiet">{trans.__('As of %1.', clock(new Date(team.as_of)))}</p>
      {team.unavailable === null ? null : (
        <p className="aif-Notice" data-kind="trouble">
          {trans.__('Nothing can be started in this team now: %1.', team.unavailable)}
        </p>
      )}
      <p role="status" className={said === '' ? '' : 'aif-Notice'}>
        {said}
      </p>
      <h3>{trans.__('Held')}</h3>
      <Held {...props} stop={stop} />
      <h3>{trans.__('Waiting')}</h3>
      <Queue {...props} stop={stop} />
      {question === null ? null : <QuestionBox {...question} />}
    </section>
  );
}

interface ListProps extends NowProps {
  readonly stop: (id: string, user: string) => void;
}

function Held(props: ListProps): JSX.Element {
  const { team, trans } = props;
  const now = useNow(10_000);
  if (team.holding === null) {
    return <p>{trans.__('Not known now: the cluster did not answer in time. What runs is not affected.')}</p>;
  }
  if (team.holding.length === 0) {
    return (
      <p>{trans.__('Nobody in the team holds anything now. Start a server from Home, or submit a job.')}</p>
    );
  }
  return (
    <div className="aif-Wide" role="region" aria-label={trans.__('Held')} tabIndex={0}>
      <table className="aif-Table aif-Lines">
        <thead>
          <tr>
            <th scope="col">{trans.__('Who')}</th>
            <th scope="col">{trans.__('What')}</th>
            <th scope="col">{trans.__('Size')}</th>
            <th scope="col">{trans.__('Since')}</th>
            <th scope="col">{trans.__('Ends')}</th>
            <th scope="col">{trans.__('Stop')}</th>
          </tr>
        </thead>
        <tbody>
          {team.holding.map(each => (
            <tr key={`${each.kind} ${each.owner}`}>
              <th scope="row">{printable(each.user)}</th>
              <td>
                <What {...props} kind={each.kind} owner={each.owner} name={each.name} />
              </td>
              <td>{each.size}</td>
              <td className="aif-Number">{sinceWords(each.since, now, trans)}</td>
              <td className="aif-Number">{endWords(each, trans)}</td>
              <td>
                <Stop {...props} kind={each.kind} owner={each.owner} user={each.user} name={each.name} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Queue(props: ListProps): JSX.Element {
  const { team, trans } = props;
  const now = useNow(10_000);
  if (team.waiting === null) {
    return <p>{trans.__('Not known now: the cluster did not answer in time.')}</p>;
  }
  if (team.waiting.length === 0) {
    return <p>{trans.__('Nothing waits.')}</p>;
  }
  return (
    <div className="aif-Wide" role="region" aria-label={trans.__('Waiting')} tabIndex={0}>
      <table className="aif-Table aif-Lines aif-Waiting">
        <thead>
          <tr>
            <th scope="col">{trans.__('Place')}</th>
            <th scope="col">{trans.__('Who')}</th>
            <th scope="col">{trans.__('What')}</th>
            <th scope="col">{trans.__('Size')}</th>
            <th scope="col">{trans.__('Waits since')}</th>
            <th scope="col">{trans.__('Why, and what would let it go')}</th>
            <th scope="col">{trans.__('Stop')}</th>
          </tr>
        </thead>
        <tbody>
          {team.waiting.map((each, index) => (
            <tr key={index}>
              <td className="aif-Number">{index + 1}</td>
              <th scope="row">
                {each.user === null ? trans.__('somebody of the team') : printable(each.user)}
              </th>
              <td>
                <What {...props} kind={each.kind} owner={each.owner} name={each.name} />
              </td>
              <td>{each.size}</td>
              <td className="aif-Number">{sinceWords(each.since, now, trans)}</td>
              <td>
                {printable(each.why)} <span className="aif-Quiet aif-Lets-go">{printable(each.lets_go)}</span>
              </td>
              <td>
                <WaitingStop {...props} waiting={each} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** Stopping what waits is for a job alone: a start is called off by who began it. */
function WaitingStop({ waiting, ...props }: ListProps & { waiting: Waiting }): JSX.Element | null {
  const { kind, owner, user, name } = waiting;
  return kind !== 'job' || owner === null || user === null || name === null ? null : (
    <Stop {...props} {...{ kind, owner, user, name }} />
  );
}

interface ThingProps {
  readonly kind: string;
  readonly owner: string | null;
  readonly name: string | null;
}

function What({ site, kind, owner, name, trans }: ListProps & ThingProps): JSX.Element {
  if (kind === 'job' && owner !== null) {
    return (
      <a className="aif-Link" href={jobAddress(site.prefix, owner)}>
        {trans.__('job %1', owner)}
      </a>
    );
  }
  if (kind === 'server' && name !== null) {
    return <>{name === '' ? trans.__('default server') : trans.__('server %1', printable(name))}</>;
  }
  return <>{kindName(kind, trans)}</>;
}

interface StopProps extends ThingProps {
  readonly owner: string;
  readonly user: string;
}

/** A job is stopped here; a server at the hub, which asks first and takes a word to its owner. */
function Stop({
  site,
  tenant,
  team,
  kind,
  owner,
  user,
  name,
  stop,
  trans
}: ListProps & StopProps): JSX.Element | null {
  const admin = team.role === 'admin';
  if (kind === 'job') {
    return admin || user === site.user ? (
      <button
        type="button"
        className="aif-Link"
        aria-label={trans.__('Stop job %1 of %2', owner, user)}
        onClick={() => {
          stop(owner, user);
        }}
      >
        {trans.__('Stop…')}
      </button>
    ) : null;
  }
  if (kind !== 'server' || !(admin || user === site.user)) {
    return null;
  }
  const address =
    user === site.user ? `${site.hub}home` : `${site.hub}aifactory/team/${encodeURIComponent(tenant)}`;
  return (
    <a
      className="aif-Link"
      href={address}
      aria-label={trans.__('Stop server %1 of %2 at the hub', name === '' ? trans.__('default') : name, user)}
    >
      {user === site.user ? trans.__('Stop on Home') : trans.__('Stop at the hub')}
    </a>
  );
}

function sinceWords(iso: string | null, now: Date, trans: TranslationBundle): string {
  const seconds = since(iso, now);
  return seconds === null ? trans.__('not known') : duration(seconds);
}

function endWords(held: Holding, trans: TranslationBundle): string {
  return held.ends_by === null
    ? trans.__('not limited')
    : trans.__('by %1', moment(Date.parse(held.ends_by) / 1000));
}
