/** Two versions side by side. */

import type { TranslationBundle } from '@jupyterlab/translation';
import { type JSX, useCallback } from 'react';
import { printable } from '../printable';
import { Answered } from './answered';
import { differences, type VersionDetail } from './models';
import type { PageApi } from './pageapi';
import { useAnswer } from './useanswer';

interface CompareProps {
  readonly api: PageApi;
  readonly tenant: string;
  readonly model: string;
  readonly before: number;
  readonly after: number;
  readonly trans: TranslationBundle;
}

export function ModelCompare({ api, tenant, model, before, after, trans }: CompareProps): JSX.Element {
  const both = useAnswer(
    useCallback(
      () => Promise.all([api.version(tenant, model, before), api.version(tenant, model, after)]),
      [api, tenant, model, before, after]
    )
  );
  return (
    <section aria-labelledby="aif-compare">
      <h3 id="aif-compare">{trans.__('Versions %1 and %2', String(before), String(after))}</h3>
      <Answered answer={both} trans={trans}>
        {([one, two]) => <Compared one={one} two={two} trans={trans} />}
      </Answered>
    </section>
  );
}

function Compared({
  one,
  two,
  trans
}: {
  one: VersionDetail;
  two: VersionDetail;
  trans: TranslationBundle;
}): JSX.Element {
  const rows = differences(one, two, trans);
  const title = trans.__('What tells them apart');
  return (
    <div className="aif-Wide" tabIndex={0} role="group" aria-label={title}>
      <table className="aif-Table aif-Lines">
        <caption>{title}</caption>
        <thead>
          <tr>
            <th scope="col">{trans.__('What')}</th>
            <th scope="col">{trans.__('Version %1', String(one.version.version))}</th>
            <th scope="col">{trans.__('Version %1', String(two.version.version))}</th>
            <th scope="col">{trans.__('Same')}</th>
          </tr>
        </thead>
        <tbody>
          {rows.map(row => (
            <tr key={row.what} data-same={row.same}>
              <th scope="row">{printable(row.what)}</th>
              <td>{printable(row.before)}</td>
              <td>{printable(row.after)}</td>
              <td>{row.same ? trans.__('yes') : trans.__('no')}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
