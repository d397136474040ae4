/** The box that finds text in a log. */

import type { TranslationBundle } from '@jupyterlab/translation';
import type { JSX, KeyboardEvent, RefObject } from 'react';
import { type Match, MOST_MATCHES } from './logsearch';

interface FindProps {
  readonly field: RefObject<HTMLInputElement>;
  readonly text: string;
  readonly matches: readonly Match[];
  readonly index: number;
  readonly setText: (text: string) => void;
  readonly step: (by: 1 | -1) => void;
  readonly trans: Pick<TranslationBundle, '__' | '_n'>;
}

export function LogFind({ field, text, matches, index, setText, step, trans }: FindProps): JSX.Element {
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'Enter') {
      event.preventDefault();
      step(event.shiftKey ? -1 : 1);
    } else if (event.key === 'Escape' && text !== '') {
      event.preventDefault();
      setText('');
    }
  };
  const none = matches.length === 0;
  return (
    <div className="aif-Log-find" role="search">
      <input
        ref={field}
        type="search"
        value={text}
        placeholder={trans.__('Find in the log')}
        aria-label={trans.__('Find in the log')}
        spellCheck={false}
        onKeyDown={onKeyDown}
        onChange={event => {
          setText(event.target.value);
        }}
      />
      <span role="status">{text === '' ? '' : countWords(index, matches.length, trans)}</span>
      <button
        type="button"
        aria-label={trans.__('Previous match')}
        disabled={none}
        onClick={() => {
          step(-1);
        }}
      >
        ↑
      </button>
      <button
        type="button"
        aria-label={trans.__('Next match')}
        disabled={none}
        onClick={() => {
          step(1);
        }}
      >
        ↓
      </button>
    </div>
  );
}

function countWords(index: number, count: number, trans: FindProps['trans']): string {
  if (count === 0) {
    return trans.__('Not found');
  }
  const most = count === MOST_MATCHES ? trans.__('%1 or more', count) : String(count);
  return trans.__('%1 of %2', index + 1, most);
}
