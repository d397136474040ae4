import type { TranslationBundle } from '@jupyterlab/translation';

function fill(text: string, values: readonly unknown[]): string {
  return text.replace(/%(\d)/g, (_, index: string) => String(values[Number(index) - 1]));
}

/** English, as JupyterLab's own without a language pack. */
export const trans = {
  __: (text: string, ...values: unknown[]) => fill(text, values),
  _n: (one: string, many: string, count: number, ...values: unknown[]) =>
    fill(count === 1 ? one : many, values)
} as unknown as TranslationBundle;
