/** The form in which a team, or a change of one, is asked for: it says what would be answered before it is sent. */

import type { TranslationBundle } from '@jupyterlab/translation';
import { type FormEvent, type JSX, useEffect, useId, useState } from 'react';
import { inOwnZone } from '../format';
import { printable } from '../printable';
import { Trouble, words } from './answered';
import type { PageApi } from './pageapi';
import {
  type AskedForTeam,
  complete,
  type Decision,
  decisionWords,
  type Draft,
  draftOf,
  emptyDraft,
  isOffered,
  offerWords,
  type Template,
  wishOf
} from './teamrequests';

/** Milliseconds after the last change of the form until it is asked what would be answered. */
const PAUSE = 400;

interface FormProps {
  readonly templates: readonly Template[];
  /** Those that the person may change. */
  readonly teams: readonly AskedForTeam[];
  /** Whether the person may ask for a new team. */
  readonly mayAsk: boolean;
  readonly api: PageApi;
  /** Something was asked for. */
  readonly sent: () => void;
  readonly trans: TranslationBundle;
}

export function TeamForm({ templates, teams, mayAsk, api, sent, trans }: FormProps): JSX.Element {
  const first = (): Draft => firstDraft(mayAsk ? undefined : teams[0], templates);
  const [draft, setDraft] = useState<Draft>(first);
  const [told, setTold] = useState('');
  const [trouble, setTrouble] = useState<string | null>(null);
  const answer = useDecision(draft, api);
  const template = templates.find(each => each.name === draft.template);
  const change = (changes: Partial<Draft>) => {
    setDraft(before => ({ ...before, ...changes }));
    setTold('');
    setTrouble(null);
  };
  const isNew = draft.kind === 'new';
  const send = (event: FormEvent) => {
    event.preventDefault();
    api.askForTeam(wishOf(draft)).then(
      request => {
        setDraft(isNew ? emptyDraft(draft.template) : { ...draft, reason: '' });
        setTold(
          isNew
            ? trans.__('Asked for team %1.', request.name)
            : trans.__('Asked for a change of team %1.', request.name)
        );
        sent();
      },
      (error: unknown) => {
        setTrouble(words(error, trans));
      }
    );
  };
  return (
    <section aria-labelledby="aif-new-team">
      <h2 id="aif-new-team">
        {isNew ? trans.__('A new team') : trans.__('A change of team %1', draft.name)}
      </h2>
      <form className="aif-TeamForm" onSubmit={send}>
        {teams.length === 0 ? null : <What {...{ templates, teams, mayAsk, draft, change, trans }} />}
        {isNew ? <NewTeam {...{ templates, draft, change, trans }} /> : null}
        <Text
          name="members"
          label={trans.__('Groups of its members')}
          hint={trans.__('at the identity provider: %1', template?.groups.join(', ') ?? '')}
          {...{ draft, change }}
        />
        <Text
          name="admins"
          label={trans.__('Groups of its administrators')}
          hint={trans.__('may be left out')}
          {...{ draft, change }}
        />
        {template === undefined ? null : <Devices {...{ template, draft, change, trans }} />}
        {isNew ? (
          <Text
            name="expires"
            type="date"
            label={trans.__('Last day')}
            hint={trans.__('left out: as long as this kind of team may last')}
            {...{ draft, change }}
          />
        ) : null}
        <Text name="reason" label={trans.__('Why')} hint="" {...{ draft, change }} />
        <Answer decision={answer} change={change} trans={trans} />
        <div className="aif-Actions">
          <button
            type="submit"
            className="jp-mod-styled jp-mod-accept"
            disabled={!complete(draft) || answer?.outcome === 'refused'}
          >
            {isNew ? trans.__('Ask for the team') : trans.__('Ask for the change')}
          </button>
        </div>
        <p role="status" className={told === '' ? '' : 'aif-Notice'}>
          {told}
        </p>
        <Trouble words={trouble} />
      </form>
    </section>
  );
}

function firstDraft(team: AskedForTeam | undefined, templates: readonly Template[]): Draft {
  return team === undefined ? emptyDraft(templates[0]?.name ?? '') : draftOf(team);
}

/** A new team, or which of those that are there is to be another. */
function What({
  templates,
  teams,
  mayAsk,
  draft,
  change,
  trans
}: PartProps & Omit<FormProps, 'api' | 'sent'>): JSX.Element {
  const id = useId();
  const choose = (name: string) => {
    change(
      firstDraft(
        teams.find(team => team.name === name),
        templates
      )
    );
  };
  return (
    <div className="aif-Field">
      <label htmlFor={id}>{trans.__('What')}</label>
      <select
        id={id}
        value={draft.kind === 'change' ? draft.name : ''}
        onChange={event => {
          choose(event.target.value);
        }}
      >
        {mayAsk ? <option value="">{trans.__('A new team')}</option> : null}
        {teams.map(team => (
          <option key={team.name} value={team.name}>
            {trans.__('A change of team %1', printable(team.display_name || team.name))}
          </option>
        ))}
      </select>
    </div>
  );
}

function NewTeam(
  given: PartProps & { templates: readonly Template[]; trans: TranslationBundle }
): JSX.Element {
  return (
    <>
      <Choice {...given} />
      <Text
        name="name"
        label={given.trans.__('Name')}
        hint={given.trans.__('for example audio-lab')}
        draft={given.draft}
        change={given.change}
      />
    </>
  );
}

/** What would be answered to the form as it stands; null while that is not known. */
function useDecision(draft: Draft, api: PageApi): Decision | null {
  const [decision, setDecision] = useState<Decision | null>(null);
  useEffect(() => {
    setDecision(null);
    if (!complete(draft)) {
      return undefined;
    }
    let current = true;
    const timer = window.setTimeout(() => {
      api.checkTeamRequest(wishOf(draft)).then(
        answer => {
          if (current) {
            setDecision(answer);
          }
        },
        () => undefined // Sending it says what is wrong.
      );
    }, PAUSE);
    return () => {
      current = false;
      window.clearTimeout(timer);
    };
  }, [draft, api]);
  return decision;
}

interface PartProps {
  readonly draft: Draft;
  readonly change: (changes: Partial<Draft>) => void;
}

type Said = 'name' | 'members' | 'admins' | 'expires' | 'reason';

interface TextProps extends PartProps {
  readonly name: Said;
  readonly label: string;
  readonly hint: string;
  readonly type?: 'text' | 'date';
}

function Text({ name, label, hint, type = 'text', draft, change }: TextProps): JSX.Element {
  const id = useId();
  return (
    <div className="aif-Field">
      <label htmlFor={id}>{label}</label>
      <input
        id={id}
        type={type}
        value={draft[name]}
        aria-describedby={hint === '' ? undefined : `${id}-hint`}
        onChange={event => {
          change({ [name]: event.target.value });
        }}
      />
      {hint === '' ? null : <small id={`${id}-hint`}>{hint}</small>}
    </div>
  );
}

function Choice({
  templates,
  draft,
  change,
  trans
}: PartProps & { templates: readonly Template[]; trans: TranslationBundle }): JSX.Element {
  return (
    <fieldset className="aif-Choices">
      <legend>{trans.__('Kind of team')}</legend>
      {templates.map(template => (
        <label key={template.name} className="aif-Check">
          <input
            type="radio"
            name="template"
            checked={draft.template === template.name}
            onChange={() => {
              change({ template: template.name, quota: {}, borrowing: {} });
            }}
          />
          <span>
            <strong>{template.name}</strong> {printable(template.description)}{' '}
            <small>{printable(template.sizes.join(' · '))}</small>
          </span>
        </label>
      ))}
    </fieldset>
  );
}

function Devices({
  template,
  draft,
  change,
  trans
}: PartProps & { template: Template; trans: TranslationBundle }): JSX.Element | null {
  if (template.devices.length === 0) {
    return null;
  }
  return (
    <div className="aif-Wide" role="region" aria-label={trans.__('Devices')} tabIndex={0}>
      <table className="aif-Table">
        <thead>
          <tr>
            <th scope="col">{trans.__('Size')}</th>
            <th scope="col">{trans.__('Owned')}</th>
            <th scope="col">{trans.__('Borrowed')}</th>
            <th scope="col">{trans.__('Promised to nobody')}</th>
          </tr>
        </thead>
        <tbody>
          {template.devices.map(device => (
            <tr key={device.device}>
              <th scope="row">{device.device}</th>
              {(['quota', 'borrowing'] as const).map(kind => {
                const most = kind === 'quota' ? device.most : device.most_borrowed;
                const title =
                  kind === 'quota'
                    ? trans.__('%1 that it owns', device.device)
                    : trans.__('%1 that it may borrow', device.device);
                return (
                  <td key={kind}>
                    {most === 0 ? (
                      '–'
                    ) : (
                      <>
                        <input
                          type="number"
                          min={0}
                          max={most}
                          aria-label={title}
                          value={draft[kind][device.device] ?? 0}
                          onChange={event => {
                            const count = Math.max(0, Math.floor(Number(event.target.value)));
                            change({ [kind]: { ...draft[kind], [device.device]: count } });
                          }}
                        />{' '}
                        <small>{trans.__('of %1', most)}</small>
                      </>
                    )}
                  </td>
                );
              })}
              <td className="aif-Number">{trans.__('%1 of %2', device.uncommitted, device.carved)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** What would be answered, the largest that fits, and what others would feel. */
function Answer({
  decision,
  change,
  trans
}: Pick<PartProps, 'change'> & { decision: Decision | null; trans: TranslationBundle }): JSX.Element {
  return (
    <div role="status">
      {decision === null ? null : (
        <div
          className="aif-Notice"
          data-kind={decision.outcome === 'refused' ? 'trouble' : undefined}
          data-outcome={decision.outcome}
        >
          <p>{printable(decisionWords(decision, trans))}</p>
          {decision.why.map(why => (
            <p key={why}>{inOwnZone(printable(why))}</p>
          ))}
          {decision.effects === null ? (
            <p>{trans.__('What other teams would feel is not known now.')}</p>
          ) : (
            decision.effects.map(effect => <p key={effect.sentence}>{printable(effect.sentence)}</p>)
          )}
          {isOffered(decision) ? (
            <button
              type="button"
              className="jp-mod-styled"
              onClick={() => {
                change({ quota: decision.offer, borrowing: decision.offer_borrowed });
              }}
            >
              {trans.__('Take what fits: %1', offerWords(decision, trans))}
            </button>
          ) : null}
        </div>
      )}
    </div>
  );
}
