/** What a person chose to be told by mail, as the service answers it; and how it is said. Pure. */

import type { TranslationBundle } from '@jupyterlab/translation';
import type { components } from '../openapi';

export type Notifications = components['schemas']['NotificationsAnswer'];
export type Kind = Notifications['kinds'][number]['kind'];
export type Level = Notifications['level'];
export type Channel = Notifications['channels'][number];

/** What was chosen by kind, whatever the level says. */
export function chosenKinds(said: Notifications): Partial<Record<Kind, boolean>> {
  return Object.fromEntries(
    said.kinds.filter(each => each.chosen !== null).map(each => [each.kind, each.chosen])
  );
}

/** As it will be with this kind told, or not. */
export function withKind(said: Notifications, kind: Kind, told: boolean): Notifications {
  const kinds = said.kinds.map(each => (each.kind === kind ? { ...each, told, chosen: told } : each));
  return { ...said, kinds };
}

/** As it will be with this level, as far as that is known here: a level takes back what was chosen by kind. */
export function withLevel(said: Notifications, chosen: Level | null): Notifications {
  const kinds = said.kinds.map(each => ({ ...each, chosen: null }));
  return { ...said, chosen, level: chosen ?? said.default, kinds };
}

export function levelName(level: Level, trans: TranslationBundle): string {
  const names: Readonly<Record<Level, string>> = {
    off: trans.__('nothing'),
    failures: trans.__('what failed, and what waits for me'),
    all: trans.__('what failed, what waits for me, and jobs that succeeded')
  };
  return names[level];
}

/** What is kept now. */
export function savedWords(said: Notifications, trans: TranslationBundle): string {
  const told = said.kinds.filter(each => each.told).length;
  if (told === 0) {
    return trans.__('Saved. You get no mail.');
  }
  return told === said.kinds.length
    ? trans.__('Saved. You get mail about all of these.')
    : trans.__('Saved. You get mail about %1 of these %2.', told, said.kinds.length);
}

export function channelWords(channel: Channel, trans: TranslationBundle): string {
  const { format, level } = channel;
  if (format === null) {
    return trans.__('no chat');
  }
  const names = { slack: 'Slack', teams: 'Microsoft Teams', standard: 'Standard Webhooks' };
  const much: Readonly<Record<Level, string>> = {
    off: trans.__('it is told nothing'),
    failures: trans.__('it is told what failed, and what waits'),
    all: trans.__('it is told what failed, what waits, and jobs that succeeded')
  };
  return `${names[format]}: ${much[level ?? 'failures']}`;
}
