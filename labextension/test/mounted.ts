/** An element of the page into which a test draws with React, made anew for each test. */

import { act, type ReactNode } from 'react';
import { createRoot, type Root } from 'react-dom/client';

let root: Root;
let box: HTMLElement;

/** Call it once in a file of tests. */
export function mountedForEach(): void {
  beforeEach(() => {
    (globalThis as unknown as { IS_REACT_ACT_ENVIRONMENT: boolean }).IS_REACT_ACT_ENVIRONMENT = true;
    box = document.body.appendChild(document.createElement('div'));
    root = createRoot(box);
  });
  afterEach(async () => {
    await act(async () => {
      root.unmount();
      await Promise.resolve();
    });
    box.remove();
  });
}

/** The element. */
export function drawn(): HTMLElement {
  return box;
}

/** Do it, and wait until what comes of it is drawn. */
export async function settled(does: () => void): Promise<void> {
  await act(async () => {
    does();
    await new Promise(resolve => setTimeout(resolve, 0));
  });
}

/** Draw it; its text. */
export async function shown(page: ReactNode): Promise<string> {
  await settled(() => {
    root.render(page);
  });
  return box.textContent;
}

/** Open the first details. */
export async function openDetails(): Promise<void> {
  await settled(() => {
    const details = box.querySelector('details');
    if (details !== null) {
      details.open = true;
      details.dispatchEvent(new Event('toggle'));
    }
  });
}

/** Click the button with these words. */
export async function click(words: string): Promise<void> {
  const button = [...box.querySelectorAll('button')].find(each => each.textContent === words);
  await settled(() => {
    button?.click();
  });
}
