/** English: the page has no language packs. */

import type { TranslationBundle } from '@jupyterlab/translation';

function filled(text: string, values: readonly unknown[]): string {
  return text.replace(/%(\d)/g, (_, index: string) => String(values[Number(index) - 1]));
}

function plural(one: string, many: string, count: number, values: readonly unknown[]): string {
  return filled(count === 1 ? one : many, values);
}

export const english: TranslationBundle = {
  __: (text, ...values) => filled(text, values),
  _n: (one, many, count, ...values) => plural(one, many, count, values),
  _p: (_, text, ...values) => filled(text, values),
  _np: (_, one, many, count, ...values) => plural(one, many, count, values),
  gettext: (text, ...values) => filled(text, values),
  ngettext: (one, many, count, ...values) => plural(one, many, count, values),
  pgettext: (_, text, ...values) => filled(text, values),
  npgettext: (_, one, many, count, ...values) => plural(one, many, count, values),
  dcnpgettext: (_domain, _context, one, many, count, ...values) => plural(one, many, count, values)
};
