/** Which profiles a job may be given: pure. */

import type { Menu, Offer } from './types';

/** A job that must wait waits in the queue; only what can never be had can't be chosen. */
export function canBeHad(offer: Offer): boolean {
  return offer.availability !== 'never' && offer.availability !== 'unavailable';
}

/** The first of these that can be had; empty for none, and the service then takes its own. */
export function firstChoice(menu: Menu, wishes: readonly (string | null | undefined)[]): string {
  const offered = new Set(menu.profiles.filter(canBeHad).map(offer => offer.profile));
  return wishes.find(wish => wish != null && offered.has(wish)) ?? '';
}
