/** What would happen to a job. */

import type { TranslationBundle } from '@jupyterlab/translation';
import type { JSX } from 'react';
import { findingWords, stops } from './findings';
import { bytes, money } from './format';
import type { Checked, Finding } from './types';

/** What the site's rules say that stands at no field. */
export function Findings({
  findings,
  trans
}: {
  findings: readonly Finding[];
  trans: TranslationBundle;
}): JSX.Element | null {
  return findings.length === 0 ? null : (
    <ul className="aif-Findings" aria-label={trans.__('What the site’s rules say')}>
      {findings.map(finding => (
        <li key={`${finding.rule} ${finding.message}`} data-stops={stops(finding)}>
          <span aria-hidden="true">{stops(finding) ? '!' : 'i'}</span> {findingWords(finding)}
          {finding.override === null ? null : ` ${trans.__('It was overridden for this request.')}`}
          {finding.enforced ? null : ` ${trans.__('It is only tried so far.')}`}
        </li>
      ))}
    </ul>
  );
}

export function Verdict({ checked, trans }: { checked: Checked; trans: TranslationBundle }): JSX.Element {
  const { verdict, size } = checked;
  const cost = verdict.cost;
  return (
    <section className="aif-Verdict" aria-label={trans.__('What would happen')}>
      <h2>{verdict.accepted ? trans.__('It would be taken') : trans.__('It would be refused')}</h2>
      <ul>
        {verdict.verdicts.map(entry => (
          <li key={entry.check} data-ok={entry.ok}>
            <span aria-hidden="true">{entry.ok ? '✓' : '!'}</span> {entry.detail}
          </li>
        ))}
        {verdict.expected_wait === null ? null : (
          <li>
            {verdict.expected_wait.high === 0
              ? trans.__('It would start at once.')
              : trans.__('Expected wait: %1', verdict.expected_wait.words)}
          </li>
        )}
        {cost === null ? null : cost.at_most === null ? (
          <li>{trans.__('Cost: the site sets no price.')}</li>
        ) : (
          <li>
            {trans.__(
              'Cost: %1 at most, if it runs for the longest %2 h.',
              money(Number(cost.at_most), cost.currency),
              cost.hours
            )}
          </li>
        )}
        {size === null ? null : <li>{trans.__('%1 would travel with it.', bytes(size))}</li>}
      </ul>
    </section>
  );
}
