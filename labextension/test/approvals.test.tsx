import { createRoot, type Root } from 'react-dom/client';
import { act } from 'react';
import { Refused } from '../src/errors';
import { type Approval, ApprovalsPage, waitsForMe } from '../src/page/approvalspage';
import { PageApi } from '../src/page/pageapi';
import type { Site } from '../src/page/pagehead';
import { english } from '../src/page/translation';

const SITE: Site = {
  ...{ name: 'Hub', prefix: '/s/', hub: '/hub/', user: 'ann', version: '1.0' },
  ...{ tenants: { nlp: 'Language' }, simulated: false, administrator: false }
};
const VOTE = {
  ...{ voter: 'sid', vote: 'yes' as const, comment: 'fine <b>', at: '2026-11-30T10:00:00Z' },
  ...{ emergency: false, counts: true as boolean | null }
};
const OPEN: Approval = {
  ...{ id: 'a1', tenant: 'nlp', kind: 'job', subject: 'j1', verb: 'submit', title: 'train' },
  ...{ digest: 'd'.repeat(64), parts: { command: 'python train.py' }, state: 'OPEN', why: null },
  ...{ needs: [{ role: 'admin', count: 1 }], missing: [{ role: 'admin', count: 1 }] },
  ...{ needs_text: "one of the team's administrators", asked_by: 'ada', excluded: [] },
  rules: [{ rule: 'long-jobs', message: 'It runs for long.' }],
  ...{ asked_at: '2026-11-30T09:00:00Z', expires_at: '2026-12-03T09:00:00Z', ended_at: null },
  ...{ votes: [], why_not: null, emergency: false }
};

let api: PageApi;
let root: Root;
let box: HTMLElement;

beforeEach(() => {
  (globalThis as unknown as { IS_REACT_ACT_ENVIRONMENT: boolean }).IS_REACT_ACT_ENVIRONMENT = true;
  api = new PageApi('/s/', 'ann');
  box = document.body.appendChild(document.createElement('div'));
  root = createRoot(box);
  HTMLDialogElement.prototype.showModal = jest.fn();
  HTMLDialogElement.prototype.close = jest.fn();
});

afterEach(async () => {
  await act(async () => {
    root.unmount();
    await Promise.resolve();
  });
  box.remove();
});

async function show(...approvals: Approval[]): Promise<string> {
  jest.spyOn(api, 'approvals').mockResolvedValue({ approvals, waiting: 0 });
  await act(async () => {
    root.render(<ApprovalsPage site={SITE} api={api} trans={english} id={null} />);
    await new Promise(resolve => setTimeout(resolve, 0));
  });
  return box.textContent;
}

async function click(words: string): Promise<void> {
  const buttons = [...box.querySelectorAll('button')].filter(each => each.textContent === words);
  await act(async () => {
    buttons.at(-1)?.click();
    await new Promise(resolve => setTimeout(resolve, 0));
  });
}

const section = (name: string) => box.querySelector(`section[aria-label="${name}"]`)?.textContent ?? '';

test('each is where it belongs', async () => {
  const others = { ...OPEN, id: 'a2', title: 'mine', why_not: 'You asked for this yourself.' };
  const voted = { ...OPEN, id: 'a3', title: 'voted', votes: [{ ...VOTE, voter: 'ann' }] };
  const over = { ...OPEN, id: 'a4', title: 'over', state: 'REFUSED' as const, why: 'refused by sid: no' };
  await show(OPEN, others, voted, over);
  expect(section('Wait for you')).toContain('train');
  expect(section('Wait for others')).toContain('mine');
  expect(section('Wait for others')).toContain('voted');
  expect(section('Decided')).toContain('refused by sid: no');
  expect(waitsForMe(over, 'ann')).toBe(false);
});

test('nobody approves what they have not been shown: rule, needs, parts and digest', async () => {
  const text = await show(OPEN);
  for (const part of [
    'It runs for long.',
    "one of the team's administrators",
    'python train.py',
    OPEN.digest
  ]) {
    expect(text).toContain(part);
  }
});

test('a vote that no longer counts is said to', async () => {
  const text = await show({ ...OPEN, votes: [{ ...VOTE, counts: false }] });
  expect(text).toContain('no longer counts');
  expect(text).toContain('fine <b>');
});

test('a vote goes with the digest that was shown', async () => {
  const vote = jest.spyOn(api, 'vote').mockResolvedValue(OPEN);
  await show(OPEN);
  await click('Approve');
  expect(vote).not.toHaveBeenCalled();
  await click('Approve');
  expect(vote).toHaveBeenCalledWith(OPEN, 'yes', '');
});

test('a refusal of the service is shown', async () => {
  jest.spyOn(api, 'vote').mockRejectedValue(new Refused(409, 'approval-changed', 'It has changed.'));
  await show(OPEN);
  await click('Refuse');
  await click('Refuse');
  expect(box.textContent).toContain('It has changed.');
});

test('who may not vote has no button and reads why; the emergency group has one of its own', async () => {
  const text = await show({ ...OPEN, why_not: 'You are none of those.', emergency: true });
  expect(text).toContain('You are none of those.');
  const names = [...box.querySelectorAll('button')].map(each => each.textContent);
  expect(names).toEqual(['Approve in an emergency']);
});
