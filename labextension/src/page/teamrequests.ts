/** Requests for teams: the forms of answers, and the words for them. Pure. */

import type { TranslationBundle } from '@jupyterlab/translation';
import { duration, inOwnZone } from '../format';
import type { components } from '../openapi';

type Schemas = components['schemas'];

export type Templates = Schemas['TeamTemplatesAnswer'];
export type Template = Schemas['TeamTemplateAnswer'];
export type AskedForTeam = Schemas['AskedForTeamAnswer'];
export type Decision = Schemas['TeamDecisionAnswer'];
export type TeamRequest = Schemas['TeamRequestAnswer'];
export type TeamRequests = Schemas['TeamRequestPage'];
export type TeamStates = Schemas['TeamStatesAnswer'];
export type Wish = Partial<Schemas['TeamWishRequest']> & Pick<Schemas['TeamWishRequest'], 'name' | 'reason'>;

/** What stands in the form: a new team, or a change of one that is there. */
export interface Draft {
  readonly kind: 'new' | 'change';
  readonly name: string;
  readonly template: string;
  readonly members: string;
  readonly admins: string;
  readonly quota: Readonly<Record<string, number>>;
  readonly borrowing: Readonly<Record<string, number>>;
  readonly expires: string;
  readonly reason: string;
}

export function emptyDraft(template: string): Draft {
  return {
    ...{
      kind: 'new',
      name: '',
      template,
      members: '',
      admins: '',
      quota: {},
      borrowing: {},
      expires: '',
      reason: ''
    }
  };
}

/** The form with a team as it is now. */
export function draftOf(team: AskedForTeam): Draft {
  return {
    ...emptyDraft(team.template),
    ...{ kind: 'change', name: team.name, quota: team.quota, borrowing: team.borrowing },
    ...{ members: team.members.join(', '), admins: team.admins.join(', ') }
  };
}

/** Groups are written with commas or spaces between them. */
function groups(text: string): string[] {
  return text.split(/[\s,]+/).filter(each => each !== '');
}

export function wishOf(draft: Draft): Wish {
  const both = {
    kind: draft.kind,
    name: draft.name.trim(),
    members: groups(draft.members),
    admins: groups(draft.admins),
    quota: { ...draft.quota },
    borrowing: { ...draft.borrowing },
    reason: draft.reason.trim()
  };
  return draft.kind === 'change' ? both : { ...both, template: draft.template, expires: draft.expires };
}

/** Whether there is enough of it to be asked what would be answered. */
export function complete(draft: Draft): boolean {
  const wish = wishOf(draft);
  return (
    wish.name !== '' && wish.reason !== '' && (wish.members?.length ?? 0) + (wish.admins?.length ?? 0) > 0
  );
}

/** What would be answered, in a sentence. */
export function decisionWords(decision: Decision, trans: TranslationBundle): string {
  if (decision.outcome === 'refused') {
    return inOwnZone(decision.detail ?? trans.__('It would be refused.'));
  }
  const until = decision.expires === '' ? '' : ` ${trans.__('It lasts until %1.', decision.expires)}`;
  return decision.outcome === 'granted'
    ? trans.__('It fits, and nobody has to approve it.') + until
    : trans.__('It fits. It needs %1.', decision.needs_text) + until;
}

export function isOffered(decision: Decision): boolean {
  return (
    decision.outcome === 'refused' &&
    Object.keys(decision.offer).length + Object.keys(decision.offer_borrowed).length > 0
  );
}

/** The largest that fits, as "2 mig-1g.10gb, and 1 mig-1g.10gb borrowed". */
export function offerWords(decision: Decision, trans: TranslationBundle): string {
  const own = counted(decision.offer);
  const borrowed = counted(decision.offer_borrowed);
  if (own === '') {
    return trans.__('%1 borrowed', borrowed);
  }
  return borrowed === '' ? own : trans.__('%1, and %2 borrowed', own, borrowed);
}

export function counted(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .map(([name, count]) => `${String(count)} ${name}`)
    .join(', ');
}

/** What a request is about. */
export function requestTitle(request: TeamRequest, trans: TranslationBundle): string {
  const titles: Readonly<Record<TeamRequest['kind'], string>> = {
    new: trans.__('Team %1', request.display_name || request.name),
    renewal: trans.__('More time for team %1', request.name),
    change: trans.__('A change of team %1', request.name)
  };
  return titles[request.kind];
}

export function stateName(request: TeamRequest, trans: TranslationBundle): string {
  const names: Readonly<Record<TeamRequest['state'], string>> = {
    WAITING: trans.__('waits'),
    GRANTED: trans.__('granted'),
    REFUSED: trans.__('refused'),
    WITHDRAWN: trans.__('taken back'),
    REMOVED: trans.__('removed')
  };
  return names[request.state];
}

export function stepName(name: string, trans: TranslationBundle): string {
  const names: Readonly<Record<string, string>> = {
    asked: trans.__('Asked'),
    approved: trans.__('Approved'),
    made: trans.__('Made'),
    ready: trans.__('Ready')
  };
  return names[name] ?? name;
}

/** For those who do not see the marks. */
export function stepState(state: TeamRequest['steps'][number]['state'], trans: TranslationBundle): string {
  const names: Readonly<Record<TeamRequest['steps'][number]['state'], string>> = {
    done: trans.__('done'),
    now: trans.__('now'),
    later: trans.__('to come'),
    never: trans.__('does not come')
  };
  return names[state];
}

/** How a team is on the host, as the provisioner said it last. */
export function stageWords(team: TeamStates['teams'][number], trans: TranslationBundle): string {
  return team.stage === null || team.in_stage === null
    ? trans.__('not known')
    : trans.__('%1 for %2', team.stage, duration(team.in_stage));
}
