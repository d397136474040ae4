import { act } from 'react';
import { createRoot, type Root } from 'react-dom/client';
import { Offline } from '../src/errors';
import {
  channelWords,
  chosenKinds,
  type Notifications,
  savedWords,
  withKind,
  withLevel
} from '../src/page/notifications';
import { NotificationsPage } from '../src/page/notificationspage';
import { PageApi } from '../src/page/pageapi';
import type { Site } from '../src/page/pagehead';
import { readHere } from '../src/page/place';
import { english as trans } from '../src/page/translation';

const SITE: Site = {
  ...{ name: 'Hub', prefix: '/s/', hub: '/hub/', user: 'ada', version: '1.0' },
  ...{ tenants: { nlp: 'Language' }, simulated: false, administrator: false }
};
const SAID: Notifications = {
  ...{ level: 'failures', chosen: null, default: 'failures', mail: true },
  ...{ address: 'ada@example.org', why_not: null, channels: [] },
  kinds: [
    { kind: 'job.failed', words: 'a job of mine failed', told: true, chosen: null },
    { kind: 'job.held', words: 'a job of mine is held', told: true, chosen: null },
    { kind: 'job.succeeded', words: 'a job of mine succeeded', told: false, chosen: null }
  ]
};

describe('a choice', () => {
  it('has the kinds that were chosen, and a level takes them back', () => {
    const wish = withKind(SAID, 'job.held', false);
    expect(chosenKinds(wish)).toEqual({ 'job.held': false });
    expect(chosenKinds(withLevel(wish, 'off'))).toEqual({});
    expect(withLevel(wish, null)).toMatchObject({ chosen: null, level: 'failures' });
  });

  it('is said in words', () => {
    expect(savedWords(SAID, trans)).toBe('Saved. You get mail about 2 of these 3.');
    expect(savedWords(withKind(SAID, 'job.succeeded', true), trans)).toBe(
      'Saved. You get mail about all of these.'
    );
    const none = { ...SAID, kinds: SAID.kinds.map(each => ({ ...each, told: false })) };
    expect(savedWords(none, trans)).toBe('Saved. You get no mail.');
    expect(channelWords({ tenant: 'nlp', format: 'slack', level: 'all' }, trans)).toBe(
      'Slack: it is told what failed, what waits, and jobs that succeeded'
    );
    expect(channelWords({ tenant: 'nlp', format: null, level: null }, trans)).toBe('no chat');
  });

  it('has a page of its own', () => {
    expect(readHere('/s/', '/s/notifications')).toEqual({ page: 'notifications' });
  });
});

describe('the page', () => {
  let api: PageApi;
  let root: Root;
  let box: HTMLElement;
  const choose = jest.fn<Promise<Notifications>, Parameters<PageApi['chooseNotifications']>>();

  async function shown(said: Notifications, site: Site = SITE): Promise<void> {
    jest.spyOn(api, 'notifications').mockResolvedValue(said);
    await act(async () => {
      root.render(<NotificationsPage site={site} api={api} trans={trans} />);
      await Promise.resolve();
    });
  }

  async function click(name: string): Promise<void> {
    await act(async () => {
      box.querySelector<HTMLInputElement>(`input[name="${name}"]`)?.click();
      await Promise.resolve();
    });
  }

  const told = () =>
    [...box.querySelectorAll<HTMLInputElement>('input[type="checkbox"]')]
      .filter(each => each.checked)
      .map(each => each.name);
  const status = () => [...box.querySelectorAll('[role="status"]')].map(each => each.textContent).join('');

  beforeEach(() => {
    (globalThis as unknown as { IS_REACT_ACT_ENVIRONMENT: boolean }).IS_REACT_ACT_ENVIRONMENT = true;
    api = new PageApi('/s/', 'ada');
    jest.spyOn(api, 'chooseNotifications').mockImplementation(choose);
    box = document.createElement('div');
    document.body.append(box);
    root = createRoot(box);
  });

  afterEach(() => {
    act(() => {
      root.unmount();
    });
    box.remove();
    jest.restoreAllMocks();
    choose.mockReset();
  });

  it('says where mail goes, or why it goes nowhere', async () => {
    await shown(SAID);
    expect(box.textContent).toContain('ada@example.org');
    await shown({ ...SAID, address: null, why_not: 'Verify it at the identity provider.' });
    act(() => {
      root.unmount();
    });
    root = createRoot(box);
    await shown({ ...SAID, address: null, why_not: 'Verify it at the identity provider.' });
    expect(box.querySelector('[data-kind="trouble"]')?.textContent).toBe(
      'Verify it at the identity provider.'
    );
  });

  it('saves each change at once, and the last one stands', async () => {
    await shown(SAID);
    const answers: ((said: Notifications) => void)[] = [];
    choose.mockImplementation(
      () =>
        new Promise(resolve => {
          answers.push(resolve);
        })
    );
    await click('job.held');
    await click('job.succeeded');
    expect(told()).toEqual(['job.failed', 'job.succeeded']);
    expect(status()).toBe('Saving…');
    expect(choose.mock.calls).toEqual([[null, { 'job.held': false }]]);
    await act(async () => {
      answers[0]?.(withKind(SAID, 'job.held', false));
      await Promise.resolve();
    });
    expect(told()).toEqual(['job.failed', 'job.succeeded']);
    expect(choose.mock.calls[1]).toEqual([null, { 'job.held': false, 'job.succeeded': true }]);
    await act(async () => {
      answers[1]?.(withKind(withKind(SAID, 'job.held', false), 'job.succeeded', true));
      await Promise.resolve();
    });
    expect(status()).toBe('Saved. You get mail about 2 of these 3.');
  });

  it('says what was not saved, and shows what holds', async () => {
    await shown(SAID);
    choose.mockRejectedValue(new Offline());
    await click('job.held');
    expect(box.querySelector('[role="alert"]')?.textContent).toContain('This was not saved.');
    expect(told()).toEqual(['job.failed', 'job.held']);
  });

  it('tells those who administer a team how its chat is set', async () => {
    await shown(SAID);
    expect(box.textContent).not.toContain('Chats of teams');
    act(() => {
      root.unmount();
    });
    root = createRoot(box);
    await shown({ ...SAID, channels: [{ tenant: 'nlp', format: 'teams', level: 'failures' }] });
    expect(box.textContent).toContain('Language: Microsoft Teams: it is told what failed, and what waits');
    expect(box.textContent).toContain('An administrator of the hub sets the chat');
  });
});
