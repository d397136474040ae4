/** The Approvals page: what waits for a vote, and what was decided. */

import type { TranslationBundle } from '@jupyterlab/translation';
import { type JSX, useCallback, useEffect, useState } from 'react';
import { inOwnZone, momentIn } from '../format';
import type { components } from '../openapi';
import { printable } from '../printable';
import { Answered, Trouble, words } from './answered';
import type { PageApi } from './pageapi';
import { PageHead, SimulatedNotice, type Site } from './pagehead';
import { approvalAddress, jobAddress } from './place';
import { type Question, QuestionBox } from './question';
import { useAnswer } from './useanswer';

export type Approval = components['schemas']['ApprovalAnswer'];

/** Milliseconds between looks: somebody else may vote. */
const OFTEN = 10_000;
/** Characters of a comment. */
const LONGEST = 1000;
const HERE = Intl.DateTimeFormat().resolvedOptions().timeZone;

export type Decision = 'yes' | 'no' | 'emergency';

interface ApprovalsProps {
  readonly site: Site;
  readonly api: PageApi;
  readonly trans: TranslationBundle;
  /** One approval alone; null for all. */
  readonly id: string | null;
}

export function ApprovalsPage(props: ApprovalsProps): JSX.Element {
  const { site, id, trans } = props;
  useEffect(() => {
    document.title = trans.__('Approvals');
  }, [trans]);
  return (
    <>
      <PageHead site={site} here={{ page: 'approvals', id }} trans={trans} />
      <main className="aif-Ledger aif-Approvals">
        <h1>{trans.__('Approvals')}</h1>
        <SimulatedNotice shown={site.simulated} trans={trans} />
        {id === null ? <All {...props} /> : <One {...props} id={id} />}
      </main>
    </>
  );
}

/** Who can vote on it, and has not. */
export function waitsForMe(approval: Approval, user: string): boolean {
  return canVote(approval) && approval.votes.every(vote => vote.voter !== user);
}

function canVote(approval: Approval): boolean {
  return approval.state === 'OPEN' && approval.why_not === null;
}

function All({ site, api, trans }: ApprovalsProps): JSX.Element {
  const answer = useAnswer(
    useCallback(() => api.approvals(), [api]),
    OFTEN
  );
  return (
    <Answered answer={answer} trans={trans}>
      {page => {
        const mine = page.approvals.filter(one => waitsForMe(one, site.user));
        const open = page.approvals.filter(one => one.state === 'OPEN' && !mine.includes(one));
        const over = page.approvals.filter(one => one.state !== 'OPEN');
        const given = { site, api, trans, again: answer.again };
        return (
          <>
            <Cards {...given} title={trans.__('Wait for you')} approvals={mine}>
              {trans.__('Nothing waits for your vote.')}
            </Cards>
            <Cards {...given} title={trans.__('Wait for others')} approvals={open}>
              {trans.__('Nothing waits for anybody else.')}
            </Cards>
            <Cards {...given} title={trans.__('Decided')} approvals={over}>
              {trans.__('Nothing has been decided yet.')}
            </Cards>
          </>
        );
      }}
    </Answered>
  );
}

function One({ site, api, id, trans }: ApprovalsProps & { id: string }): JSX.Element {
  const answer = useAnswer(
    useCallback(() => api.approval(id), [api, id]),
    OFTEN
  );
  return (
    <>
      <p>
        <a className="aif-Link" href={`${site.prefix}approvals`}>
          {trans.__('All approvals')}
        </a>
      </p>
      <Answered answer={answer} trans={trans}>
        {approval => <Card {...{ site, api, trans, approval }} again={answer.again} />}
      </Answered>
    </>
  );
}

interface CardsProps {
  readonly site: Site;
  readonly api: PageApi;
  readonly trans: TranslationBundle;
  readonly title: string;
  readonly approvals: readonly Approval[];
  readonly again: () => void;
  /** Said when there are none. */
  readonly children: string;
}

function Cards({ title, approvals, children, ...given }: CardsProps): JSX.Element {
  return (
    <section aria-label={title}>
      <h2>{title}</h2>
      {approvals.length === 0 ? (
        <p className="aif-Quiet">{children}</p>
      ) : (
        approvals.map(approval => <Card key={approval.id} approval={approval} {...given} />)
      )}
    </section>
  );
}

interface CardProps {
  readonly site: Site;
  readonly api: PageApi;
  readonly trans: TranslationBundle;
  readonly approval: Approval;
  readonly again: () => void;
}

function Card(props: CardProps): JSX.Element {
  const { site, approval, trans } = props;
  const title = printable(approval.title);
  return (
    <article className="aif-Approval" aria-label={title} data-state={approval.state}>
      <h3>
        <a className="aif-Link" href={approvalAddress(site.prefix, approval.id)}>
          {title}
        </a>{' '}
        <span className="aif-Approval-state">{stateWords(approval, trans)}</span>
      </h3>
      <p>
        {trans.__(
          '%1 asks for this in team %2, since %3.',
          approval.asked_by,
          site.tenants[approval.tenant] ?? approval.tenant,
          momentIn(approval.asked_at, HERE)
        )}{' '}
        {approval.kind === 'job' && site.tenants[approval.tenant] !== undefined ? (
          <a className="aif-Link" href={jobAddress(site.prefix, approval.subject)}>
            {trans.__('See the job')}
          </a>
        ) : null}
      </p>
      <ul className="aif-Approval-rules">
        {approval.rules.map(rule => (
          <li key={rule.rule}>
            {inOwnZone(printable(rule.message))} <small>{trans.__('(rule %1)', rule.rule)}</small>
          </li>
        ))}
      </ul>
      <p>{needWords(approval, trans)}</p>
      <Parts approval={approval} trans={trans} />
      <Votes approval={approval} trans={trans} />
      <Vote {...props} />
    </article>
  );
}

function stateWords(approval: Approval, trans: TranslationBundle): string {
  const names: Readonly<Record<Approval['state'], string>> = {
    OPEN: trans.__('waits'),
    USED: trans.__('approved'),
    REFUSED: trans.__('refused'),
    EXPIRED: trans.__('expired'),
    WITHDRAWN: trans.__('withdrawn'),
    STALE: trans.__('out of date')
  };
  return names[approval.state];
}

function needWords(approval: Approval, trans: TranslationBundle): string {
  if (approval.state !== 'OPEN') {
    return inOwnZone(printable(approval.why ?? ''));
  }
  return trans.__('It needs %1. It expires %2.', approval.needs_text, momentIn(approval.expires_at, HERE));
}

/** All that decides what would run, so that nobody approves what they have not seen. */
function Parts({ approval, trans }: { approval: Approval; trans: TranslationBundle }): JSX.Element {
  return (
    <details>
      <summary>{trans.__('What would run')}</summary>
      <div className="aif-Wide" role="region" aria-label={trans.__('What would run')} tabIndex={0}>
        <table className="aif-Table">
          <tbody>
            {Object.entries(approval.parts).map(([name, text]) => (
              <tr key={name}>
                <th scope="row">{name}</th>
                <td>
                  <code>{printable(text)}</code>
                </td>
              </tr>
            ))}
            <tr>
              <th scope="row">{trans.__('digest of all')}</th>
              <td>
                <code>{approval.digest}</code>
              </td>
            </tr>
          </tbody>
        </table>
      </div>
    </details>
  );
}

function Votes({ approval, trans }: { approval: Approval; trans: TranslationBundle }): JSX.Element | null {
  if (approval.votes.length === 0) {
    return null;
  }
  return (
    <ul className="aif-Approval-votes" aria-label={trans.__('Votes')}>
      {approval.votes.map(vote => (
        <li key={`${vote.voter} ${vote.at}`}>
          {voteWords(vote, trans)}
          {vote.comment === '' ? null : <q>{printable(vote.comment)}</q>}
        </li>
      ))}
    </ul>
  );
}

function voteWords(vote: Approval['votes'][number], trans: TranslationBundle): string {
  const when = momentIn(vote.at, HERE);
  const said =
    vote.vote === 'no'
      ? trans.__('%1 refused it, %2.', vote.voter, when)
      : vote.emergency
        ? trans.__('%1 approved it alone, in an emergency, %2.', vote.voter, when)
        : trans.__('%1 approved it, %2.', vote.voter, when);
  return vote.counts === false
    ? `${said} ${trans.__('This vote no longer counts: the person may not vote on it any more.')} `
    : `${said} `;
}

function Vote({ site, api, approval, trans, again }: CardProps): JSX.Element | null {
  const [question, setQuestion] = useState<Question | null>(null);
  const [trouble, setTrouble] = useState<string | null>(null);
  if (approval.state !== 'OPEN') {
    return null;
  }
  const ask = (decision: Decision) => {
    setQuestion({
      ...asked(decision, trans),
      answer: (sure, comment) => {
        setQuestion(null);
        if (sure) {
          api.vote(approval, decision, comment).then(
            () => {
              setTrouble(null);
              again();
            },
            (error: unknown) => {
              setTrouble(words(error, trans));
              again();
            }
          );
        }
      }
    });
  };
  const voted = approval.votes.some(vote => vote.voter === site.user);
  return (
    <>
      {canVote(approval) ? null : <p className="aif-Quiet">{printable(approval.why_not ?? '')}</p>}
      {canVote(approval) || approval.emergency ? (
        <div className="aif-Actions">
          {canVote(approval) ? (
            <>
              <Button
                name={voted ? trans.__('Approve instead') : trans.__('Approve')}
                act={() => {
                  ask('yes');
                }}
              />
              <Button
                name={trans.__('Refuse')}
                act={() => {
                  ask('no');
                }}
                danger
              />
            </>
          ) : null}
          {approval.emergency ? (
            <Button
              name={trans.__('Approve in an emergency')}
              act={() => {
                ask('emergency');
              }}
              danger
            />
          ) : null}
        </div>
      ) : null}
      <Trouble words={trouble} />
      {question === null ? null : <QuestionBox {...question} />}
    </>
  );
}

interface ButtonProps {
  readonly name: string;
  readonly act: () => void;
  readonly danger?: boolean;
}

function Button({ name, act, danger }: ButtonProps): JSX.Element {
  return (
    <button type="button" className={danger ? 'jp-mod-styled aif-Danger' : 'jp-mod-styled'} onClick={act}>
      {name}
    </button>
  );
}

function asked(decision: Decision, trans: TranslationBundle): Omit<Question, 'answer'> {
  const no = trans.__('Go back');
  if (decision === 'yes') {
    return {
      words: trans.__('Approve this?'),
      more: trans.__('It goes on as soon as all have approved whom it needs. Your name stays with it.'),
      word: { label: trans.__('Comment, if you like'), longest: LONGEST },
      yes: trans.__('Approve'),
      harmless: true,
      no
    };
  }
  if (decision === 'no') {
    return {
      words: trans.__('Refuse this?'),
      more: trans.__('It ends. Who asked for it reads why.'),
      word: { label: trans.__('Why'), longest: LONGEST },
      yes: trans.__('Refuse'),
      no
    };
  }
  return {
    words: trans.__('Approve this alone?'),
    more: trans.__('It goes on at once, without the others. They are told of it, with your reason.'),
    word: { label: trans.__('Why it cannot wait'), longest: LONGEST },
    yes: trans.__('Approve alone'),
    no
  };
}
