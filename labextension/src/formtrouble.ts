/** A refusal about one field of a form, in the words that stand on the screen: pure. */

import { Refused } from './errors';
import { printable } from './printable';

/** What the screen calls each field. */
export type Titles = Readonly<Record<string, string>>;

export interface FieldTrouble {
  readonly field: string;
  readonly words: string;
}

/** Which of these fields is refused and why; null when it is none of them. `job.` stands before those of a schedule. */
export function fieldTrouble(error: unknown, titles: Titles): FieldTrouble | null {
  if (!(error instanceof Refused) || error.field === null) {
    return null;
  }
  const field = error.field.replace(/^job\./, '').split('.')[0] ?? '';
  const title = titles[field];
  if (title === undefined) {
    return null;
  }
  const about = error.message.replace(/^job\./, '');
  const named = about.startsWith(field) ? title + about.slice(field.length) : about;
  return { field, words: printable(named.replace('Input should be', 'it should be')) };
}
