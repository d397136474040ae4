/** The page on which people choose what they are told by mail. */

import type { TranslationBundle } from '@jupyterlab/translation';
import { type JSX, useCallback, useEffect, useRef, useState } from 'react';
import { printable } from '../printable';
import { Answered, Trouble, words } from './answered';
import {
  channelWords,
  chosenKinds,
  type Level,
  levelName,
  type Notifications,
  savedWords,
  withKind,
  withLevel
} from './notifications';
import type { PageApi } from './pageapi';
import { PageHead, SimulatedNotice, type Site } from './pagehead';
import { useAnswer } from './useanswer';

interface NotificationsProps {
  readonly site: Site;
  readonly api: PageApi;
  readonly trans: TranslationBundle;
}

export function NotificationsPage({ site, api, trans }: NotificationsProps): JSX.Element {
  useEffect(() => {
    document.title = trans.__('Notifications');
  }, [trans]);
  const answer = useAnswer(useCallback(() => api.notifications(), [api]));
  return (
    <>
      <PageHead site={site} here={{ page: 'notifications' }} trans={trans} />
      <main className="aif-Ledger aif-Notifications">
        <h1>{trans.__('Notifications')}</h1>
        <SimulatedNotice shown={site.simulated} trans={trans} />
        <Answered answer={answer} trans={trans}>
          {said => (
            <>
              <Address said={said} trans={trans} />
              <Choice said={said} again={answer.again} api={api} trans={trans} />
              <Channels said={said} site={site} trans={trans} />
            </>
          )}
        </Answered>
      </main>
    </>
  );
}

interface SaidProps {
  readonly said: Notifications;
  readonly trans: TranslationBundle;
}

function Address({ said, trans }: SaidProps): JSX.Element {
  return (
    <section aria-labelledby="aif-address">
      <h2 id="aif-address">{trans.__('Where it goes')}</h2>
      {said.why_not === null ? (
        <p>
          <strong>{printable(said.address ?? '')}</strong>{' '}
          <span className="aif-Quiet">
            {trans.__('This is the address that your identity provider gives. Change it there.')}
          </span>
        </p>
      ) : (
        <p className="aif-Notice" data-kind="trouble">
          {printable(said.why_not)}
        </p>
      )}
    </section>
  );
}

interface ChoiceProps extends SaidProps {
  readonly again: () => void;
  readonly api: PageApi;
}

/** Each change is saved at once, one after the other: the last one stands. */
function Choice({ said, again, api, trans }: ChoiceProps): JSX.Element {
  const [shown, setShown] = useState(said);
  const [news, setNews] = useState('');
  const [trouble, setTrouble] = useState<string | null>(null);
  const last = useRef<{ readonly number: number; readonly done: Promise<void> }>({
    number: 0,
    done: Promise.resolve()
  });
  useEffect(() => {
    setShown(said);
  }, [said]);
  const save = (wish: Notifications) => {
    setShown(wish);
    setNews(trans.__('Saving…'));
    setTrouble(null);
    const number = last.current.number + 1;
    const newest = () => last.current.number === number;
    const done = last.current.done
      .then(() => api.chooseNotifications(wish.chosen, chosenKinds(wish)))
      .then(
        kept => {
          if (newest()) {
            setShown(kept);
            setNews(savedWords(kept, trans));
          }
        },
        (error: unknown) => {
          if (newest()) {
            setNews('');
            setTrouble(trans.__('This was not saved. %1', words(error, trans)));
            setShown(said);
            again();
          }
        }
      );
    last.current = { number, done };
  };
  return (
    <section aria-labelledby="aif-choice">
      <h2 id="aif-choice">{trans.__('What I get mail about')}</h2>
      <Levels said={shown} save={save} trans={trans} />
      <fieldset className="aif-Choices">
        <legend>{trans.__('One by one')}</legend>
        {shown.kinds.map(each => (
          <label key={each.kind} className="aif-Check">
            <input
              type="checkbox"
              name={each.kind}
              checked={each.told}
              onChange={event => {
                save(withKind(shown, each.kind, event.target.checked));
              }}
            />
            <span>{printable(each.words)}</span>
          </label>
        ))}
      </fieldset>
      <p className="aif-Saved" role="status">
        {news}
      </p>
      <Trouble words={trouble} />
    </section>
  );
}

const LEVELS: readonly (Level | null)[] = [null, 'off', 'failures', 'all'];

function Levels({ said, save, trans }: SaidProps & { save: (wish: Notifications) => void }): JSX.Element {
  return (
    <fieldset className="aif-Choices">
      <legend>{trans.__('How much')}</legend>
      {LEVELS.map(level => (
        <label key={level} className="aif-Check">
          <input
            type="radio"
            name="level"
            checked={said.chosen === level}
            onChange={() => {
              save(withLevel(said, level));
            }}
          />
          <span>
            {level === null
              ? trans.__("the site's default: %1", levelName(said.default, trans))
              : levelName(level, trans)}
          </span>
        </label>
      ))}
    </fieldset>
  );
}

/** For who administers a team or the platform: how the chats of their teams are set, and where. */
function Channels({ said, site, trans }: SaidProps & { site: Site }): JSX.Element | null {
  if (said.channels.length === 0 && !site.administrator) {
    return null;
  }
  return (
    <section aria-labelledby="aif-chats">
      <h2 id="aif-chats">{trans.__('Chats of teams')}</h2>
      <ul>
        {said.channels.map(channel => (
          <li key={channel.tenant}>
            {site.tenants[channel.tenant] ?? channel.tenant}: {channelWords(channel, trans)}
          </li>
        ))}
      </ul>
      <p className="aif-Quiet">
        {site.administrator
          ? trans.__('The chat of a team is set in tenants.yaml, with the key channel of the team.')
          : trans.__(
              'An administrator of the hub sets the chat of a team in tenants.yaml, with the key channel of the team.'
            )}
      </p>
    </section>
  );
}
