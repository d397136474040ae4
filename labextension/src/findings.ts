/** What the site's rules say to a form: which of it stands beside which field. Pure. */

import type { FieldTrouble, Titles } from './formtrouble';
import { printable } from './printable';
import type { Finding } from './types';

/** The message and how to mend it. */
export function findingWords(finding: Finding): string {
  return printable([finding.message, finding.fix].filter(words => words !== '').join(' '));
}

/** Whether it stands in the way: it refuses, or somebody has to approve first. */
export function stops(finding: Finding): boolean {
  return finding.refuses || (finding.enforced && finding.needs.length > 0);
}

/** The errors at each field: what the service refused, and what the rules have against it. */
export function fieldErrors(
  trouble: FieldTrouble | null,
  findings: readonly Finding[],
  titles: Titles
): Readonly<Record<string, { readonly __errors: string[] }>> {
  const found: Record<string, { __errors: string[] }> = {};
  if (trouble !== null) {
    found[trouble.field] = { __errors: [trouble.words] };
  }
  for (const finding of findings) {
    const field = finding.field;
    // What was refused at this field just now is said there already.
    if (field !== null && field in titles && stops(finding) && field !== trouble?.field) {
      const before = found[field]?.__errors ?? [];
      found[field] = { __errors: [...before, findingWords(finding)] };
    }
  }
  return found;
}

/** What stands at no field: what is only advice, and what is about something that the form does not ask for. */
export function besides(findings: readonly Finding[], titles: Titles): readonly Finding[] {
  return findings.filter(finding => !stops(finding) || finding.field === null || !(finding.field in titles));
}
