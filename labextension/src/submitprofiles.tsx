/** What a job can run on: the same truth as on the hub's page that starts servers. */

import type { TranslationBundle } from '@jupyterlab/translation';
import { type JSX, useId } from 'react';
import { money } from './format';
import { canBeHad } from './offers';
import type { Menu, Offer } from './types';

interface ProfilesProps {
  readonly menu: Menu;
  readonly chosen: string;
  readonly trans: TranslationBundle;
  readonly choose: (profile: string) => void;
}

export function Profiles({ menu, chosen, trans, choose }: ProfilesProps): JSX.Element {
  const group = useId();
  return (
    <fieldset className="aif-Profiles">
      <legend>{trans.__('Profile, as of %1', new Date(menu.as_of).toLocaleTimeString())}</legend>
      {menu.unavailable === null ? null : (
        <p className="aif-Notice" data-kind="trouble">
          {menu.unavailable}
        </p>
      )}
      {menu.profiles.map(offer => (
        <Profile
          key={offer.profile}
          offer={offer}
          group={group}
          trans={trans}
          checked={offer.profile === chosen}
          choose={choose}
        />
      ))}
    </fieldset>
  );
}

interface ProfileProps {
  readonly offer: Offer;
  readonly group: string;
  readonly trans: TranslationBundle;
  readonly checked: boolean;
  readonly choose: (profile: string) => void;
}

function Profile({ offer, group, trans, checked, choose }: ProfileProps): JSX.Element {
  const id = useId();
  const price = offer.price_per_hour;
  const free = offer.free_now ? trans.__('%1 free now', offer.free_now) : '';
  return (
    <div className="aif-Profile" data-availability={offer.availability}>
      <input
        type="radio"
        id={id}
        name={group}
        checked={checked}
        disabled={!canBeHad(offer)}
        aria-describedby={`${id}-more`}
        onChange={() => {
          choose(offer.profile);
        }}
      />
      <label htmlFor={id}>
        <b>{offer.profile}</b>
        <span>{offer.gpu?.words ?? trans.__('no GPU')}</span>
        <span className="aif-Number">
          {price === null ? '' : trans.__('%1 an hour', money(Number(price), offer.currency))}
        </span>
      </label>
      <p id={`${id}-more`}>{[free, offer.reason, ...offer.advice].filter(line => line !== '').join(' · ')}</p>
    </div>
  );
}
