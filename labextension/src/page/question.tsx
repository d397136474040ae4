/** A question with yes and no, over the page. */

import { type JSX, useEffect, useRef } from 'react';

export interface Question {
  readonly words: string;
  readonly more: string;
  readonly yes: string;
  readonly no: string;
  readonly answer: (yes: boolean) => void;
}

/** The browser's own dialog: it holds the focus, and Escape says no. */
export function QuestionBox({ words, more, yes, no, answer }: Question): JSX.Element {
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
        answer(false);
      }}
    >
      <h2 id="aif-question">{words}</h2>
      <p>{more}</p>
      <div className="aif-Actions">
        <button
          type="button"
          className="jp-mod-styled"
          onClick={() => {
            answer(false);
          }}
        >
          {no}
        </button>
        <button
          type="button"
          className="jp-mod-styled aif-Danger"
          onClick={() => {
            answer(true);
          }}
        >
          {yes}
        </button>
      </div>
    </dialog>
  );
}
