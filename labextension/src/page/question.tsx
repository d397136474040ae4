/** A question with yes and no, over the page. */

import { type JSX, useEffect, useId, useRef, useState } from 'react';

export interface Question {
  readonly words: string;
  readonly more: string;
  readonly yes: string;
  readonly no: string;
  /** Whether "yes" ends or takes away nothing. */
  readonly harmless?: boolean;
  /** What is asked for besides, and how many characters of it are taken; absent where yes or no is all. */
  readonly word?: { readonly label: string; readonly longest: number };
  readonly answer: (yes: boolean, word: string) => void;
}

/** The browser's own dialog: it holds the focus, and Escape says no. */
export function QuestionBox({ words, more, yes, no, word, harmless, answer }: Question): JSX.Element {
  const [text, setText] = useState('');
  const field = useId();
  const box = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const element = box.current;
    element?.showModal();
    return () => {
      element?.close();
    };
  }, []);
  return (
    <dialog
      ref={box}
      className="aif-Question"
      aria-labelledby="aif-question"
      onCancel={event => {
        event.preventDefault();
        answer(false, '');
      }}
    >
      <h2 id="aif-question">{words}</h2>
      <p>{more}</p>
      {word === undefined ? null : (
        <div className="aif-Field">
          <label htmlFor={field}>{word.label}</label>
          <textarea
            id={field}
            rows={3}
            maxLength={word.longest}
            value={text}
            onChange={event => {
              setText(event.target.value);
            }}
          />
        </div>
      )}
      <div className="aif-Actions">
        <button
          type="button"
          className="jp-mod-styled"
          onClick={() => {
            answer(false, '');
          }}
        >
          {no}
        </button>
        <button
          type="button"
          className={harmless ? 'jp-mod-styled' : 'jp-mod-styled aif-Danger'}
          onClick={() => {
            answer(true, text.trim().replace(/\s+/g, ' '));
          }}
        >
          {yes}
        </button>
      </div>
    </dialog>
  );
}
