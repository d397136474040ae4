/** What an answer of the service looks like before it is there, while it is not, and once it is. */

import type { TranslationBundle } from '@jupyterlab/translation';
import type { JSX, ReactNode } from 'react';
import { Offline, SignedOut } from '../errors';
import { inOwnZone } from '../format';
import { printable } from '../printable';
import type { Answer } from './useanswer';

interface AnsweredProps<T> {
  readonly answer: Answer<T>;
  readonly children: (value: T) => ReactNode;
  readonly trans: TranslationBundle;
}

export function Answered<T>({ answer, children, trans }: AnsweredProps<T>): JSX.Element {
  const { value, trouble, again } = answer;
  return (
    <>
      <div role="status">
        {trouble === null ? (
          value === null ? (
            <p className="aif-Quiet">{trans.__('Loading…')}</p>
          ) : null
        ) : (
          <p className="aif-Notice" data-kind="trouble">
            {words(trouble, trans)}{' '}
            <button type="button" className="aif-Link" onClick={again}>
              {trans.__('Try again')}
            </button>
          </p>
        )}
      </div>
      {value === null ? null : children(value)}
    </>
  );
}

/** What went wrong with what somebody asked for, read out when it appears; null: nothing did. */
export function Trouble({ words: said }: { readonly words: string | null }): JSX.Element {
  return (
    <div role="alert">
      {said === null ? null : (
        <p className="aif-Notice" data-kind="trouble">
          {said}
        </p>
      )}
    </div>
  );
}

/** The words of an error, for people. */
export function words(error: unknown, trans: TranslationBundle): string {
  if (error instanceof SignedOut) {
    return trans.__('Your session is over. Load this page again to sign in.');
  }
  if (error instanceof Offline) {
    return trans.__('The job service does not answer now. What runs is not affected.');
  }
  return inOwnZone(printable(error instanceof Error ? error.message : String(error)));
}
