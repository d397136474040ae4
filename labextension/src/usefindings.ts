/** Asks what the site's rules say to a form, a moment after it was changed. */

import { useEffect, useState } from 'react';
import type { Api } from './api';
import type { Finding, Wanted } from './types';

/** Milliseconds without a change before the rules are asked. */
export const PAUSE = 800;

/**
 * What the rules say to what stands in the form; nothing while that is not known. No files are looked at. `ready` is
 * false while the form can't be sent.
 */
export function useFindings(api: Api, wanted: Wanted, ready: boolean): readonly Finding[] {
  const asked = JSON.stringify({ ...wanted, folder: null });
  const [known, setKnown] = useState<{
    readonly asked: string;
    readonly findings: readonly Finding[];
  } | null>(null);
  useEffect(() => {
    if (!ready) {
      return undefined;
    }
    let gone = false;
    const timer = window.setTimeout(() => {
      api
        .check(JSON.parse(asked) as Wanted)
        .then(({ verdict }) => {
          if (!gone) {
            setKnown({ asked, findings: verdict.findings });
          }
        })
        // It is only early advice: whoever presses a button reads what is wrong.
        .catch(() => undefined);
    }, PAUSE);
    return () => {
      gone = true;
      window.clearTimeout(timer);
    };
  }, [api, asked, ready]);
  return known?.asked === asked ? known.findings : [];
}
