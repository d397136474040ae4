import { createRoot, type Root } from 'react-dom/client';
import { act } from 'react';
import { PageApi } from '../src/page/pageapi';
import type { Site } from '../src/page/pagehead';
import { readHere } from '../src/page/place';
import {
  type AskedForTeam,
  complete,
  type Decision,
  decisionWords,
  emptyDraft,
  offerWords,
  type TeamRequest,
  type Template,
  wishOf
} from '../src/page/teamrequests';
import { TeamsPage } from '../src/page/teamspage';
import { english as trans } from '../src/page/translation';

const SITE: Site = {
  ...{ name: 'Hub', prefix: '/s/', hub: '/hub/', user: 'ada', version: '1.0' },
  ...{ tenants: { nlp: 'Language', audio: 'Audio' }, simulated: false, administrator: false }
};
const SMALL: Template = {
  ...{ name: 'small', description: 'for a trial', profiles: ['cpu', 'slice'] },
  ...{ sizes: ['2 CPUs, 8 GB', '1/7 of an H100, 10 GB'], groups: ['teams/*'] },
  devices: [{ device: 'slice', most: 3, most_borrowed: 1, carved: 7, uncommitted: 2 }],
  ...{ approval: [], lasts: 7_776_000 }
};
const AUDIO: AskedForTeam = {
  ...{ name: 'audio', display_name: 'Audio', template: 'small', members: ['teams/audio'], admins: [] },
  ...{ quota: { slice: 1 }, borrowing: {}, expires: '2027-04-01' }
};
const DECISION: Decision = {
  ...{ outcome: 'needs-approval', reason: null, detail: null, field: null, needs: [] },
  ...{ needs_text: 'one of platform', why: [], rooms: [], offer: {}, offer_borrowed: {} },
  ...{ effects: [], expires: '2027-04-01' }
};
const REFUSED: Decision = {
  ...DECISION,
  ...{ outcome: 'refused', detail: '2 of 7 are left; you ask for 3.', offer: { slice: 2 } },
  offer_borrowed: { slice: 1 }
};
const REQUEST: TeamRequest = {
  ...{ id: 'r1', kind: 'new', name: 'audio', template: 'small', display_name: '', members: ['teams/audio'] },
  ...{ admins: [], quota: { slice: 2 }, borrowing: {}, expires: '2027-04-01', reason: 'speech' },
  ...{ asked_by: 'ada', asked_at: '2026-11-30T10:00:00.000Z', changed_at: '2026-11-30T10:00:00.000Z' },
  ...{ state: 'WAITING', why: '', approval: 'a1', todo: '', file: null },
  steps: [
    { name: 'asked', state: 'done', sentence: 'by ada' },
    { name: 'approved', state: 'now', sentence: 'waits for one of platform' },
    { name: 'made', state: 'later', sentence: '' },
    { name: 'ready', state: 'later', sentence: '' }
  ],
  journal: [{ at: '2026-11-30T10:00:00.000Z', who: 'ada', text: 'asked: speech' }]
};

describe('what is said of a wish', () => {
  it('names who approves it, what fits and until when', () => {
    expect(decisionWords(DECISION, trans)).toBe(
      'It fits. It needs one of platform. It lasts until 2027-04-01.'
    );
    expect(decisionWords({ ...DECISION, outcome: 'granted', expires: '' }, trans)).toBe(
      'It fits, and nobody has to approve it.'
    );
    expect(decisionWords(REFUSED, trans)).toBe('2 of 7 are left; you ask for 3.');
    expect(offerWords(REFUSED, trans)).toBe('2 slice, and 1 slice borrowed');
    expect(offerWords({ ...REFUSED, offer: {} }, trans)).toBe('1 slice borrowed');
  });

  it('is asked once there is a name, a group and a reason', () => {
    const draft = { ...emptyDraft('small'), name: ' audio ', reason: 'speech' };
    expect(complete(draft)).toBe(false);
    const whole = { ...draft, members: 'teams/audio, teams/sound' };
    expect(complete(whole)).toBe(true);
    expect(wishOf(whole)).toMatchObject({ name: 'audio', members: ['teams/audio', 'teams/sound'] });
  });

  it('has a page of its own', () => {
    expect(readHere('/s/', '/s/teams')).toEqual({ page: 'teams' });
  });
});

describe('the page', () => {
  let api: PageApi;
  let root: Root;
  let box: HTMLElement;
  const check = jest.fn();
  const ask = jest.fn();

  beforeEach(async () => {
    (globalThis as unknown as { IS_REACT_ACT_ENVIRONMENT: boolean }).IS_REACT_ACT_ENVIRONMENT = true;
    jest.useFakeTimers();
    api = new PageApi('/s/', 'ada');
    jest
      .spyOn(api, 'teamTemplates')
      .mockResolvedValue({ templates: [SMALL], teams: [AUDIO], why_not: null, simulated: false });
    jest.spyOn(api, 'teamRequests').mockResolvedValue({ requests: [REQUEST], simulated: false });
    jest.spyOn(api, 'checkTeamRequest').mockImplementation(check.mockResolvedValue(REFUSED));
    jest.spyOn(api, 'askForTeam').mockImplementation(ask.mockResolvedValue(REQUEST));
    box = document.createElement('div');
    document.body.append(box);
    root = createRoot(box);
    await act(async () => {
      root.render(<TeamsPage site={SITE} api={api} trans={trans} />);
      await Promise.resolve();
    });
  });

  afterEach(() => {
    act(() => {
      root.unmount();
    });
    box.remove();
    jest.useRealTimers();
    jest.restoreAllMocks();
    check.mockReset();
    ask.mockReset();
  });

  function input(label: string): HTMLInputElement {
    const found = [...box.querySelectorAll('label')].find(each => each.textContent === label);
    const named = box.querySelector<HTMLInputElement>(`input[aria-label="${label}"]`);
    const field = named ?? (found && box.querySelector<HTMLInputElement>(`[id="${found.htmlFor}"]`));
    if (!field) {
      throw new Error(`there is no field ${label}`);
    }
    return field;
  }

  async function write(label: string, value: string): Promise<void> {
    const field = input(label);
    const property = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value');
    await act(async () => {
      property?.set?.call(field, value);
      field.dispatchEvent(new Event('input', { bubbles: true }));
      await Promise.resolve();
    });
  }

  function button(words: string): HTMLButtonElement {
    const found = [...box.querySelectorAll('button')].find(each => each.textContent === words);
    if (found === undefined) {
      throw new Error(`there is no button ${words}`);
    }
    return found;
  }

  it('shows how far a request is, and which step is now', () => {
    const steps = [...box.querySelectorAll('.aif-Stages li')];
    expect(steps.map(each => each.getAttribute('data-state'))).toEqual(['done', 'now', 'later', 'later']);
    expect(steps[1]?.getAttribute('aria-current')).toBe('step');
    expect(steps[1]?.textContent).toContain('waits for one of platform');
    expect(box.querySelector('a[href="/s/approvals/a1"]')).not.toBeNull();
    expect(button('Take it back')).toBeDefined();
  });

  it('asks what would be answered, takes what fits, and sends it', async () => {
    expect(button('Ask for the team').disabled).toBe(true);
    await write('Name', 'audio');
    await write('Groups of its members', 'teams/audio');
    await write('Why', 'speech');
    await write('slice that it owns', '3');
    await act(async () => {
      await jest.advanceTimersByTimeAsync(500);
    });
    expect(check).toHaveBeenCalledTimes(1);
    expect(check).toHaveBeenCalledWith(expect.objectContaining({ name: 'audio', quota: { slice: 3 } }));
    expect(button('Ask for the team').disabled).toBe(true);
    check.mockResolvedValue(DECISION);
    await act(async () => {
      button('Take what fits: 2 slice, and 1 slice borrowed').click();
      await jest.advanceTimersByTimeAsync(500);
    });
    expect(input('slice that it owns').value).toBe('2');
    expect(input('slice that it may borrow').value).toBe('1');
    await act(async () => {
      button('Ask for the team').click();
      await jest.advanceTimersByTimeAsync(10);
    });
    expect(ask).toHaveBeenCalledWith(
      expect.objectContaining({ quota: { slice: 2 }, borrowing: { slice: 1 } })
    );
    expect(box.textContent).toContain('Asked for team audio.');
  });

  it('asks for another size of a team that is there', async () => {
    const what = box.querySelector('select');
    const property = Object.getOwnPropertyDescriptor(HTMLSelectElement.prototype, 'value');
    await act(async () => {
      property?.set?.call(what, 'audio');
      what?.dispatchEvent(new Event('change', { bubbles: true }));
      await Promise.resolve();
    });
    expect(box.textContent).toContain('A change of team audio');
    expect(input('slice that it owns').value).toBe('1');
    expect(() => input('Name')).toThrow('there is no field Name');
    await write('slice that it owns', '2');
    await write('Why', 'more to do');
    check.mockResolvedValue(DECISION);
    await act(async () => {
      await jest.advanceTimersByTimeAsync(500);
    });
    await act(async () => {
      button('Ask for the change').click();
      await jest.advanceTimersByTimeAsync(10);
    });
    const wish: unknown = expect.objectContaining({ kind: 'change', name: 'audio', quota: { slice: 2 } });
    expect(ask).toHaveBeenCalledWith(wish);
    expect(ask).not.toHaveBeenCalledWith(expect.objectContaining({ template: 'small' }));
    expect(box.textContent).toContain('Asked for a change of team audio.');
  });
});
